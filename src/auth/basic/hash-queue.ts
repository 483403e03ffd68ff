import { RegistryError } from '../../errors.ts'

/**
 * Runs a few at once and lets a bounded number wait. Hashing is done by the threads that files are read and written by as well: those
 * have to be left some.
 */
export class HashQueue {
  readonly #concurrency: number
  readonly #maxWaiting: number
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(concurrency: number, maxWaiting: number) {
    this.#concurrency = concurrency
    this.#maxWaiting = maxWaiting
  }

  /** @throws `RegistryError` `TOOMANYREQUESTS` when too many wait already */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#concurrency) this.#running++
    else await this.#turn()
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next() // who waited takes the place over
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length < this.#maxWaiting) return new Promise((resolve) => this.#waiting.push(resolve))
    throw new RegistryError('TOOMANYREQUESTS', {
      message: 'too many logins at once: try again',
      headers: { 'retry-after': '1' },
    })
  }
}
