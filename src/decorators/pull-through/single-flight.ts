/** One run for all who want the same at the same time. It belongs to none of them: whoever leaves ends only their own waiting. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>()

  run(key: string, signal: AbortSignal | undefined, start: () => Promise<T>): Promise<T> {
    let flight = this.#running.get(key)
    if (flight === undefined) {
      flight = start().finally(() => this.#running.delete(key))
      flight.catch(() => {}) // all who wait may leave before it fails
      this.#running.set(key, flight)
    }
    return untilAborted(flight, signal)
  }

  /** Resolves when nothing runs. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values())
  }
}

/** Settles as `promise` does, or rejects when `signal` aborts. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
