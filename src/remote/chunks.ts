import type { ByteSource } from '../bytes.ts'

/** Bytes handed out in pieces of at most so many, each a stream of its own: for hosts that limit what one request may bring. */
export class Chunks {
  readonly #iterator: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array()

  constructor(source: ByteSource) {
    this.#iterator = (source instanceof Uint8Array ? only(source) : source)[Symbol.asyncIterator]()
  }

  /** Whether no byte is left; reads on until it can tell. */
  async isAtEnd(): Promise<boolean> {
    while (this.#rest.byteLength === 0) {
      const { done, value } = await this.#iterator.next()
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

  /** Lets go of the source. */
  async close(): Promise<void> {
    await this.#iterator.return?.()
  }
}

async function* only(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content
}
