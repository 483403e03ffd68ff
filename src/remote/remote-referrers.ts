import type { Manifest, Manifests, OperationContext, ReferrersOptions } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import { type Descriptor, readDescriptor } from '../spec/descriptor.ts'
import { type Digest, digestOf } from '../spec/digest.ts'
import { type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { isRetryable } from './client/refusal.ts'
import type { RegistryClient } from './client/registry-client.ts'
import { pages } from './pages.ts'
import { referrersPath, scope } from './paths.ts'

/** Tries of a change to the fallback tag that somebody else changes at the same time. */
const MAX_RACES = 5

/**
 * Who refers to a manifest: by the referrers API, and where a registry has none, by the index under the tag `sha256-<hex>`, which
 * whoever pushes keeps.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#unavailable-referrers-api
 */
export class RemoteReferrers {
  readonly #client: RegistryClient
  readonly #name: string
  readonly #manifests: Manifests

  constructor(client: RegistryClient, name: string, manifests: Manifests) {
    this.#client = client
    this.#name = name
    this.#manifests = manifests
  }

  async *list(subject: Digest, { artifactType, after, ...context }: ReferrersOptions = {}): AsyncGenerator<Descriptor> {
    const found =
      (await this.#fromApi(subject, artifactType, context)) ?? (await this.#fromTag(subject, context)).entries
    const wanted = found.filter(
      (one) =>
        (artifactType === undefined || one.artifactType === artifactType) &&
        (after === undefined || one.digest > after),
    )
    yield* wanted.sort((one, other) => (one.digest < other.digest ? -1 : 1))
  }

  /** What `parsed` is about, put into the fallback index of its subject. */
  async add(
    { subject, artifactType, annotations }: ParsedManifest,
    pushed: Descriptor,
    context: OperationContext,
  ): Promise<void> {
    if (subject === undefined) return
    const entry = {
      ...pushed,
      ...(artifactType !== undefined && { artifactType }),
      ...(annotations && { annotations }),
    }
    await this.#change(subject.digest, context, (entries) =>
      entries.some(({ digest }) => digest === pushed.digest) ? entries : [...entries, entry],
    )
  }

  async remove(subject: Digest, referrer: Digest, context: OperationContext): Promise<void> {
    await this.#change(subject, context, (entries) => entries.filter(({ digest }) => digest !== referrer))
  }

  /** The subject of a manifest that only a fallback index lists; `undefined` where the registry keeps that itself. */
  async subjectOf(digest: Digest, context: OperationContext): Promise<Digest | undefined> {
    const { content, descriptor } = await this.#manifests.get(digest, context)
    const { subject } = parseManifest(content, descriptor.mediaType)
    if (subject === undefined || (await this.#fromApi(subject.digest, undefined, context)) !== undefined)
      return undefined
    return subject.digest
  }

  /** `undefined`: the registry has no such API. */
  async #fromApi(
    subject: Digest,
    artifactType: string | undefined,
    context: OperationContext,
  ): Promise<Descriptor[] | undefined> {
    const query = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`
    const request = {
      target: referrersPath(this.#name, subject) + query,
      scopes: [scope(this.#name, 'pull')],
      headers: { accept: MEDIA_TYPES.ociIndex },
      absent: 'UNSUPPORTED',
      context,
    } as const
    const found: Descriptor[] = []
    try {
      for await (const { content, headers } of pages(this.#client, request)) {
        // Some answer every path with a page for people.
        if (!String(headers['content-type']).startsWith(MEDIA_TYPES.ociIndex)) return undefined
        found.push(...this.#entriesOf(content.manifests))
      }
    } catch (error) {
      if (RegistryError.is(error, 'UNSUPPORTED')) return undefined
      throw error
    }
    return found
  }

  async #fromTag(subject: Digest, context: OperationContext): Promise<FallbackIndex> {
    let index: Manifest
    try {
      index = await this.#manifests.get(fallbackTag(subject), context)
    } catch (error) {
      if (RegistryError.is(error, 'MANIFEST_UNKNOWN')) return { entries: [] }
      throw error
    }
    const { descriptor, content } = index
    // Somebody else's tag of that name, an image say, has none.
    return { entries: parseManifest(content, descriptor.mediaType).manifests, digest: descriptor.digest }
  }

  async #change(
    subject: Digest,
    context: OperationContext,
    change: (entries: readonly Descriptor[]) => readonly Descriptor[],
  ): Promise<void> {
    for (let races = 0; ; races++) {
      const { entries, digest } = await this.#fromTag(subject, context)
      const changed = change(entries)
      if (changed === entries || (changed.length === entries.length && digest === undefined)) return
      const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: changed }
      const content = Buffer.from(JSON.stringify(index))
      if (digestOf(content) === digest) return
      try {
        const tags = [fallbackTag(subject)]
        await this.#manifests.put(content, { ...context, mediaType: index.mediaType, tags, expected: digest ?? null })
        return
      } catch (error) {
        // Without an answer it may be done, and is then found so.
        const isOpen = RegistryError.is(error) && (error.status === 412 || isRetryable(error.code))
        if (!isOpen || races === MAX_RACES) throw error
      }
    }
  }

  #entriesOf(manifests: unknown): Descriptor[] {
    const list = manifests ?? []
    if (!Array.isArray(list)) {
      throw new RegistryError('UNAVAILABLE', { message: `${this.#client.address.name} lists referrers that are none` })
    }
    return list.map((entry: unknown, i) => readDescriptor(entry, `manifests[${i}]`))
  }
}

interface FallbackIndex {
  readonly entries: readonly Descriptor[]
  /** What the tag points to now; absent where there is none. */
  readonly digest?: Digest
}

/** @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema */
function fallbackTag(subject: Digest): string {
  return subject.replace(':', '-').slice(0, 128)
}
