import { createHash } from 'node:crypto'
import { checkOptions, kindOf } from '../../arguments.ts'
import { RegistryError } from '../../errors.ts'
import { headerOf } from '../../http/headers.ts'
import type { HttpRequest } from '../../http/message.ts'
import type { Access, AccessContext, AccessController, Grant } from '../access.ts'
import { authorizationOf } from '../authorization.ts'
import { type BearerChallenge, bearerChallenge } from '../challenge.ts'
import { SIGNING_ALGORITHMS } from './algorithms.ts'
import { holds } from './claims.ts'
import { readClaims, TokenError, type TrustedIssuer, type VerifiedToken, verifyToken } from './verify-token.ts'

export interface TokenAccessOptions {
  /** What this registry is called by its issuers: the `aud` of their tokens. */
  readonly service: string
  /** Where clients fetch tokens. */
  readonly realm: string | URL | ((context: AccessContext) => string)
  readonly issuers: readonly TrustedIssuer[]
  /** How far the clocks of issuers may be from ours. Default: 60. */
  readonly leewaySeconds?: number
  /** @internal Milliseconds since 1970. */
  readonly date?: () => number
}

/** A token that was verified so many milliseconds ago is verified anew: its key may be trusted no longer. */
const VERIFIED_FOR_MS = 60_000
const MAX_VERIFIED = 1000

/**
 * Tokens as Docker's clients fetch them from a service of yours. What a token says is what its bearer may do until it expires.
 *
 * Needs the package `jose`.
 *
 * @throws `TypeError` for options that make no sense
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */
export function tokenAccess(options: TokenAccessOptions): AccessController {
  const { service, realm, issuers, leewaySeconds, date } = checked(options)
  const verified = new VerifiedTokens(date)
  const refuse = (required: readonly Access[], context: AccessContext, error?: BearerChallenge['error']) => {
    const url = typeof realm === 'function' ? realm(context) : String(realm)
    const challenge = bearerChallenge({ realm: url, service, required, ...(error !== undefined && { error }) })
    return new RegistryError('UNAUTHORIZED', { headers: { 'www-authenticate': challenge } })
  }

  return {
    authorize: async (request, required, context) => {
      const authorization = authorizationOf(request)
      if (authorization.scheme !== 'bearer') {
        throw refuse(required, context, isBearer(request) ? 'invalid_token' : undefined)
      }
      let token = verified.get(authorization.token)
      if (token === undefined) {
        try {
          const settings = { issuers, audience: service, leewaySeconds, date }
          token = readClaims(await verifyToken(authorization.token, settings))
        } catch (error) {
          if (!(error instanceof TokenError)) throw error
          context.note({ token: error.message })
          throw refuse(required, context, 'invalid_token')
        }
        verified.add(authorization.token, token)
      }
      const grant = grantOf(token)
      // A client fetches another one then; with 403 it would give up.
      if (!required.every((access) => holds(token.access, access))) {
        if (token.subject !== undefined) context.note({ subject: token.subject })
        throw refuse(required, context, 'insufficient_scope')
      }
      return grant
    },
  }
}

/** Whether there was meant to be a token, if only one that cannot be read. */
function isBearer(request: HttpRequest): boolean {
  return /^bearer\b/i.test(headerOf(request, 'authorization') ?? '')
}

function grantOf({ subject, access }: VerifiedToken): Grant {
  return {
    subject,
    allows: (asked) => holds(access, asked),
    // Whoever may list the catalog sees all of it, as at Distribution: a token cannot list what else its bearer may pull.
    visible: (names) => names,
  }
}

/** For the many requests of one pull. Never later than a token says itself. */
class VerifiedTokens {
  readonly #date: () => number
  readonly #tokens = new Map<string, { readonly token: VerifiedToken; readonly until: number }>()

  constructor(date: () => number) {
    this.#date = date
  }

  get(text: string): VerifiedToken | undefined {
    const found = this.#tokens.get(keyOf(text))
    return found !== undefined && this.#date() < found.until ? found.token : undefined
  }

  add(text: string, token: VerifiedToken): void {
    const key = keyOf(text)
    this.#tokens.delete(key)
    this.#tokens.set(key, { token, until: Math.min(token.expires, this.#date() + VERIFIED_FOR_MS) })
    for (const oldest of this.#tokens.keys()) {
      if (this.#tokens.size <= MAX_VERIFIED) break
      this.#tokens.delete(oldest)
    }
  }
}

function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}

function checked(options: TokenAccessOptions) {
  checkOptions('tokenAccess()', options, {
    ...{ service: true, realm: true, issuers: true, leewaySeconds: true },
    date: false,
  })
  const { service, realm, issuers, leewaySeconds = 60, date = Date.now } = options ?? {}
  if (typeof service !== 'string' || service === '') {
    throw new TypeError(`the option "service" must be the name of this registry in tokens, not ${kindOf(service)}`)
  }
  if (typeof realm !== 'function' && !/^https?:/.test(URL.canParse(String(realm)) ? new URL(realm).protocol : '')) {
    throw new TypeError(`the option "realm" must be the URL of a token service, not ${kindOf(realm)}`)
  }
  if (!Array.isArray(issuers) || issuers.length === 0) {
    throw new TypeError('the option "issuers" must be a list: [{ issuer, keys: jwksUrl({ url }) }]')
  }
  for (const one of issuers) checkIssuer(one)
  if (new Set(issuers.map(({ issuer }) => issuer)).size < issuers.length) {
    throw new TypeError('the option "issuers" has the same issuer twice: give it the keys of both')
  }
  if (!Number.isSafeInteger(leewaySeconds) || leewaySeconds < 0) {
    throw new TypeError(`the option "leewaySeconds" must be a number of seconds, not ${kindOf(leewaySeconds)}`)
  }
  return { service, realm, issuers: issuers as readonly TrustedIssuer[], leewaySeconds, date }
}

/** @throws `TypeError` */
export function checkIssuer(one: TrustedIssuer): void {
  const { issuer, keys, algorithms = SIGNING_ALGORITHMS } = one ?? {}
  if (typeof issuer !== 'string' || issuer === '') {
    throw new TypeError(`an issuer must have its name, the "iss" of its tokens, not ${kindOf(issuer)}`)
  }
  if (typeof keys?.find !== 'function') {
    throw new TypeError(
      `the keys of ${issuer} must be those of jwksFile(), jwksUrl() or certificates(), not ${kindOf(keys)}`,
    )
  }
  const wrong = algorithms.find((each) => !SIGNING_ALGORITHMS.includes(each))
  if (wrong !== undefined) {
    throw new TypeError(`the algorithm ${kindOf(wrong)} is none of ${SIGNING_ALGORITHMS.join(', ')}`)
  }
}
