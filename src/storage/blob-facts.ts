import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../logger.ts'
import { type Digest, isDigest } from '../spec/digest.ts'
import type { DescriptorCache } from './descriptor-cache.ts'

/** Data is immutable under its digest, but another program may remove it: for so long we may tell of a blob that it took. */
const FACT_TTL_MS = 10 * 60 * 1000
/** A cache that takes longer is of no use. */
const ANSWER_MS = 250
/** For how long a cache that failed is left alone: its failing must not slow every pull. */
const REST_MS = 1_000
/** Between two lines in the log about a cache that fails. */
const COMPLAINT_MS = 60_000

/** What is known of the data of a blob. */
export interface BlobFact {
  /** The digest under which the data lies. */
  readonly target: Digest
  /** Bytes. */
  readonly size: number
}

/**
 * What a cache knows of blobs, and how far that may be believed. Two kinds of entry: the data of a digest, which is the same for
 * every repository and says nothing of who may see it; and, only where the operator chose a time-to-live, that a repository
 * shows a digest. Whatever fails is a miss.
 */
export class BlobFacts {
  readonly #cache: DescriptorCache
  readonly #linkTtlMs: number
  readonly #logger: Logger
  #asksAgainAt = Number.NEGATIVE_INFINITY
  #complainedAt = Number.NEGATIVE_INFINITY

  constructor(cache: DescriptorCache, linkTtlMs: number, logger: Logger) {
    this.#cache = cache
    this.#linkTtlMs = linkTtlMs
    this.#logger = logger
  }

  async get(digest: Digest): Promise<BlobFact | undefined> {
    return parseFact(await this.#ask(() => this.#cache.get(dataKey(digest))))
  }

  async remember(digest: Digest, { target, size }: BlobFact): Promise<void> {
    await this.#ask(() => this.#cache.set(dataKey(digest), JSON.stringify({ target, size }), { ttlMs: FACT_TTL_MS }))
  }

  async forget(digest: Digest): Promise<void> {
    await this.#try(() => this.#cache.delete(dataKey(digest)))
  }

  /** Whether `repository` was seen to show `digest`, within the time-to-live. */
  async isShown(repository: string, digest: Digest): Promise<boolean> {
    if (this.#linkTtlMs === 0) return false
    return (await this.#ask(() => this.#cache.get(linkKey(repository, digest)))) === SHOWN
  }

  async show(repository: string, digest: Digest): Promise<void> {
    if (this.#linkTtlMs === 0) return
    await this.#ask(() => this.#cache.set(linkKey(repository, digest), SHOWN, { ttlMs: this.#linkTtlMs }))
  }

  async hide(repository: string, digest: Digest): Promise<void> {
    if (this.#linkTtlMs === 0) return
    await this.#try(() => this.#cache.delete(linkKey(repository, digest)))
  }

  async #ask<T>(ask: () => Promise<T>): Promise<T | undefined> {
    return performance.now() < this.#asksAgainAt ? undefined : this.#try(ask)
  }

  async #try<T>(ask: () => Promise<T>): Promise<T | undefined> {
    const timer = new AbortController()
    try {
      const late = delay(ANSWER_MS, undefined, { ref: false, signal: timer.signal }).then(
        () => {
          throw new Error(`no answer within ${ANSWER_MS} ms`)
        },
        () => new Promise<never>(() => {}),
      )
      return await Promise.race([ask(), late])
    } catch (err) {
      const now = performance.now()
      this.#asksAgainAt = now + REST_MS
      if (now - this.#complainedAt > COMPLAINT_MS) {
        this.#complainedAt = now
        this.#logger.warn({ err }, 'the descriptor cache fails; the storage is asked instead')
      }
      return undefined
    } finally {
      timer.abort()
    }
  }
}

const SHOWN = 'shown'

function dataKey(digest: Digest): string {
  return `data:${digest}`
}

function linkKey(repository: string, digest: Digest): string {
  return `link:${repository}@${digest}`
}

/** A shared cache is not ours alone: what is not exactly a fact is none. */
function parseFact(text: string | undefined): BlobFact | undefined {
  if (typeof text !== 'string' || text.length > 1_000) return undefined
  try {
    const { target, size } = JSON.parse(text) as { readonly target?: unknown; readonly size?: unknown }
    if (typeof target !== 'string' || !isDigest(target)) return undefined
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined
    return { target, size }
  } catch {
    return undefined
  }
}
