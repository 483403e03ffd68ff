import type { Backend, Repository } from '../../backend.ts'
import type { Logger } from '../../logger.ts'
import type { Digest } from '../../spec/digest.ts'
import type { BlobFill } from './blob-fill.ts'
import { RecentMap } from './recent-map.ts'
import type { Claim } from './router.ts'
import type { ContentType, PullThroughEvent, Statistics } from './stats.ts'
import type { Storekeeper } from './storekeeper.ts'
import type { TagFreshness } from './tag-freshness.ts'
import type { UpstreamCalls } from './upstream-calls.ts'

/** How many blobs are remembered that were looked at and are not here. */
const MAX_REMEMBERED = 10_000

export interface CoreOptions {
  /** Where content is kept. */
  readonly backend: Backend
  readonly calls: UpstreamCalls
  readonly keeper: Storekeeper
  readonly freshness: TagFreshness
  readonly statistics: Statistics
  readonly logger: Logger
  readonly now: () => number
  readonly maxStaleMs: number
  readonly patienceMs: number
  readonly tagTtlMs: number
  readonly abandonedFillMs: number
  readonly spoolDirectory: string
  readonly rangeMiss: 'pass' | 'fill'
  /** Whether a repository of an upstream may be pushed to, here. */
  readonly writable: boolean
}

/** What all repositories that are pulled through share. */
export class PullThroughCore {
  readonly options: CoreOptions
  /** What is being fetched, by {@link keyOf}. */
  readonly fills: Map<string, BlobFill> = new Map()
  /** How many fills of a blob have ended. */
  readonly endedFills: RecentMap<number> = new RecentMap(MAX_REMEMBERED)
  /** Sizes of blobs at their upstream, and until when they are believed. */
  readonly sizes: RecentMap<{ readonly size: number; readonly until: number }> = new RecentMap(MAX_REMEMBERED)
  readonly #closing = new AbortController()

  constructor(options: CoreOptions) {
    this.options = options
  }

  /** Aborts when the cache is closed. */
  get signal(): AbortSignal {
    return this.#closing.signal
  }

  local({ localName }: Claim): Repository {
    return this.options.backend.repository(localName)
  }

  remote({ upstream, remoteName }: Claim): Repository {
    return upstream.backend.repository(remoteName)
  }

  /** Whether somebody pushed this here: the cache did not bring it. */
  isPushed(content: ContentType, { localName }: Claim, digest: Digest): boolean {
    return this.options.writable && !this.options.keeper.ledger.has(content, localName, digest)
  }

  tellOf(
    claim: Claim,
    content: ContentType,
    reference: string,
    fact: { readonly type: 'hit' | 'miss' } | { readonly type: 'pulled' | 'pushed'; readonly bytes: number },
  ): void {
    const event = { ...fact, content, upstream: claim.upstream.name, repository: claim.localName, reference }
    this.options.statistics.tell(event as PullThroughEvent) // each fact is one of the events without what they share
  }

  /** Ends what runs, and waits until it has. */
  async close(): Promise<void> {
    const reason = new Error('the pull-through cache was closed')
    this.#closing.abort(reason)
    const fills = [...this.fills.values()]
    for (const fill of fills) fill.abort(reason)
    await Promise.all(fills.map((fill) => fill.ended))
  }
}

export function keyOf({ localName }: Claim, reference: string): string {
  return `${localName}@${reference}`
}
