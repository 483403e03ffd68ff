import type { AppendOptions, CommitOptions, Upload } from '../../backend.ts'
import { awaitErrors, type ByteSource } from '../../bytes.ts'
import { RegistryError } from '../../errors.ts'
import type { Descriptor } from '../../spec/descriptor.ts'
import type { Digest } from '../../spec/digest.ts'
import { QuotaExceededError } from './limits.ts'
import { type Reservation, sizeOf } from './reservation.ts'
import { makeRoom } from './store.ts'

export interface QuotaUploadOptions {
  readonly inner: Upload
  /** Runs a request of it with the room that was made for it so far, in this request or one before. */
  readonly during: <T>(step: (reservation: Reservation, isAlone: () => boolean) => Promise<T>) => Promise<T>
  /** Of a blob that is in the repository already, so that it takes no room. */
  readonly sizeOf: (digest: Digest) => Promise<number | undefined>
  /** Gives its room away. */
  readonly end: () => Promise<void>
}

/** An upload that ends as soon as there is no room for it. */
export class QuotaUpload implements Upload {
  readonly id: string
  readonly startedAt: Date
  readonly #options: QuotaUploadOptions

  constructor(options: QuotaUploadOptions) {
    this.#options = options
    this.id = options.inner.id
    this.startedAt = options.inner.startedAt
  }

  get offset(): number {
    return this.#options.inner.offset
  }

  async append(content: ByteSource, options: AppendOptions = {}): Promise<number> {
    awaitErrors(content)
    return this.#within(async (reservation) => {
      const size = sizeOf(content, options.size)
      // Bytes for another place are none that will be taken.
      const isHere = options.at === undefined || options.at === this.offset
      if (size !== undefined && isHere) await reservation.growTo(this.offset + size)
      return this.#options.inner.append(this.#metered(content, reservation), options)
    })
  }

  async commit(digest: Digest, options: CommitOptions = {}): Promise<Descriptor> {
    const { last } = options
    if (last !== undefined) awaitErrors(last)
    const descriptor = await this.#within(async (reservation) => {
      const { inner } = this.#options
      const bytes = this.offset + (sizeOf(last, options.size) ?? 0)
      await makeRoom(reservation, { bytes, sizeIfThere: () => this.#options.sizeOf(digest) })
      const metered = last !== undefined && { last: this.#metered(last, reservation) }
      const committed = await inner.commit(digest, { ...options, ...metered })
      reservation.stored(committed.size)
      return committed
    })
    await this.#options.end()
    return descriptor
  }

  async cancel(): Promise<void> {
    await this.#options.inner.cancel()
    await this.#options.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.inner[Symbol.asyncDispose]()
  }

  /** What was received of something that does not fit goes, and of what has ended another way. */
  #within<T>(step: (reservation: Reservation) => Promise<T>): Promise<T> {
    return this.#options.during(async (reservation, isAlone) => {
      try {
        const result = await step(reservation)
        // Another one may have asked for more meanwhile, and was refused.
        if (isAlone()) reservation.shrinkTo(Math.max(this.offset, reservation.announced))
        return result
      } catch (error) {
        if (ENDS.some((code) => RegistryError.is(error, code))) await this.#options.end()
        else if (isAlone()) {
          // What cannot be removed now goes when it is old; the client has its answer either way.
          if (error instanceof QuotaExceededError) await this.cancel().catch(() => {})
          // Of a request that was broken off, the rest will not come.
          else reservation.shrinkTo(this.offset)
        }
        throw error
      }
    })
  }

  #metered(content: ByteSource, reservation: Reservation): ByteSource {
    if (content instanceof Uint8Array || !reservation.isLimited) return content
    return reservation.metered(content, this.offset)
  }
}

/** After these, there is no upload any more. */
const ENDS = ['DIGEST_INVALID', 'BLOB_UPLOAD_UNKNOWN'] as const
