import { createHmac, randomBytes } from 'node:crypto'

/** Remembers for a short time what has been verified, by a hash under a key that nobody else has: never a password. */
export class VerifiedCredentials {
  readonly #key = randomBytes(32)
  readonly #ttlMs: number
  readonly #maxEntries: number
  readonly #now: () => number
  /** By {@link keyOf}, when it is forgotten; oldest first. */
  readonly #until = new Map<string, number>()

  constructor(options: { readonly ttlMs: number; readonly maxEntries: number; readonly now: () => number }) {
    this.#ttlMs = options.ttlMs
    this.#maxEntries = options.maxEntries
    this.#now = options.now
  }

  /** @param parts - what has to be the same, the stored hash among it: with a new password, the old one is forgotten */
  keyOf(...parts: readonly string[]): string {
    const hmac = createHmac('sha256', this.#key)
    for (const part of parts) hmac.update(`${Buffer.byteLength(part)}:`).update(part)
    return hmac.digest('base64')
  }

  has(key: string): boolean {
    return (this.#until.get(key) ?? Number.NEGATIVE_INFINITY) > this.#now()
  }

  add(key: string): void {
    this.#until.delete(key)
    this.#until.set(key, this.#now() + this.#ttlMs)
    if (this.#until.size <= this.#maxEntries) return
    for (const oldest of this.#until.keys()) {
      this.#until.delete(oldest)
      break
    }
  }
}
