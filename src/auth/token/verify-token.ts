import { RegistryError } from '../../errors.ts'
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from './algorithms.ts'
import { readAccessClaim, type TokenAccess } from './claims.ts'
import { loadJose } from './jose.ts'
import type { KeyHint, TokenKeys } from './trusted-key.ts'

/** Somebody whose tokens are taken. */
export interface TrustedIssuer {
  /** The `iss` of its tokens, to the letter. */
  readonly issuer: string
  readonly keys: TokenKeys
  /** Default: all that a key pair allows; never those of a shared secret. */
  readonly algorithms?: readonly SigningAlgorithm[]
}

export interface VerifyOptions {
  readonly issuers: readonly TrustedIssuer[]
  /** One of these has to be the `aud` of a token, or among them. */
  readonly audience: string | readonly string[]
  /** How far clocks may be apart. */
  readonly leewaySeconds: number
  /** What the `typ` of the header has to be. Default: `JWT` or `at+jwt`, or none. */
  readonly type?: string
  /** Milliseconds since 1970. */
  readonly date: () => number
}

export type Claims = Readonly<Record<string, unknown>>

/** Longer ones are not looked at, in characters. */
export const MAX_TOKEN_LENGTH: number = 16 * 1024

/** Why a token is worth nothing; for the audit log, not for whoever sent it. */
export class TokenError extends Error {
  override readonly name = 'TokenError'
}

/**
 * Verifies a JSON Web Token. Of its header, `alg` and `kid` choose among keys that are trusted already, and `x5c` has to lead to a
 * certificate that is; keys and URLs in it (`jwk`, `jku`, `x5u`) are not looked at.
 *
 * Needs the package `jose`.
 *
 * @throws {@link TokenError} for one that is not to be believed
 * @throws `RegistryError` `UNAVAILABLE` where that cannot be told
 */
export async function verifyToken(token: string, options: VerifyOptions): Promise<Claims> {
  const { issuers, audience, leewaySeconds, type, date } = options
  const { issuer, hint, type: typed } = readHints(token)
  const trusted = issuers.find((one) => one.issuer === issuer)
  if (trusted === undefined) throw new TokenError('of an issuer that is not trusted')
  const { keys, algorithms = SIGNING_ALGORITHMS } = trusted
  if (!algorithms.some((each) => each === hint.alg))
    throw new TokenError('signed with an algorithm that is not allowed')
  // RFC 8725 §3.11: an issuer may sign other things as well.
  if (type === undefined && typed !== undefined && !BEARER_TYPES.includes(typed)) {
    throw new TokenError('of a type that lets nobody in')
  }
  const { jwtVerify } = await loadJose()
  const candidates = await keys.find(hint).catch((cause: unknown) => {
    throw new RegistryError('UNAVAILABLE', { message: 'tokens cannot be verified at the moment', cause })
  })
  let problem: unknown
  for (const { key } of candidates) {
    try {
      const { payload } = await jwtVerify(token, key, {
        ...{ issuer: trusted.issuer, audience: [...[audience].flat()], algorithms: [hint.alg] },
        ...{ clockTolerance: leewaySeconds, currentDate: new Date(date()), requiredClaims: ['exp'] },
        ...(type !== undefined && { typ: type }),
      })
      if (Number(payload.iat ?? 0) > Math.floor(date() / 1000) + leewaySeconds) throw new TokenError('from the future')
      return payload
    } catch (error) {
      problem = error
    }
  }
  throw new TokenError(problem instanceof Error ? problem.message : 'signed with a key that is not trusted', {
    cause: problem,
  })
}

/** In lower case, without the `application/` that may be before them. */
const BEARER_TYPES: readonly string[] = ['jwt', 'at+jwt']

/** What a token claims to be, of whom, and how signed: nothing in it is believed yet. */
interface Hints {
  readonly issuer: string
  readonly hint: KeyHint
  /** As in {@link BEARER_TYPES}. */
  readonly type: string | undefined
}

/** @throws {@link TokenError} for what is no signed JSON Web Token */
export function readHints(token: string): Hints {
  if (token.length > MAX_TOKEN_LENGTH) throw new TokenError(`longer than ${MAX_TOKEN_LENGTH} characters`)
  const [header, payload, signature, ...more] = token.split('.')
  if (signature === undefined || more.length > 0) throw new TokenError('not a signed JSON Web Token')
  const { alg, kid, typ, x5c } = decode(header)
  const { iss } = decode(payload)
  if (typeof alg !== 'string' || typeof iss !== 'string') throw new TokenError('without an algorithm, or an issuer')
  if (kid !== undefined && typeof kid !== 'string') throw new TokenError('with a key id that is no text')
  if (typ !== undefined && typeof typ !== 'string') throw new TokenError('with a type that is no text')
  if (x5c !== undefined && !(Array.isArray(x5c) && x5c.every((one) => typeof one === 'string'))) {
    throw new TokenError('with certificates that are none')
  }
  return {
    issuer: iss,
    hint: { alg, ...(kid !== undefined && { kid }), ...(x5c !== undefined && { x5c }) },
    type: typ?.toLowerCase().replace(/^application\//, ''),
  }
}

function decode(part: string | undefined): Claims {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString())
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Claims
  } catch {
    // told below
  }
  throw new TokenError('not a signed JSON Web Token')
}

/** Who has a token of a registry, and what for. */
export interface VerifiedToken {
  readonly subject: string | undefined
  readonly access: TokenAccess
  /** Milliseconds since 1970. */
  readonly expires: number
}

/** @throws {@link TokenError} */
export function readClaims(claims: Claims): VerifiedToken {
  const access = readAccessClaim(claims.access)
  if (access === undefined) throw new TokenError('with an access claim that is none')
  const { sub, exp } = claims
  if (sub !== undefined && typeof sub !== 'string') throw new TokenError('with a subject that is no text')
  return { subject: sub === '' ? undefined : sub, access, expires: Number(exp) * 1000 }
}
