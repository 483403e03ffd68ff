import { createHash, type Hash } from 'node:crypto'
import { Readable } from 'node:stream'
import { RegistryError } from '../errors.ts'
import { algorithmOf, type Digest, finishDigest } from '../spec/digest.ts'
import type { Range } from '../spec/range.ts'
import type { Retries } from './client/retries.ts'

export interface BlobStreamOptions {
  /** What the answer at hand brings. */
  readonly range: Range
  /** Checked at the end of the bytes; only of a whole blob. */
  readonly digest?: Digest
  /** Asks again, from byte `at` on. */
  readonly reopen: (at: number) => Promise<Readable>
  readonly retries: Retries
  readonly signal?: AbortSignal | undefined
}

/** Bytes held between the connection and its reader. */
const BUFFER_BYTES = 1024 * 1024

/**
 * A blob as it arrives, hashed. A connection that breaks is made again where it broke off: what has a digest has not changed since.
 * Fails with `DIGEST_INVALID` at the end of other bytes, before its reader can take them for whole.
 */
export class BlobStream extends Readable {
  readonly #options: BlobStreamOptions
  readonly #hash: Hash | undefined
  #source: Readable | undefined
  #at: number
  /** Breaks since the last byte came. */
  #broken = 0

  constructor(first: Readable, options: BlobStreamOptions) {
    super({ highWaterMark: BUFFER_BYTES })
    const { digest, range } = options
    this.#options = options
    this.#at = range.start
    this.#hash = digest && createHash(algorithmOf(digest))
    // It may fail before its reader is there, who then meets the error; with nobody to hear it, the process would end.
    this.on('error', () => {})
    this.#read(first)
  }

  override _read(): void {
    this.#source?.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#source?.destroy()
    done(error)
  }

  #read(source: Readable): void {
    this.#source = source
    let isOver = false
    const over = (cause?: unknown) => {
      if (isOver || this.destroyed) return
      isOver = true
      this.#source = undefined
      if (this.#at === this.#options.range.end) this.#finish()
      else this.#resume(cause).catch((error: Error) => this.destroy(error))
    }
    source.on('data', (chunk: Buffer) => this.#take(chunk, source))
    source.once('end', over).once('error', over).once('close', over)
    source.pause()
  }

  #take(chunk: Buffer, source: Readable): void {
    if (this.destroyed) return
    if (chunk.byteLength > this.#options.range.end - this.#at) {
      this.destroy(new RegistryError('SIZE_INVALID', { message: 'the registry sends more bytes than it announced' }))
      return
    }
    this.#at += chunk.byteLength
    this.#broken = 0
    this.#hash?.update(chunk)
    if (this.#at === this.#options.range.end && !this.#isRight()) return
    if (!this.push(chunk)) source.pause()
  }

  #finish(): void {
    const { start, end } = this.#options.range
    // Where there is none, nothing came to be checked with.
    if (start < end || this.#isRight()) this.push(null)
  }

  /** At the end of the bytes, before the last of them are handed on: whoever counts would take those that are wrong for whole. */
  #isRight(): boolean {
    const { digest } = this.#options
    const found = digest && this.#hash && finishDigest(algorithmOf(digest), this.#hash)
    if (found !== digest) this.destroy(otherBytes(digest, found))
    return found === digest
  }

  async #resume(cause: unknown): Promise<void> {
    const { retries, reopen, signal } = this.#options
    signal?.throwIfAborted()
    if (this.destroyed) return
    const error = new RegistryError('UNAVAILABLE', { message: `the registry broke off at byte ${this.#at}`, cause })
    this.#broken += 1
    const wait = this.#broken < retries.attempts ? retries.delayAfter(error, this.#broken) : undefined
    if (wait === undefined) throw error
    await retries.sleep(wait, signal)
    if (this.destroyed) return
    const source = await reopen(this.#at)
    if (this.destroyed) source.destroy()
    else {
      this.#read(source)
      source.resume()
    }
  }
}

/** What a registry sent under a digest is something else. */
export function otherBytes(expected: string | undefined, found: string | undefined): RegistryError {
  return new RegistryError('DIGEST_INVALID', {
    message: `the registry sends other content than ${expected}: it is ${found}`,
  })
}
