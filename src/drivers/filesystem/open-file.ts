import type { FileOps } from './file-ops.ts'

/** A file descriptor with an owner: closed once, whoever asks and how often, and never under a read. */
export class OpenFile {
  readonly fd: number
  readonly #ops: FileOps
  #reading: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | undefined

  constructor(ops: FileOps, fd: number) {
    this.#ops = ops
    this.fd = fd
  }

  /** Fills `length` bytes of `buffer` from `position` of the file. Rejects when the file ends before. */
  readFully(buffer: Uint8Array, length: number, position: number): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the body was disposed of already'))
    const reading = this.#readFully(buffer, length, position)
    this.#reading = reading
    return reading
  }

  /** @throws what the file system says of bytes that it took but cannot keep */
  close(): Promise<void> {
    this.#closed ??= this.#reading.then(ignore, ignore).then(() => this.#ops.close(this.fd))
    return this.#closed
  }

  /** Closes a file that was only read, of which a close has nothing to say. */
  release(): Promise<void> {
    return this.close().catch(ignore)
  }

  async #readFully(buffer: Uint8Array, length: number, position: number): Promise<void> {
    for (let done = 0; done < length; ) {
      const count = await this.#ops.read(this.fd, buffer, done, length - done, position + done)
      if (count === 0) throw new Error(`the file ended at byte ${position + done}, before its stated size`)
      done += count
    }
  }
}

function ignore(): void {}
