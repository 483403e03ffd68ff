import type { ByteSource } from '../bytes.ts'

/** Takes bytes off a source in pieces of another size than it brings them, holding one of its chunks at a time. */
export class ByteQueue {
  readonly #source: AsyncIterator<Uint8Array>
  #chunk: Uint8Array = EMPTY
  #ended = false
  #position = 0

  constructor(source: ByteSource) {
    this.#source = source instanceof Uint8Array ? once(source) : source[Symbol.asyncIterator]()
  }

  /** Bytes that were taken. */
  get position(): number {
    return this.#position
  }

  /** What has arrived, up to `maxBytes` of it; `undefined` at the end. Never empty. */
  async some(maxBytes: number): Promise<Uint8Array | undefined> {
    while (this.#chunk.byteLength === 0) {
      if (this.#ended) return undefined
      const { done, value } = await this.#source.next()
      if (done) {
        this.#ended = true
        return undefined
      }
      this.#chunk = value
    }
    const taken = this.#chunk.subarray(0, maxBytes)
    this.#chunk = this.#chunk.subarray(taken.byteLength)
    this.#position += taken.byteLength
    return taken
  }

  /** Takes back the end of what was taken last. */
  giveBack(bytes: Uint8Array): void {
    if (bytes.byteLength > 0) this.#chunk = bytes
    this.#position -= bytes.byteLength
  }

  /** Exactly `length` bytes, or what there is before the end, where it comes sooner. */
  async exactly(length: number): Promise<Uint8Array> {
    const first = (await this.some(length)) ?? EMPTY
    if (first.byteLength === length) return first
    const pieces = [first]
    let missing = length - first.byteLength
    while (missing > 0) {
      const piece = await this.some(missing)
      if (piece === undefined) break
      pieces.push(piece)
      missing -= piece.byteLength
    }
    return Buffer.concat(pieces)
  }

  /** Reads over `length` bytes. @returns how many of them there were not */
  async skip(length: number): Promise<number> {
    let missing = length
    while (missing > 0) {
      const piece = await this.some(missing)
      if (piece === undefined) break
      missing -= piece.byteLength
    }
    return missing
  }

  /** Lets go of the source, whether it has ended or not. */
  async close(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#chunk = EMPTY
    await this.#source.return?.()
  }
}

const EMPTY = new Uint8Array()

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content
}
