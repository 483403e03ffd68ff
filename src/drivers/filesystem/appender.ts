import type { BufferPool } from './buffer-pool.ts'
import type { FileOps } from './file-ops.ts'

interface Filled {
  readonly buffer: Buffer
  readonly length: number
}

/**
 * Copies what arrives into large buffers and writes those at explicit positions, one being written while the next one
 * fills. `observe` gets exactly the bytes that are in the file, in order, and, where it can be, while the next are written.
 */
export class Appender {
  readonly #ops: FileOps
  readonly #fd: number
  readonly #pool: BufferPool
  readonly #observe: ((bytes: Uint8Array) => void) | undefined
  #position: number
  #filling: Buffer | undefined
  #filled = 0
  /** Resolves, never rejects, when the write in flight is over. */
  #writing: Promise<void> | undefined
  #written: Filled | undefined
  #isAwaited = false
  #accepting: Promise<void> | undefined
  #failed: { readonly error: unknown } | undefined

  constructor(
    ops: FileOps,
    fd: number,
    options: { position: number; pool: BufferPool; observe: ((bytes: Uint8Array) => void) | undefined },
  ) {
    this.#ops = ops
    this.#fd = fd
    this.#position = options.position
    this.#pool = options.pool
    this.#observe = options.observe
  }

  /** Where the next byte would go in the file: all before it are written. */
  get position(): number {
    return this.#position
  }

  /** Takes a chunk, which must not change until the promise, if there is one, resolves. @throws what a write failed with */
  accept(chunk: Uint8Array): Promise<void> | undefined {
    for (let offset = 0; ; ) {
      if (this.#failed) throw this.#failed.error
      offset += this.#fill(chunk, offset)
      const isFull = this.#filling !== undefined && this.#filled === this.#filling.byteLength
      if (isFull && this.#writing) {
        this.#accepting = this.#acceptLater(chunk.subarray(offset))
        return this.#accepting
      }
      if (isFull) this.#startWrite()
      if (offset === chunk.byteLength) return undefined
    }
  }

  /**
   * Writes what is left, then runs `sync`. To be called once, also after a failure, of the source or of our own: what came
   * before it is written, unless writing is what failed. @throws what a write, `observe` or `sync` failed with
   */
  async finish(sync: () => Promise<unknown>): Promise<void> {
    // Whoever was feeding us may have stopped waiting, at the abort of a signal.
    await this.#accepting?.catch(() => {})
    await this.#awaitWrite()
    if (this.#filling && !this.#failed) this.#startWrite()
    this.#observeWritten()
    await this.#awaitWrite()
    if (this.#filling) this.#pool.give(this.#filling)
    this.#filling = undefined
    const synced = sync()
    synced.catch(() => {})
    this.#observeWritten()
    await synced
    if (this.#failed) throw this.#failed.error
  }

  #fill(chunk: Uint8Array, offset: number): number {
    if (offset === chunk.byteLength) return 0
    this.#filling ??= this.#pool.take()
    const length = Math.min(this.#filling.byteLength - this.#filled, chunk.byteLength - offset)
    this.#filling.set(length === chunk.byteLength ? chunk : chunk.subarray(offset, offset + length), this.#filled)
    this.#filled += length
    return length
  }

  async #acceptLater(rest: Uint8Array): Promise<void> {
    await this.#awaitWrite()
    if (!this.#failed) this.#startWrite()
    this.#observeWritten()
    await this.accept(rest)
  }

  #startWrite(): void {
    const { buffer, length } = { buffer: this.#filling, length: this.#filled }
    if (!buffer) return
    this.#filling = undefined
    this.#filled = 0
    this.#writing = this.#write(buffer, length)
  }

  async #write(buffer: Buffer, length: number): Promise<void> {
    let done = 0
    try {
      while (done < length) {
        const count = await this.#ops.write(this.#fd, buffer, done, length - done, this.#position)
        this.#position += count
        done += count
      }
    } catch (error) {
      this.#failed ??= { error }
    }
    this.#writing = undefined
    this.#written = { buffer, length: done }
    // Whoever waits for us has the next write to start first.
    if (!this.#isAwaited) this.#observeWritten()
  }

  async #awaitWrite(): Promise<void> {
    this.#isAwaited = true
    await this.#writing
    this.#isAwaited = false
  }

  #observeWritten(): void {
    const written = this.#written
    if (!written) return
    this.#written = undefined
    try {
      if (written.length > 0) this.#observe?.(written.buffer.subarray(0, written.length))
    } catch (error) {
      this.#failed ??= { error }
    }
    this.#pool.give(written.buffer)
  }
}
