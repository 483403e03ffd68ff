import type {
  ListOptions,
  Manifest,
  Manifests,
  OperationContext,
  PutManifestOptions,
  ReferrersOptions,
} from '../../backend.ts'
import type { Descriptor } from '../../spec/descriptor.ts'
import { type Digest, isDigest } from '../../spec/digest.ts'
import type { PullThroughCore } from './core.ts'
import { listingWithFallback, mergeListings } from './listings.ts'
import type { LocalWrites } from './local-writes.ts'
import type { ManifestSource } from './manifest-source.ts'
import type { Claim } from './router.ts'
import type { TagLookup, TagTarget } from './tag-lookup.ts'
import { isAbsent, isOutage } from './upstream-errors.ts'

/** Manifests of a repository that an upstream has: what is here by its digest is never asked for again. */
export class ClaimedManifests implements Manifests {
  readonly #core: PullThroughCore
  readonly #claim: Claim
  readonly #source: ManifestSource
  readonly #tags: TagLookup
  readonly #writes: LocalWrites

  constructor(core: PullThroughCore, claim: Claim, source: ManifestSource, tags: TagLookup, writes: LocalWrites) {
    this.#core = core
    this.#claim = claim
    this.#source = source
    this.#tags = tags
    this.#writes = writes
  }

  async stat(reference: Digest | string, context: OperationContext = {}): Promise<Descriptor> {
    return (await this.#find(reference, context)).manifest.descriptor
  }

  async get(reference: Digest | string, context: OperationContext = {}): Promise<Manifest> {
    const { manifest, wasFetched } = await this.#find(reference, context)
    this.#core.tellOf(this.#claim, 'manifest', reference, { type: wasFetched ? 'miss' : 'hit' })
    this.#core.tellOf(this.#claim, 'manifest', reference, { type: 'pushed', bytes: manifest.content.byteLength })
    return manifest
  }

  put(content: Uint8Array, options: PutManifestOptions): Promise<Descriptor> {
    return this.#writes.putManifest(content, options)
  }

  delete(digest: Digest, context?: OperationContext): Promise<readonly string[]> {
    return this.#writes.deleteManifest(digest, context)
  }

  /** Those that are here. */
  list(options?: ListOptions): AsyncIterable<Digest> {
    return this.#core.local(this.#claim).manifests.list(options)
  }

  /** Those of both sides; while the upstream cannot tell, those that are here, where there are any. */
  referrers(subject: Digest, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    const here = () => this.#core.local(this.#claim).manifests.referrers(subject, options)
    const there = listingWithFallback(this.#askReferrers(subject, options), isAbsent, none)
    const both = mergeListings(here(), there, ({ digest }) => digest)
    return listingWithFallback(both, isOutage, (error) => orError(here(), error))
  }

  async *#askReferrers(subject: Digest, options: ReferrersOptions): AsyncGenerator<Descriptor> {
    const { signal, after, artifactType } = options
    const { calls } = this.#core.options
    const question = { content: 'manifest', reference: `referrers of ${subject}` } as const
    yield* calls.list(this.#claim, question, signal, () =>
      this.#core.remote(this.#claim).manifests.referrers(subject, {
        ...(signal && { signal }),
        ...(after !== undefined && { after }),
        ...(artifactType !== undefined && { artifactType }),
      }),
    )
  }

  async #find(
    reference: Digest | string,
    { signal }: OperationContext,
  ): Promise<{ readonly manifest: Manifest; readonly wasFetched: boolean }> {
    const { keeper } = this.#core.options
    await keeper.ready()
    let wasFetched = false
    const onFetch = () => {
      wasFetched = true
    }
    const target: TagTarget = isDigest(reference)
      ? { digest: reference }
      : await this.#tags.resolve(this.#claim, reference, signal, onFetch)
    const { digest } = target
    const manifest =
      target.manifest ??
      (await this.#source.kept(this.#claim, digest, signal)) ??
      (await this.#source.fetch(this.#claim, digest, signal, onFetch))
    keeper.used('manifest', this.#claim.localName, digest)
    return { manifest, wasFetched }
  }
}

async function* none(): AsyncGenerator<never> {}

/** An empty list would say that there is nothing, which is what could not be told. */
async function* orError<T>(items: AsyncIterable<T>, error: unknown): AsyncGenerator<T> {
  let isEmpty = true
  for await (const item of items) {
    isEmpty = false
    yield item
  }
  if (isEmpty) throw error
}
