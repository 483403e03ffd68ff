interface SharedCall<T> {
  readonly result: Promise<T>
  readonly controller: AbortController
  waiting: number
}

/**
 * Makes one call of those with the same key that are made at the same time. A caller that leaves takes nothing from the others; the
 * call ends when all have left.
 */
export class SharedCalls<T> {
  readonly #calls = new Map<string, SharedCall<T>>()

  /** @param signal - of this caller; its reason is thrown */
  async run(key: string, call: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    const shared = this.#calls.get(key) ?? this.#start(key, call)
    shared.waiting++
    try {
      return await untilAborted(shared.result, signal)
    } finally {
      const isUnderWay = this.#calls.get(key) === shared
      if (--shared.waiting === 0 && isUnderWay) {
        this.#calls.delete(key)
        shared.controller.abort()
      }
    }
  }

  #start(key: string, call: (signal: AbortSignal) => Promise<T>): SharedCall<T> {
    const controller = new AbortController()
    const shared = { controller, waiting: 0, result: call(controller.signal) }
    this.#calls.set(key, shared)
    const forget = () => {
      if (this.#calls.get(key) === shared) this.#calls.delete(key)
    }
    shared.result.then(forget, forget)
    return shared
  }
}

async function untilAborted<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return result
  let leave = () => {}
  const aborted = new Promise<never>((_, reject) => {
    // The reason is what the caller gave, an error or not.
    leave = () => reject(signal.reason as Error)
    signal.addEventListener('abort', leave, { once: true })
  })
  try {
    return await Promise.race([result, aborted])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
