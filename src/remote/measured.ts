import { createHash, type Hash } from 'node:crypto'
import { pipeline, Readable, Transform, type TransformCallback } from 'node:stream'
import type { ByteSource } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import { type Digest, type DigestAlgorithm, finishDigest } from '../spec/digest.ts'

export interface MeasuredOptions {
  /** What was announced: one byte more or less is `SIZE_INVALID`, before the registry takes it for whole. */
  readonly size?: number | undefined
  /** Hashes as the bytes pass. */
  readonly algorithm?: DigestAlgorithm | undefined
}

/** Bytes on their way, counted. */
export class Measured extends Transform {
  /** How many have passed. */
  bytes = 0
  readonly #size: number | undefined
  readonly #algorithm: DigestAlgorithm | undefined
  readonly #hash: Hash | undefined

  /** Takes over `source`: it is destroyed with this stream. */
  static of(source: ByteSource, options: MeasuredOptions): Measured {
    const measured = new Measured(options)
    const readable =
      source instanceof Readable
        ? source
        : Readable.from(source instanceof Uint8Array ? [source] : source, { objectMode: false })
    // What goes wrong shows on the stream itself.
    pipeline(readable, measured, () => {})
    return measured
  }

  private constructor({ size, algorithm }: MeasuredOptions) {
    super({ highWaterMark: 1024 * 1024 })
    this.#size = size
    this.#algorithm = algorithm
    this.#hash = algorithm && createHash(algorithm)
  }

  /** Of what has passed; once, after the end. `undefined` where nothing is hashed. */
  digest(): Digest | undefined {
    return this.#algorithm && this.#hash && finishDigest(this.#algorithm, this.#hash)
  }

  override _transform(chunk: Uint8Array, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.byteLength
    if (this.#size !== undefined && this.bytes > this.#size) done(wrongSize(this.#size, this.bytes))
    else {
      this.#hash?.update(chunk)
      done(null, chunk)
    }
  }

  override _flush(done: TransformCallback): void {
    if (this.#size !== undefined && this.bytes < this.#size) done(wrongSize(this.#size, this.bytes))
    else done()
  }
}

export function wrongSize(expected: number, received: number): RegistryError {
  return new RegistryError('SIZE_INVALID', { detail: { expected, received } })
}
