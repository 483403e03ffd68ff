import { Readable, type Writable } from 'node:stream'
import { SinkWriter } from '../../bytes/sink-writer.ts'
import type { ByteBody, ByteStream } from '../../bytes.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { OpenFile } from './open-file.ts'

/** Up to here a body is one read and one write. */
const SMALL_BYTES = 64 * 1024

/** What a stream reads at once; its buffers go to the consumer, so they are not pooled. */
const STREAM_BYTES = 128 * 1024

/** Looks at the bytes of a body as they are read, in order. What it throws fails the body before its last bytes are given. */
export interface BodyInspector {
  update(bytes: Uint8Array): void
  /** Called once all bytes have been seen. */
  end(): void
}

/** A stretch of an open file; owns the file. */
export class FileBody implements ByteBody {
  readonly size: number
  readonly #file: OpenFile
  readonly #start: number
  readonly #pool: BufferPool
  readonly #inspector: BodyInspector | undefined

  constructor(file: OpenFile, pool: BufferPool, start: number, size: number, inspector?: BodyInspector) {
    this.#file = file
    this.#pool = pool
    this.#start = start
    this.#inspector = inspector
    this.size = size
  }

  stream(): ByteStream {
    const file = this.#file
    const end = this.#start + this.size
    const inspect = (bytes: Uint8Array, at: number): void => this.#inspect(bytes, at)
    let position = this.#start
    return new Readable({
      highWaterMark: STREAM_BYTES,
      read() {
        if (position === end) {
          this.push(null)
          return
        }
        const chunk = Buffer.allocUnsafeSlow(Math.min(STREAM_BYTES, end - position))
        file
          .readFully(chunk, chunk.byteLength, position)
          .then(() => {
            inspect(chunk, position)
            position += chunk.byteLength
            this.push(chunk)
          })
          .catch((error: Error) => this.destroy(error))
      },
      destroy(error, done) {
        void file.release().then(() => done(error))
      },
    })
  }

  async sendTo(sink: Writable, signal?: AbortSignal): Promise<void> {
    const writer = new SinkWriter(sink, signal)
    try {
      if (this.size <= SMALL_BYTES) await this.#sendSmall(writer)
      else await this.#sendLarge(writer)
    } finally {
      writer.release()
      // Not waited for: nobody would learn anything from it.
      void this.#file.release()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#file.release()
  }

  async #sendSmall(writer: SinkWriter): Promise<void> {
    if (this.size === 0) return
    const content = Buffer.allocUnsafe(this.size)
    await this.#file.readFully(content, this.size, this.#start)
    this.#inspect(content, this.#start)
    await writer.write(content)
  }

  /** Two buffers: one is read into while the sink takes the other. */
  async #sendLarge(writer: SinkWriter): Promise<void> {
    const end = this.#start + this.size
    let reading: Buffer | undefined
    let writing: { readonly buffer: Buffer; readonly taken: Promise<void> } | undefined
    try {
      for (let position = this.#start; position < end; ) {
        reading ??= this.#pool.take()
        const length = Math.min(reading.byteLength, end - position)
        await this.#file.readFully(reading, length, position)
        this.#inspect(reading.subarray(0, length), position)
        position += length
        await writing?.taken
        const free: Buffer | undefined = writing?.buffer
        writing = { buffer: reading, taken: writer.write(reading.subarray(0, length)) }
        // It is awaited, but only after the next read, which may fail first.
        writing.taken.catch(() => {})
        reading = free
      }
      await writing?.taken
      if (writing) this.#pool.give(writing.buffer)
    } catch (error) {
      // The socket may be sending it yet, although nobody will ever tell us.
      if (writing) this.#pool.drop(writing.buffer)
      throw error
    } finally {
      if (reading) this.#pool.give(reading)
    }
  }

  #inspect(bytes: Uint8Array, position: number): void {
    this.#inspector?.update(bytes)
    if (position + bytes.byteLength === this.#start + this.size) this.#inspector?.end()
  }
}
