import { setTimeout as delay } from 'node:timers/promises'
import { RegistryError } from '../../errors.ts'
import { readRetryAfter } from '../../spec/retry-after.ts'
import { isRetryable } from './refusal.ts'

export interface RetryOptions {
  /** Tries of one request, the first among them. Default: 5. */
  readonly attempts?: number
  /** Longest wait between two tries, in milliseconds; a registry that asks for more is not asked again. Default: 30,000. */
  readonly maxDelayMs?: number
  /** Waits; for tests. Default: a timer. */
  readonly sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<void>
}

/** The first wait, in milliseconds; each later one is twice as long, before jitter. */
const FIRST_DELAY_MS = 200

/** Tries again what failed for a while: no answer, 429, and what gateways say. Waits as long as it is told to. */
export class Retries {
  readonly attempts: number
  readonly #maxDelayMs: number
  readonly #sleep: NonNullable<RetryOptions['sleep']>

  constructor({ attempts = 5, maxDelayMs = 30_000, sleep = timer }: RetryOptions = {}) {
    this.attempts = attempts
    this.#maxDelayMs = maxDelayMs
    this.#sleep = sleep
  }

  /** @param signal - ends the waiting; its reason is thrown */
  async run<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        return await attempt()
      } catch (error) {
        const wait = tried < this.attempts ? this.delayAfter(error, tried) : undefined
        if (wait === undefined || signal?.aborted) throw error
        await this.#sleep(wait, signal)
      }
    }
  }

  /** Milliseconds to wait before the next try; `undefined` when there should be none. */
  delayAfter(error: unknown, tried: number): number | undefined {
    if (!RegistryError.is(error) || !isRetryable(error.code)) return undefined
    const asked = readRetryAfter(error.headers['retry-after'])
    if (asked !== undefined) return asked <= this.#maxDelayMs ? asked : undefined
    const longest = Math.min(FIRST_DELAY_MS * 2 ** (tried - 1), this.#maxDelayMs)
    // Those who failed together do not come back together.
    return longest / 2 + (Math.random() * longest) / 2
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#sleep(ms, signal)
  }
}

async function timer(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, { ...(signal && { signal }) })
  } catch (error) {
    throw signal?.aborted ? signal.reason : error
  }
}
