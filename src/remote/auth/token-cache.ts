import { bearer } from './header.ts'
import { covers, type Scopes } from './scopes.ts'
import type { TokenAnswer } from './token-client.ts'

/** A bearer token of one registry. */
export interface Token {
  readonly text: string
  /** What it was asked for. A token server may have granted less. */
  readonly scopes: Scopes
  /** By the clock of the authenticator, in milliseconds. */
  readonly issuedAt: number
  /** When it is no longer used, a little before it ends. */
  readonly expiresAt: number
}

/** More are forgotten, oldest first: a mirror of a whole registry asks for one per repository. */
const MAX_TOKENS = 1_000

/** The tokens of one registry, newest last. */
export class TokenCache {
  #tokens: readonly Token[] = []

  /** The newest one that covers `scopes`. */
  find(scopes: Scopes, now: number): Token | undefined {
    return this.#tokens.findLast((token) => token.expiresAt > now && covers(token.scopes, scopes))
  }

  /** The one that this header was made of, though it may have ended. */
  named(header: string | undefined): Token | undefined {
    return this.#tokens.findLast((token) => bearer(token.text) === header)
  }

  /** In place of those that it covers, and of those that have ended. */
  add(token: Token, now: number): void {
    const kept = this.#tokens.filter((other) => other.expiresAt > now && !covers(token.scopes, other.scopes))
    this.#tokens = [...kept.slice(-(MAX_TOKENS - 1)), token]
  }

  delete(token: Token): void {
    this.#tokens = this.#tokens.filter((other) => other !== token)
  }
}

/** @see https://distribution.github.io/distribution/spec/auth/token/#token-response-fields */
const MIN_LIFE_MS = 60_000
/** No token server means more. */
const MAX_LIFE_MS = 24 * 60 * 60_000
/** A token is not used right up to its end: a request takes time. A tenth of its life, and at most this. */
const MAX_MARGIN_MS = 30_000

/** How long an answer is good for: by our clock, and by the server's where that makes it end sooner and does not end it at once. */
export function tokenOf(
  { text, expiresInSeconds = MIN_LIFE_MS / 1_000, issuedAt = Number.POSITIVE_INFINITY }: TokenAnswer,
  { scopes, askedAt, now }: { readonly scopes: Scopes; readonly askedAt: number; readonly now: number },
): Token {
  const lifeMs = Math.min(Math.max(expiresInSeconds * 1_000, MIN_LIFE_MS), MAX_LIFE_MS)
  const beganAt = Math.min(askedAt, Math.max(issuedAt, askedAt + MIN_LIFE_MS - lifeMs))
  return { text, scopes, issuedAt: now, expiresAt: beganAt + lifeMs - Math.min(lifeMs / 10, MAX_MARGIN_MS) }
}
