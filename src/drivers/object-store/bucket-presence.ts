/** For how long an answer about an object shows that its bucket is there. */
const SEEN_MS = 30_000

/**
 * Whether "no such object" can be believed: some stores answer the same where the bucket is missing, which is an outage. A
 * bucket of which something was seen lately is there.
 */
export class BucketPresence {
  readonly #ask: (signal: AbortSignal | undefined) => Promise<void>
  #seenAt = Number.NEGATIVE_INFINITY

  /** @param ask - rejects when the bucket is not there */
  constructor(ask: (signal: AbortSignal | undefined) => Promise<void>) {
    this.#ask = ask
  }

  seen(): void {
    this.#seenAt = performance.now()
  }

  /** @throws what `ask` does */
  async require(signal: AbortSignal | undefined): Promise<void> {
    if (performance.now() - this.#seenAt < SEEN_MS) return
    await this.#ask(signal)
    this.seen()
  }
}
