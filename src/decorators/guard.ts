import { checkManifestPut, checkOptions } from '../arguments.ts'
import { type Decorator, decorate, type OperationContext, type Repository } from '../backend.ts'
import { readAll } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import type { Digest } from '../spec/digest.ts'
import { readJson } from '../spec/json-scan.ts'
import { type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import { parseTag } from '../spec/name.ts'
import { expose } from './expose.ts'

/** Largest config that is read, in bytes. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024

/** A manifest that somebody wants to store, or to give another tag. */
export interface ManifestProposal {
  readonly repository: string
  readonly manifest: ParsedManifest
  /** The bytes as they were sent, or are stored. */
  readonly content: Uint8Array
  readonly mediaType: string
  /** Those that it is given now: none of a push by digest alone, one where a stored manifest is tagged. */
  readonly tags: readonly string[]
  /** The digest by which the client pushes it, not checked yet; of a stored manifest, its own. */
  readonly digest?: Digest
  /** Who asks, as established by an access controller. */
  readonly actor?: string
  readonly requestId?: string
  readonly signal?: AbortSignal
  /**
   * The config as parsed JSON; read when first asked for. `undefined` where the manifest has none (an index, an unknown type).
   *
   * @throws {@link RegistryError} `DENIED` when it is no JSON or larger than 4 MiB, `MANIFEST_BLOB_UNKNOWN` when it is not here
   */
  config(): Promise<unknown>
}

export interface GuardOptions {
  /**
   * Asked before a manifest is stored, and before one that is stored gets a tag. A string it answers with is a refusal, and reaches the client with `DENIED`; a
   * {@link RegistryError} that it throws reaches the client as it is. Anything else that it throws refuses as well, but is a
   * mistake of ours: it is logged, and the client is not told what it says.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a hook that only ever throws is declared to return nothing
  beforeManifest(proposal: ManifestProposal): Promise<string | undefined | void> | string | undefined | void
}

/**
 * Asks before a manifest is stored: a signature policy, a quota, a naming rule. Blobs that a refused manifest refers to stay
 * until the next collection. `tags.set` asks as well, which costs it a read of the manifest; over HTTP tags come with pushes
 * only.
 *
 * @example
 * guard({
 *   async beforeManifest({ config, tags }) {
 *     const image = (await config()) as { config?: { User?: string } } | undefined
 *     if (tags.includes('production') && !image?.config?.User) return 'production images must not run as root'
 *   },
 * })
 */
export function guard(options: GuardOptions): Decorator {
  checkOptions('guard()', options, { beforeManifest: true })
  const { beforeManifest } = options ?? {}
  if (typeof beforeManifest !== 'function') throw new TypeError('guard() needs a function beforeManifest')
  const ask = async (repository: Repository, asked: Asked, context: OperationContext): Promise<void> => {
    const manifest = parseManifest(asked.content, asked.mediaType)
    let reading: Promise<unknown> | undefined
    const reason = await beforeManifest({
      repository: repository.name,
      manifest,
      ...asked,
      ...context,
      config: () => {
        reading ??= readConfig(repository, manifest.config, context)
        return reading
      },
    })
    if (typeof reason === 'string') throw new RegistryError('DENIED', { message: reason })
    if (reason !== undefined) throw new TypeError('beforeManifest must answer with a reason to refuse, or with nothing')
  }
  return (inner) =>
    decorate(inner, {
      manifests: (manifests, repository) =>
        expose(manifests, ['stat', 'get', 'delete', 'list', 'referrers'], {
          put: async (content, putOptions) => {
            checkManifestPut(content, putOptions)
            const { mediaType, tags = [], digest } = putOptions
            const asked = { content, mediaType, tags, ...(digest !== undefined && { digest }) }
            await ask(repository, asked, contextOf(putOptions))
            return manifests.put(content, putOptions)
          },
        }),
      tags: (tags, repository) =>
        expose(tags, ['resolve', 'list', 'delete'], {
          set: async (tag, target, setOptions = {}) => {
            parseTag(tag)
            const context = contextOf(setOptions)
            const { content, descriptor } = await repository.manifests.get(target, context)
            const asked = { content, mediaType: descriptor.mediaType, tags: [tag], digest: descriptor.digest }
            await ask(repository, asked, context)
            await tags.set(tag, target, setOptions)
          },
        }),
    })
}

type Asked = Pick<ManifestProposal, 'content' | 'mediaType' | 'tags' | 'digest'>

/** What of it a hook is told. */
function contextOf({ actor, requestId, signal }: OperationContext): OperationContext {
  return {
    ...(actor !== undefined && { actor }),
    ...(requestId !== undefined && { requestId }),
    ...(signal && { signal }),
  }
}

async function readConfig(
  { blobs }: Repository,
  config: Descriptor | undefined,
  context: OperationContext,
): Promise<unknown> {
  if (config === undefined) return undefined
  const { digest } = config
  try {
    const { body } = await blobs.open(digest, context)
    await using _ = body
    // The descriptor may lie about the size, the body does not.
    const content = await readAll(body.stream(), MAX_CONFIG_BYTES)
    if (content === undefined) throw new RegistryError('DENIED', { message: 'the config is too large to be checked' })
    const reading = readJson(content, { uniqueKeys: true })
    if (reading.problem === undefined) return reading.value
    throw new RegistryError('DENIED', { message: `the config cannot be checked: ${reading.problem}` })
  } catch (error) {
    if (!RegistryError.is(error, 'BLOB_UNKNOWN')) throw error
    throw new RegistryError('MANIFEST_BLOB_UNKNOWN', { detail: { missing: [digest] }, cause: error })
  }
}
