import type { LogFields, Logger } from '../../logger.ts'
import type { Digest } from '../../spec/digest.ts'

export type ContentType = 'blob' | 'manifest'

/** What the cache does, as it happens. */
export type PullThroughEvent =
  /** Served without asking the upstream, or from what somebody else's pull is bringing. */
  | (PullThroughContentEvent & { readonly type: 'hit' })
  /** The upstream had to be asked. */
  | (PullThroughContentEvent & { readonly type: 'miss' })
  /** Bytes of an upstream came in, whether or not all that were wanted. */
  | (PullThroughContentEvent & { readonly type: 'pulled'; readonly bytes: number })
  /** Content was made ready for a client. */
  | (PullThroughContentEvent & { readonly type: 'pushed'; readonly bytes: number })
  /** An old answer was given, the upstream being unable to tell. */
  | { readonly type: 'stale'; readonly upstream: string; readonly repository: string; readonly tag: string }
  /** An upstream wants to be left alone for a while. */
  | { readonly type: 'backed-off'; readonly upstream: string; readonly waitMs: number }
  /** Taken out of its repository here for want of room. */
  | {
      readonly type: 'evicted'
      readonly content: ContentType
      readonly repository: string
      readonly digest: Digest
      readonly bytes: number
    }

/** What every event about content tells. */
export interface PullThroughContentEvent {
  readonly content: ContentType
  readonly upstream: string
  /** As it is called here. */
  readonly repository: string
  /** A digest, or a tag. */
  readonly reference: string
}

/**
 * Counts since the start, under the names that Distribution's `registry_proxy_…_total` have: of pulls, not of looks by HEAD. `misses`
 * are those of `requests` that asked an upstream.
 */
export interface PullThroughCounts {
  readonly requests: number
  readonly hits: number
  readonly misses: number
  /** Bytes that came from upstreams. */
  readonly pulledBytes: number
  /** Bytes that clients were given; of a pull that broke off, all that it was for. */
  readonly pushedBytes: number
}

export interface PullThroughStats {
  readonly blob: PullThroughCounts
  readonly manifest: PullThroughCounts
  /** Tags served as they were, the upstream being unable to tell. */
  readonly stale: number
  readonly evictions: number
  /** Bytes that the cache brought in and keeps, each content once. */
  readonly cachedBytes: number
}

type Counts = { -readonly [K in keyof PullThroughCounts]: PullThroughCounts[K] }

/** Counts events on their way to whoever wants to see them. */
export class Statistics {
  readonly #counts: Readonly<Record<ContentType, Counts>> = { blob: newCounts(), manifest: newCounts() }
  readonly #listener: ((event: PullThroughEvent) => void) | undefined
  readonly #logger: Logger
  #stale = 0
  #evictions = 0

  constructor(listener: ((event: PullThroughEvent) => void) | undefined, logger: Logger) {
    this.#listener = listener
    this.#logger = logger
  }

  tell(event: PullThroughEvent): void {
    this.#count(event)
    try {
      this.#listener?.(event)
    } catch (err) {
      const fields: LogFields = { err, event: event.type }
      this.#logger.error(fields, 'a listener to a pull-through cache failed')
    }
  }

  snapshot(cachedBytes: number): PullThroughStats {
    const { blob, manifest } = this.#counts
    return {
      blob: { ...blob },
      manifest: { ...manifest },
      stale: this.#stale,
      evictions: this.#evictions,
      cachedBytes,
    }
  }

  #count(event: PullThroughEvent): void {
    switch (event.type) {
      case 'hit':
        this.#counts[event.content].requests++
        this.#counts[event.content].hits++
        break
      case 'miss':
        this.#counts[event.content].requests++
        this.#counts[event.content].misses++
        break
      case 'pulled':
        this.#counts[event.content].pulledBytes += event.bytes
        break
      case 'pushed':
        this.#counts[event.content].pushedBytes += event.bytes
        break
      case 'stale':
        this.#stale++
        break
      case 'evicted':
        this.#evictions++
        break
      case 'backed-off':
        break
    }
  }
}

function newCounts(): Counts {
  return { requests: 0, hits: 0, misses: 0, pulledBytes: 0, pushedBytes: 0 }
}
