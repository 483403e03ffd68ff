import { type Decorator, decorate, type OperationContext, type Repository } from '../backend.ts'
import { readAll } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import type { Digest } from '../spec/digest.ts'
import { readJson } from '../spec/json-scan.ts'
import { type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import { expose } from './expose.ts'

/** Largest config that is read, in bytes. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024

/** A manifest that somebody wants to store. */
export interface ManifestProposal {
  readonly repository: string
  readonly manifest: ParsedManifest
  /** The bytes as they were sent. */
  readonly content: Uint8Array
  readonly mediaType: string
  readonly tags: readonly string[]
  /** The digest by which the client pushes it; not checked yet. */
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
   * Asked before a manifest is stored. A string it answers with is a refusal, and reaches the client with `DENIED`; a
   * {@link RegistryError} that it throws reaches the client as it is. Anything else that it throws refuses as well, but is a
   * mistake of ours: it is logged, and the client is not told what it says.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a hook that only ever throws is declared to return nothing
  beforeManifest(proposal: ManifestProposal): Promise<string | undefined | void> | string | undefined | void
}

/**
 * Asks before a manifest is stored: a signature policy, a quota, a naming rule. Blobs that a refused manifest refers to stay
 * until the next collection.
 *
 * @example
 * guard({
 *   async beforeManifest({ config, tags }) {
 *     const image = (await config()) as { config?: { User?: string } } | undefined
 *     if (tags.includes('production') && !image?.config?.User) return 'production images must not run as root'
 *   },
 * })
 */
export function guard({ beforeManifest }: GuardOptions): Decorator {
  // For callers without types: a misspelt hook would be found out by the first push.
  if (typeof beforeManifest !== 'function') throw new TypeError('guard() needs a function beforeManifest')
  return (inner) =>
    decorate(inner, {
      manifests: (manifests, repository) =>
        expose(manifests, ['stat', 'get', 'delete', 'list', 'referrers'], {
          put: async (content, options) => {
            const { mediaType, tags = [], digest, actor, requestId, signal } = options
            const manifest = parseManifest(content, mediaType)
            const context: OperationContext = {
              ...(actor !== undefined && { actor }),
              ...(requestId !== undefined && { requestId }),
              ...(signal && { signal }),
            }
            let reading: Promise<unknown> | undefined
            const reason = await beforeManifest({
              repository: repository.name,
              manifest,
              content,
              mediaType,
              tags,
              ...(digest !== undefined && { digest }),
              ...context,
              config: () => {
                reading ??= readConfig(repository, manifest.config, context)
                return reading
              },
            })
            if (typeof reason === 'string') throw new RegistryError('DENIED', { message: reason })
            if (reason !== undefined)
              throw new TypeError('beforeManifest must answer with a reason to refuse, or with nothing')
            return manifests.put(content, options)
          },
        }),
    })
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
