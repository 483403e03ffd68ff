/** Bytes of a pooled buffer: large enough that a system call per buffer no longer matters. */
const POOLED_BYTES = 1024 * 1024

/** What somebody gets while all pooled ones are out: slower, but a thousand slow clients then hold 64 MiB, not 1 GiB. */
const SPARE_BYTES = 64 * 1024

/** At most so many pooled buffers in use and idle together. */
const MAX_POOLED = 64

/** Kept for the next one; the rest goes to the garbage collector. */
const MAX_IDLE = 16

/** Large buffers, used again and again, for the way between sockets and files. */
export class BufferPool {
  readonly #idle: Buffer[] = []
  #out = 0

  take(): Buffer {
    if (this.#out >= MAX_POOLED) return Buffer.allocUnsafeSlow(SPARE_BYTES)
    this.#out++
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(POOLED_BYTES)
  }

  /** Gives back what `take` gave; nobody may look at it any more. */
  give(buffer: Buffer): void {
    if (this.#lose(buffer) && this.#idle.length < MAX_IDLE) this.#idle.push(buffer)
  }

  /** The same for a buffer that somebody may still be reading: it is not used again. */
  drop(buffer: Buffer): void {
    this.#lose(buffer)
  }

  #lose(buffer: Buffer): boolean {
    if (buffer.byteLength !== POOLED_BYTES) return false
    this.#out--
    return true
  }
}
