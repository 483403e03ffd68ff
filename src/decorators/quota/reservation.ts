import { Readable } from 'node:stream'
import type { ByteSource } from '../../bytes.ts'
import { RegistryError } from '../../errors.ts'
import type { Account } from './account.ts'
import { QuotaExceededError } from './limits.ts'

/** An account that has to have room for something, and how much there may be in it. */
export interface Share {
  readonly account: Account
  readonly maxBytes: number
}

/** Room for something that is on its way, in every account that it goes into. Once closed, it has none and gets none. */
export class Reservation {
  readonly #shares: readonly Share[]
  #bytes = 0
  /** Of those, what there was room for when they came. */
  #admitted = 0
  #announced = 0
  #isClosed = false

  constructor(shares: readonly Share[]) {
    this.#shares = shares
  }

  /** Whether there is a limit at all. */
  get isLimited(): boolean {
    return this.#shares.length > 0
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Bytes that are to come in all, as far as anybody said. */
  get announced(): number {
    return this.#announced
  }

  /** Makes room for what is about to begin. @throws {@link QuotaExceededError}: where nothing is left, it need not */
  async announce(bytes: number | undefined): Promise<void> {
    await this.growTo(bytes ?? 1)
    this.#announced = bytes ?? 0
  }

  /**
   * Makes room for so many bytes in all.
   *
   * @throws {@link QuotaExceededError} and then keeps what it had; `BLOB_UPLOAD_UNKNOWN` where it is closed: somebody else ended the upload
   */
  async growTo(bytes: number): Promise<void> {
    if (!this.#isClosed && bytes <= this.#admitted) return
    const more = () => Math.max(0, bytes - this.#bytes)
    for (const { account, maxBytes } of this.#shares) await account.findRoom(more, maxBytes)
    if (this.#isClosed) throw new RegistryError('BLOB_UPLOAD_UNKNOWN')
    const full = this.#shares.find(({ account, maxBytes }) => !account.fits(more(), maxBytes))
    if (full !== undefined) {
      const { account, maxBytes } = full
      const used = account.used - this.#bytes
      throw new QuotaExceededError(account.holder, { limit: maxBytes, used, requested: bytes })
    }
    this.admit(bytes)
  }

  /** Makes room for what needs none, as it is there already, whether there is room or not. */
  admit(bytes: number): void {
    this.hold(bytes)
    if (!this.#isClosed) this.#admitted = Math.max(this.#admitted, bytes)
  }

  /** Counts what has come already; there may be no room for it. */
  hold(bytes: number): void {
    if (!this.#isClosed && bytes > this.#bytes) this.#set(bytes)
  }

  /** Gives back what is more than so many bytes. */
  shrinkTo(bytes: number): void {
    if (bytes < this.#bytes) this.#set(bytes)
    this.#admitted = Math.min(this.#admitted, bytes)
  }

  close(): void {
    this.#set(0)
    this.#isClosed = true
  }

  /** What it was for is stored, with so many bytes. */
  stored(bytes: number): void {
    this.close()
    for (const { account } of this.#shares) account.add(bytes)
  }

  /**
   * Passes on what there is room for.
   *
   * @param offset - bytes that came before
   */
  async *metered(content: AsyncIterable<Uint8Array>, offset: number): AsyncGenerator<Uint8Array> {
    let end = offset
    // Failing must not destroy the request: its socket carries the answer.
    for await (const chunk of content instanceof Readable ? content.iterator({ destroyOnReturn: false }) : content) {
      end += chunk.byteLength
      await this.growTo(end)
      yield chunk
    }
  }

  #set(bytes: number): void {
    const more = bytes - this.#bytes
    for (const { account } of this.#shares) {
      if (more > 0) account.reserve(more)
      else account.release(-more)
    }
    this.#bytes = bytes
  }
}

/** How many bytes a source has, where that is known before it is read. */
export function sizeOf(content: ByteSource | undefined, size: number | undefined): number | undefined {
  if (content === undefined) return 0
  return content instanceof Uint8Array ? content.byteLength : size
}
