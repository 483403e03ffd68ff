import { Readable } from 'node:stream'
import type { ByteSource } from '../../bytes.ts'
import type { Account } from './account.ts'
import { QuotaExceededError } from './limits.ts'

/** An account that has to have room for something, and how much there may be in it. */
export interface Share {
  readonly account: Account
  readonly maxBytes: number
}

/** Room for something that is on its way, in every account that it goes into. */
export class Reservation {
  readonly #shares: readonly Share[]
  #bytes = 0

  constructor(shares: readonly Share[]) {
    this.#shares = shares
  }

  /** Whether there is a limit at all. */
  get isLimited(): boolean {
    return this.#shares.length > 0
  }

  /** Makes room for so many bytes in all. @throws {@link QuotaExceededError} and then keeps what it had */
  async growTo(bytes: number): Promise<void> {
    const more = Math.max(0, bytes - this.#bytes)
    for (const { account, maxBytes } of this.#shares) {
      if (!account.fits(more, maxBytes)) await account.countBeforeRefusal()
    }
    const full = this.#shares.find(({ account, maxBytes }) => !account.fits(more, maxBytes))
    if (full !== undefined) {
      const { account, maxBytes } = full
      const used = account.used - this.#bytes
      throw new QuotaExceededError(account.holder, { limit: maxBytes, used, requested: bytes })
    }
    this.hold(bytes)
  }

  /** The same for what is stored already, whether there is room or not. */
  hold(bytes: number): void {
    const more = bytes - this.#bytes
    if (more <= 0) return
    for (const { account } of this.#shares) account.reserve(more)
    this.#bytes = bytes
  }

  release(): void {
    for (const { account } of this.#shares) account.release(this.#bytes)
    this.#bytes = 0
  }

  /** What it was for is stored, with so many bytes. */
  stored(bytes: number): void {
    this.release()
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
}

/** How many bytes a source has, where that is known before it is read. */
export function sizeOf(content: ByteSource | undefined, size: number | undefined): number | undefined {
  if (content === undefined) return 0
  return content instanceof Uint8Array ? content.byteLength : size
}
