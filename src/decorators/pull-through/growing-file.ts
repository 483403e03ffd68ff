import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'

/** What a reader reads at once, and reads ahead of its consumer at most, in bytes. */
const READ_BYTES = 128 * 1024

/**
 * A temporary file that one writes while any number read: each at its own pace, from the start or from anywhere, waiting at the end for
 * more. It has no name from the moment it is open, so that nothing of it outlives the process; it belongs to whoever made it, who closes
 * it when nobody reads it any longer.
 *
 * The last byte is held back until the writer has vouched for the whole: nobody can read all of what turns out to be wrong.
 */
export class GrowingFile {
  /** Bytes, when it is whole. */
  readonly size: number
  readonly #file: FileHandle
  #written = 0
  #isWhole = false
  #failure: Error | undefined
  readonly #waiting = new Set<() => void>()

  private constructor(file: FileHandle, size: number) {
    this.#file = file
    this.size = size
  }

  static async create(directory: string, size: number): Promise<GrowingFile> {
    const path = join(directory, `wharfage-${randomUUID()}`)
    const file = await open(path, 'wx+', 0o600)
    try {
      await unlink(path)
    } catch (error) {
      await file.close()
      throw error
    }
    return new GrowingFile(file, size)
  }

  /** Bytes that the writer has brought. */
  get written(): number {
    return this.#written
  }

  /** Bytes that can be read now. */
  get readable(): number {
    return this.#isWhole ? this.size : Math.min(this.#written, Math.max(this.size - 1, 0))
  }

  async append(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.byteLength; ) {
      const { bytesWritten } = await this.#file.write(chunk, done, chunk.byteLength - done, this.#written)
      done += bytesWritten
      this.#written += bytesWritten
    }
    this.#wake()
  }

  /** Everything is there and right. */
  complete(): void {
    this.#isWhole = true
    this.#wake()
  }

  /** There will be no more: every reader that wants more than there is fails with `error`. */
  fail(error: Error): void {
    this.#failure = error
    this.#wake()
  }

  /** @param onClose - called once, when the stream is done with or destroyed */
  read(start: number, end: number, onClose: () => void = () => {}): Readable {
    let position = start
    let wake: (() => void) | undefined
    const next = (stream: Readable): void => {
      wake = undefined
      if (stream.destroyed) return
      const length = Math.min(READ_BYTES, end - position, this.readable - position)
      if (position >= end) stream.push(null)
      else if (length > 0) {
        this.#readAt(position, length).then(
          (chunk) => {
            position += chunk.byteLength
            stream.push(chunk)
          },
          (error: Error) => stream.destroy(error),
        )
      } else if (this.#failure !== undefined) stream.destroy(this.#failure)
      else {
        wake = () => next(stream)
        this.#waiting.add(wake)
      }
    }
    return new Readable({
      highWaterMark: READ_BYTES,
      read() {
        next(this)
      },
      destroy: (error, done) => {
        if (wake !== undefined) this.#waiting.delete(wake)
        onClose()
        done(error)
      },
    })
  }

  /** Waits for what is still being read, and reports nothing: what there was to get has been got. */
  close(): void {
    this.#file.close().catch(() => {})
  }

  async #readAt(position: number, length: number): Promise<Buffer> {
    const chunk = Buffer.allocUnsafe(length)
    const { bytesRead } = await this.#file.read(chunk, 0, length, position)
    if (bytesRead === 0) throw new Error('a temporary file ended before what was written to it')
    return chunk.subarray(0, bytesRead)
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }
}
