/** The same guess, by requests that came before the first of them was answered. */
interface Together {
  requests: number
  hasFailed: boolean
}

/** One request's part in what is being checked. Ends once, however it was answered. */
export interface PendingGuess {
  /** Whether this is the first failure of those that came together. */
  fail(): boolean
  end(): void
}

/** What is being checked at the moment, by key. The same guess at the same time is one. */
export class PendingGuesses {
  readonly #byKey = new Map<string, Map<string, Together>>()

  /** Keys at which something is being checked. */
  get size(): number {
    return this.#byKey.size
  }

  /** How many there are at a key besides this one. */
  others(key: string, guess: string): number {
    const pending = this.#byKey.get(key)
    return pending === undefined ? 0 : pending.size - (pending.has(guess) ? 1 : 0)
  }

  begin(key: string, guess: string): PendingGuess {
    const pending = this.#byKey.get(key) ?? new Map<string, Together>()
    const running = pending.get(guess)
    // Who comes after the answer counts anew, or a chain of overlapping requests would count once for ever.
    const together = running === undefined || running.hasFailed ? { requests: 0, hasFailed: false } : running
    together.requests++
    this.#byKey.set(key, pending.set(guess, together))
    return {
      fail: () => {
        const isFirst = !together.hasFailed
        together.hasFailed = true
        return isFirst
      },
      end: () => {
        together.requests--
        if (together.requests > 0 || pending.get(guess) !== together) return
        pending.delete(guess)
        if (pending.size === 0) this.#byKey.delete(key)
      },
    }
  }
}
