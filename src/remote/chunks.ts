import { once } from 'node:events'

/** Bytes handed out in pieces of at most so many, each a stream of its own: for hosts that limit what one request may bring. */
export class Chunks {
  readonly #iterator: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array()

  readonly #signal: AbortSignal | undefined

  /** @param signal - ends the waiting for a source that brings nothing; its reason is thrown */
  constructor(source: AsyncIterable<Uint8Array>, signal?: AbortSignal) {
    this.#iterator = source[Symbol.asyncIterator]()
    this.#signal = signal
  }

  /** Whether no byte is left; reads on until it can tell. */
  async isAtEnd(): Promise<boolean> {
    while (this.#rest.byteLength === 0) {
      const { done, value } = await this.#next()
      if (done === true) return true
      this.#rest = value
    }
    return false
  }

  /** The next piece. To be read to its end before the next one is taken. */
  async *take(bytes: number): AsyncGenerator<Uint8Array> {
    let left = bytes
    while (left > 0 && !(await this.isAtEnd())) {
      const part = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(part.byteLength)
      left -= part.byteLength
      yield part
    }
  }

  /** Lets go of the source, which may be waiting for something still: that is not waited for. */
  close(): void {
    this.#iterator.return?.().catch(() => {})
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    const signal = this.#signal
    if (signal === undefined) return this.#iterator.next()
    signal.throwIfAborted()
    const settled = new AbortController()
    const aborted = once(signal, 'abort', { signal: settled.signal }).then(() => {
      throw signal.reason
    })
    try {
      return await Promise.race([this.#iterator.next(), aborted])
    } finally {
      settled.abort()
    }
  }
}
