interface Window {
  failures: number
  readonly ends: number
}

export interface FailureWindowsOptions {
  /** From the first failure, in milliseconds. */
  readonly windowMs: number
  /** Beyond them, those that end first are forgotten. */
  readonly maxWindows: number
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number
}

/** How many failures each key has had, for as long as they count. Windows that have ended go with the next look at any. */
export class FailureWindows {
  readonly #windowMs: number
  readonly #maxWindows: number
  readonly #now: () => number
  /** All are as long, so the first is the oldest. */
  readonly #windows = new Map<string, Window>()

  constructor(options: FailureWindowsOptions) {
    this.#windowMs = options.windowMs
    this.#maxWindows = options.maxWindows
    this.#now = options.now
  }

  get size(): number {
    return this.#windows.size
  }

  /** The failures of a key, and in how many milliseconds they are forgotten. */
  of(key: string): { readonly failures: number; readonly endsInMs: number } {
    const now = this.#forgetEnded()
    const { failures, ends } = this.#windows.get(key) ?? { failures: 0, ends: now }
    return { failures, endsInMs: ends - now }
  }

  add(key: string): void {
    const now = this.#forgetEnded()
    const window = this.#windows.get(key)
    if (window !== undefined) window.failures++
    else this.#windows.set(key, { failures: 1, ends: now + this.#windowMs })
    this.#forget(() => this.#windows.size > this.#maxWindows)
  }

  delete(key: string): void {
    this.#windows.delete(key)
  }

  #forgetEnded(): number {
    const now = this.#now()
    this.#forget(({ ends }) => ends <= now)
    return now
  }

  #forget(isToGo: (window: Window) => boolean): void {
    for (const [key, window] of this.#windows) {
      if (!isToGo(window)) return
      this.#windows.delete(key)
    }
  }
}
