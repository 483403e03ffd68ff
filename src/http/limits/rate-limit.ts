import { checkOptions, kindOf } from '../../arguments.ts'
import { RegistryError } from '../../errors.ts'
import { clientKey } from './client-key.ts'

export interface RateLimit {
  /** Requests per second that anybody may go on sending. */
  readonly perSecond: number
  /** Requests at once, after a pause. Default: those of ten seconds. */
  readonly burst?: number
}

/** Counts requests of principals, and of addresses for those that are anonymous or not let in. */
export interface RateLimiter {
  /**
   * To be called before anybody looks who it is: until then, a request counts for its address, so that guessing is limited too.
   *
   * @throws {@link RegistryError} `TOOMANYREQUESTS` with `retry-after`
   */
  arrived(address: string | undefined): void
  /**
   * To be called once somebody was let in. A request of a principal counts for it alone, unless it is one too many: then for its address
   * as well.
   *
   * @throws {@link RegistryError} `TOOMANYREQUESTS` with `retry-after`
   */
  letIn(subject: string | undefined, address: string | undefined): void
}

/** Clients that are remembered; of one more, the longest unseen is forgotten, and may begin anew. */
const MAX_CLIENTS = 100_000

/** @throws `TypeError` for options that make no sense */
export function createRateLimiter(options: RateLimit | undefined): RateLimiter | undefined {
  if (options === undefined) return undefined
  checkOptions('"rateLimit"', options, { perSecond: true, burst: true })
  const { perSecond, burst = Math.max(1, perSecond * 10) } = options
  checkRate('perSecond', perSecond, 0)
  checkRate('burst', burst, 1)
  const buckets = new Buckets(perSecond / 1000, burst)
  const take = (key: string): void => {
    const waitMs = buckets.take(key)
    if (waitMs <= 0) return
    throw new RegistryError('TOOMANYREQUESTS', {
      detail: { perSecond },
      headers: { 'retry-after': String(Math.ceil(waitMs / 1000)) },
    })
  }
  return {
    arrived: (address) => take(clientKey(undefined, address)),
    letIn: (subject, address) => {
      if (subject === undefined) return
      // In this order, or whoever has used theirs up would go on asking at nobody's expense.
      take(clientKey(subject, address))
      buckets.giveBack(clientKey(undefined, address))
    },
  }
}

function checkRate(name: string, value: unknown, least: number): void {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0 && value >= least) return
  const expected = least === 0 ? 'a number above 0' : `a number, ${least} or more`
  throw new TypeError(`the option "rateLimit.${name}" must be ${expected}, not ${kindOf(value)}`)
}

interface Bucket {
  level: number
  /** In milliseconds of the monotonic clock. */
  at: number
}

/** A token bucket for each client; one that is full is as good as none. */
class Buckets {
  readonly #perMs: number
  readonly #size: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(perMs: number, size: number) {
    this.#perMs = perMs
    this.#size = size
  }

  /** Takes one. @returns 0, or, where there is none, the milliseconds until there is */
  take(key: string): number {
    const now = performance.now()
    const level = this.#level(this.#buckets.get(key), now)
    if (level < 1) return (1 - level) / this.#perMs
    this.#buckets.delete(key)
    this.#buckets.set(key, { level: level - 1, at: now })
    this.#forget(now)
    return 0
  }

  giveBack(key: string): void {
    const now = performance.now()
    const bucket = this.#buckets.get(key)
    if (bucket === undefined) return
    bucket.level = Math.min(this.#size, this.#level(bucket, now) + 1)
    bucket.at = now
  }

  /** Those that are full, as far as they are the longest unseen, and those that are too many. */
  #forget(now: number): void {
    for (const [oldest, bucket] of this.#buckets) {
      if (this.#buckets.size <= MAX_CLIENTS && this.#level(bucket, now) < this.#size) return
      this.#buckets.delete(oldest)
    }
  }

  #level(bucket: Bucket | undefined, now: number): number {
    if (bucket === undefined) return this.#size
    return Math.min(this.#size, bucket.level + (now - bucket.at) * this.#perMs)
  }
}
