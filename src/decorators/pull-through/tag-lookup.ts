import { MAX_TIMER_MS } from '../../arguments.ts'
import type { Manifest } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import type { Digest } from '../../spec/digest.ts'
import { isTag } from '../../spec/name.ts'
import type { PullThroughCore } from './core.ts'
import type { ManifestSource } from './manifest-source.ts'
import type { Claim } from './router.ts'
import { SingleFlight } from './single-flight.ts'
import { isAbsent, isOutage } from './upstream-errors.ts'

/** Where a tag points, and the manifest where it had to be fetched. */
export interface TagTarget {
  readonly digest: Digest
  readonly manifest?: Manifest
}

/**
 * Where the tags of upstreams point: looked up there when what we know is older than its time to live, by HEAD; and what we know goes
 * on being the answer while the upstream cannot tell. When it can, and says that there is no such tag, there is none.
 */
export class TagLookup {
  readonly #core: PullThroughCore
  readonly #source: ManifestSource
  readonly #flights = new SingleFlight<TagTarget>()

  constructor(core: PullThroughCore, source: ManifestSource) {
    this.#core = core
    this.#source = source
  }

  /**
   * @param onFetch - called when this call is the one that fetches a manifest
   * @throws {@link RegistryError} `MANIFEST_UNKNOWN`
   */
  async resolve(
    claim: Claim,
    tag: string,
    signal: AbortSignal | undefined,
    onFetch: () => void = () => {},
  ): Promise<TagTarget> {
    if (!isTag(tag)) throw new RegistryError('MANIFEST_UNKNOWN', { detail: { reference: tag.slice(0, 128) } })
    const { freshness } = this.#core.options
    const key = keyOf(claim, tag)
    const kept = await this.#kept(claim, tag, signal)
    if (kept !== undefined && (freshness.isFresh(key) || this.#core.isPushed('manifest', claim, kept))) {
      return { digest: kept }
    }
    const flight = this.#flights.run(key, signal, () => this.#lookUp(claim, tag, kept, onFetch))
    return kept === undefined ? flight : this.#orKept(flight, claim, tag, kept, signal)
  }

  settled(): Promise<void> {
    return this.#flights.settled()
  }

  /** What is kept is the answer when the look-up fails for want of an upstream that can tell, and when it takes too long. */
  async #orKept(
    flight: Promise<TagTarget>,
    claim: Claim,
    tag: string,
    kept: Digest,
    signal: AbortSignal | undefined,
  ): Promise<TagTarget> {
    const { freshness, maxStaleMs, patienceMs, statistics } = this.#core.options
    const key = keyOf(claim, tag)
    const stale = (): TagTarget | undefined => {
      if (freshness.age(key) > maxStaleMs) return undefined
      freshness.postpone(key)
      statistics.tell({ type: 'stale', upstream: claim.upstream.name, repository: claim.localName, tag })
      return { digest: kept }
    }
    try {
      return (await within(flight, patienceMs)) ?? stale() ?? (await flight)
    } catch (error) {
      signal?.throwIfAborted()
      const instead = isOutage(error) ? stale() : undefined
      if (instead === undefined) throw error
      return instead
    }
  }

  async #lookUp(claim: Claim, tag: string, kept: Digest | undefined, onFetch: () => void): Promise<TagTarget> {
    const { calls, freshness } = this.#core.options
    const key = keyOf(claim, tag)
    const { signal } = this.#core
    if (kept === undefined) {
      const manifest = await this.#source.fetch(claim, tag, undefined, onFetch)
      freshness.confirm(key)
      return { digest: manifest.descriptor.digest, manifest }
    }
    let digest: Digest
    try {
      const subject = { content: 'manifest', reference: tag } as const
      const found = await calls.ask(claim, subject, signal, () =>
        this.#core.remote(claim).manifests.stat(tag, { signal }),
      )
      digest = found.digest
    } catch (error) {
      if (isAbsent(error)) await this.#drop(claim, tag)
      throw error
    }
    const target = digest === kept ? { digest } : await this.#move(claim, tag, digest, onFetch)
    freshness.confirm(key)
    return target
  }

  async #move(claim: Claim, tag: string, digest: Digest, onFetch: () => void): Promise<TagTarget> {
    const here = await this.#source.kept(claim, digest, this.#core.signal)
    const manifest = here ?? (await this.#fetchMoved(claim, tag, digest, onFetch))
    const target = manifest.descriptor.digest
    try {
      await this.#core.local(claim).tags.set(tag, target)
    } catch (err) {
      this.#core.options.logger.warn({ err, repository: claim.localName, tag }, 'cannot keep a tag of an upstream')
    }
    return here === undefined ? { digest: target, manifest } : { digest: target }
  }

  /** By the digest just told; what was moved again and deleted in between, by its tag. */
  async #fetchMoved(claim: Claim, tag: string, digest: Digest, onFetch: () => void): Promise<Manifest> {
    try {
      return await this.#source.fetch(claim, digest, undefined, onFetch)
    } catch (error) {
      if (!isAbsent(error)) throw error
      return this.#source.fetch(claim, tag, undefined, onFetch)
    }
  }

  async #kept(claim: Claim, tag: string, signal: AbortSignal | undefined): Promise<Digest | undefined> {
    try {
      return await this.#core.local(claim).tags.resolve(tag, signal && { signal })
    } catch (error) {
      if (RegistryError.is(error, 'MANIFEST_UNKNOWN')) return undefined
      throw error
    }
  }

  /** The upstream says that the tag is gone. */
  async #drop(claim: Claim, tag: string): Promise<void> {
    const { freshness, logger } = this.#core.options
    freshness.forget(keyOf(claim, tag))
    try {
      await this.#core.local(claim).tags.delete(tag)
    } catch (err) {
      if (RegistryError.is(err, 'MANIFEST_UNKNOWN')) return
      logger.warn({ err, repository: claim.localName, tag }, 'cannot drop a tag that is gone from its upstream')
    }
  }
}

function keyOf({ localName }: Claim, tag: string): string {
  return `${localName}:${tag}`
}

/** What `promise` resolves with; `undefined` when that takes longer. */
async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  if (milliseconds === Number.POSITIVE_INFINITY) return promise
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.min(milliseconds, MAX_TIMER_MS)).unref()
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}
