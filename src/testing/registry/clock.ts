import { setTimeout } from 'node:timers/promises'

/** What a test registry tells the time by: when tokens expire, when limits are lifted, how long an answer is held back. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Rejects when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: Date.now,
  sleep: (ms, signal) => setTimeout(ms, undefined, { ref: false, ...(signal && { signal }) }),
}

export interface ManualClock extends Clock {
  /** Lets time pass, and wakes who has slept long enough. */
  advance(ms: number): void
  /** How many sleep now. */
  readonly sleeping: number
}

/**
 * A clock that stands still until it is told otherwise.
 *
 * @param now - milliseconds since 1970 at its beginning. Default: 1 January 2020.
 */
export function manualClock(now: number = Date.UTC(2020, 0)): ManualClock {
  const sleepers = new Set<{ readonly until: number; readonly wake: () => void }>()
  let time = now
  return {
    now: () => time,
    get sleeping() {
      return sleepers.size
    },
    advance(ms) {
      time += ms
      for (const sleeper of [...sleepers]) if (sleeper.until <= time) sleeper.wake()
    },
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error)
        if (ms <= 0) return resolve()
        const done = () => {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', onAbort)
        }
        const onAbort = () => {
          done()
          reject(signal?.reason as Error)
        }
        const sleeper = {
          until: time + ms,
          wake: () => {
            done()
            resolve()
          },
        }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', onAbort)
      })
    },
  }
}
