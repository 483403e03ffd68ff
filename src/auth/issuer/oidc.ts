import { checkOptions, kindOf } from '../../arguments.ts'
import { consoleLogger, type Logger } from '../../logger.ts'
import type { Identity } from '../identity.ts'
import { checkIdentity } from '../identity-access.ts'
import type { SigningAlgorithm } from '../token/algorithms.ts'
import { checkKeyUrl, fetchKeys, fetchText, remoteKeys } from '../token/jwks-url.ts'
import { checkIssuer } from '../token/token-access.ts'
import type { TokenKeys } from '../token/trusted-key.ts'
import { type Claims, readHints, TokenError, type VerifyOptions, verifyToken } from '../token/verify-token.ts'

/** Tokens that somebody else gives out to workloads, a CI system say, taken for a password. */
export interface OidcIssuer {
  /** Of GitHub: `https://token.actions.githubusercontent.com`; of GitLab, its own URL. */
  readonly issuer: string
  /** What the workload asked for its token for: a name that you choose, and give to nobody else. */
  readonly audience: string | readonly string[]
  /**
   * Which of its workloads are let in: an issuer has those of everybody. `celCondition()` makes one of a text. Anything but `true`, and
   * whatever it throws, is a no.
   */
  readonly condition: (claims: Claims) => boolean | Promise<boolean>
  /** Who a workload is. Default: the `sub` of its token. */
  readonly identity?: (claims: Claims) => Identity | Promise<Identity>
  /** Default: as the issuer publishes them at `/.well-known/openid-configuration`. */
  readonly keys?: TokenKeys
  readonly algorithms?: readonly SigningAlgorithm[]
}

/** What checks a password that is such a token. */
export interface OidcChecker {
  /** Whether a password claims to be one of these tokens, and is no password therefore. */
  claims(password: string): boolean
  /** Why not is for the audit log. @throws {@link TokenError}; `RegistryError` `UNAVAILABLE` */
  identify(token: string): Promise<Identity>
}

/** @throws `TypeError` for options that make no sense */
export function oidcChecker(
  issuers: readonly OidcIssuer[],
  options: Pick<VerifyOptions, 'leewaySeconds' | 'date'> & { readonly logger?: Logger },
): OidcChecker {
  if (new Set(issuers.map((one) => one?.issuer)).size < issuers.length) {
    throw new TypeError(
      'the option "oidc" has the same issuer twice: let one condition say "or", and "identity" who it is',
    )
  }
  const known = new Map(
    issuers.map((one) => [one.issuer, { ...checked(one), keys: one.keys ?? discovered(one, options) }]),
  )
  return {
    claims: (password) => known.has(issuerOf(password) ?? ''),
    identify: async (token) => {
      const trusted = known.get(readHints(token).issuer)
      if (trusted === undefined) throw new TokenError('of an issuer that is not trusted')
      const { audience, condition, identity } = trusted
      const { leewaySeconds, date } = options
      const claims = await verifyToken(token, { issuers: [trusted], audience, leewaySeconds, date })
      if (!(await isLetIn(condition, claims))) throw new TokenError('of a workload that the condition does not let in')
      if (identity !== undefined) return checkIdentity(await identity(claims))
      if (typeof claims.sub !== 'string' || claims.sub === '') throw new TokenError('without a subject')
      return { subject: claims.sub }
    },
  }
}

/** A claim that is missing makes most conditions fail. */
async function isLetIn(condition: OidcIssuer['condition'], claims: Claims): Promise<boolean> {
  try {
    return (await condition(claims)) === true
  } catch (cause) {
    throw new TokenError(`the condition failed: ${(cause as Error).message}`, { cause })
  }
}

function issuerOf(password: string): string | undefined {
  try {
    return readHints(password).issuer
  } catch {
    return undefined
  }
}

const HOUR_MS = 3_600_000

/** @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig */
function discovered({ issuer }: OidcIssuer, { logger = consoleLogger }: { readonly logger?: Logger }): TokenKeys {
  const url = checkKeyUrl('issuer', `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const load = async () => {
    const found = JSON.parse(await fetchText(url, 10_000)) as { readonly issuer?: unknown; readonly jwks_uri?: unknown }
    if (found.issuer !== issuer) throw new Error(`${url.href} is of another issuer`)
    return fetchKeys(checkKeyUrl('jwks_uri', String(found.jwks_uri)), 10_000, logger)
  }
  return remoteKeys({ load, name: issuer, maxAgeMs: HOUR_MS, cooldownMs: 30_000, logger, now: () => performance.now() })
}

function checked(one: OidcIssuer): OidcIssuer {
  checkOptions('"oidc"', one, {
    ...{ issuer: true, audience: true, condition: true, identity: true, keys: true, algorithms: true },
  })
  const { issuer, audience, condition, keys, algorithms } = one ?? {}
  const isAudience = (value: unknown) => typeof value === 'string' && value !== ''
  if (!(Array.isArray(audience) ? audience.length > 0 && audience.every(isAudience) : isAudience(audience))) {
    throw new TypeError(`tokens of ${issuer} need an "audience", the name they are asked for, not ${kindOf(audience)}`)
  }
  if (typeof condition !== 'function') {
    throw new TypeError(
      `tokens of ${issuer} need a "condition", or all of its workloads are let in: await celCondition("repository == 'org/app'")`,
    )
  }
  checkIssuer({ issuer, keys: keys ?? { find: async () => [] }, ...(algorithms && { algorithms }) })
  return one
}
