import { randomUUID } from 'node:crypto'
import { checkOptions, kindOf } from '../../arguments.ts'
import { RegistryError } from '../../errors.ts'
import type { HttpResponse } from '../../http/message.ts'
import type { Logger } from '../../logger.ts'
import { isRepositoryName } from '../../spec/name.ts'
import type { Access, AccessContext, AccessController } from '../access.ts'
import { MAX_NOTED } from '../basic/basic-access.ts'
import { type FailureLimits, limitFailures } from '../basic/limit-failures.ts'
import { basicChallenge } from '../challenge.ts'
import { type CheckCredentials, type Identity, loggedIn, type Permissions } from '../identity.ts'
import { checkIdentity } from '../identity-access.ts'
import { formatScope } from '../scope.ts'
import { writeAccessClaim } from '../token/claims.ts'
import { tokenAccess } from '../token/token-access.ts'
import { matching, type TokenKeys } from '../token/trusted-key.ts'
import { TokenError, verifyToken } from '../token/verify-token.ts'
import { type OidcIssuer, oidcChecker } from './oidc.ts'
import { generatedKey, type SigningKeyInput, signingKey } from './signing-key.ts'
import { readTokenRequest, type TokenRequest } from './token-request.ts'

export interface TokenIssuerOptions {
  /** Whose a name and a password are. Default: nobody's. */
  readonly check?: CheckCredentials
  /** What they may do, and whoever has not logged in. Default: everything, whoever is logged in. */
  readonly permissions?: Permissions
  /**
   * What signs tokens; of several, the first, while those of the others are taken as well. Default: a key made for this process alone,
   * whose tokens no other takes, and which end with it.
   */
  readonly keys?: SigningKeyInput | readonly SigningKeyInput[]
  /** What the registry is called in tokens. Default: `wharfage`. */
  readonly service?: string
  /** Who gives them out. Default: `service`. */
  readonly issuer?: string
  /**
   * Where clients find the token service, and send passwords to. Default: `/v2/_wharfage/token` of the registry itself, as they have
   * addressed it; behind a proxy with TLS, that takes `publicUrl` or `trustedProxies` of the mount, or it would be `http:`.
   */
  readonly realm?: string | URL
  /** How long a token is good for, whatever becomes of its bearer meanwhile: at least 60. Default: 300. */
  readonly tokenSeconds?: number
  /**
   * Who somebody is by now that was given a refresh token: their groups, or `undefined` when they are gone; with another `revision` than
   * that of before, the token is worth nothing. Without it there are no refresh tokens, and clients keep the password.
   */
  readonly identity?: (subject: string, context: AccessContext) => Identity | undefined | Promise<Identity | undefined>
  /** Default: 30 days. */
  readonly refreshTokenSeconds?: number
  /**
   * Others whose tokens are taken for passwords, with any user name. What they call somebody is a name like those of `check`: let `identity`
   * put something before it where the two must not meet.
   */
  readonly oidc?: readonly OidcIssuer[]
  /** When an address that sends wrong passwords has to wait. */
  readonly failures?: FailureLimits
  /** Told of keys that cannot be fetched. Default: warnings and errors to standard error. */
  readonly logger?: Logger
  /** @internal Milliseconds since 1970. */
  readonly date?: () => number
}

export interface TokenIssuer extends AccessController {
  token(...given: Parameters<NonNullable<AccessController['token']>>): Promise<HttpResponse>
  /** The public halves of its keys, for other registries that are to take its tokens. */
  jwks(): { readonly keys: readonly object[] }
}

const LEEWAY_SECONDS = 60

/**
 * A registry that gives out its own tokens, as Docker's specification has it: for a name and a password, for a refresh token, for a token
 * of a CI system, and without credentials for what everybody may. A token is for what was asked for and is allowed, no more.
 *
 * Needs the package `jose`.
 *
 * @throws `TypeError` for options that make no sense
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */
export function tokenIssuer(options: TokenIssuerOptions = {}): TokenIssuer {
  const { check, permissions, keys, service, issuer, realm, tokenSeconds, identity, refreshTokenSeconds, oidc, date } =
    checked(options)
  const [signer] = keys
  const ownKeys: TokenKeys = {
    find: async (hint) =>
      matching(
        keys.map(({ trusted }) => trusted),
        hint,
      ),
  }
  const issuers = [{ issuer, keys: ownKeys }]
  const refreshAudience = `${service} refresh`
  const access = tokenAccess({
    ...{ service, issuers, leewaySeconds: LEEWAY_SECONDS, date },
    realm: realm ?? (({ baseUrl }) => `${baseUrl}/v2/_wharfage/token`),
  })

  const refuse = (message: string): RegistryError =>
    new RegistryError('UNAUTHORIZED', { message, headers: { 'www-authenticate': basicChallenge(service) } })

  const sign = (subject: string, audience: string, seconds: number, type: string, more: object = {}) => {
    const now = Math.floor(date() / 1000)
    const times = { iat: now, nbf: now, exp: now + seconds }
    return signer.sign({ iss: issuer, sub: subject, aud: audience, ...times, jti: randomUUID(), ...more }, type)
  }

  const ofRefreshToken = async (token: string, context: AccessContext): Promise<Identity> => {
    const expected = { issuers, audience: refreshAudience, leewaySeconds: LEEWAY_SECONDS, type: REFRESH_TYPE, date }
    const { sub, revision } = await verifyToken(token, expected)
    const found = typeof sub === 'string' && sub !== '' ? await identity?.(sub, context) : undefined
    if (found === undefined || found === null) throw new TokenError('of somebody who is not there any more')
    if (checkIdentity(found).subject !== sub) {
      throw new TypeError('the option "identity" answered with somebody else than it was asked for')
    }
    if (found.revision !== revision) throw new TokenError('of before a change of the password')
    return found
  }

  /** `undefined`: anonymous. */
  const identify = async (proof: TokenRequest['proof'], context: AccessContext): Promise<Identity | undefined> => {
    if (proof.kind === 'none') {
      if (permissions.grantsAnonymous !== false) return undefined
      throw refuse('a name and a password are needed')
    }
    if (proof.kind === 'password') context.note({ username: proof.username.slice(0, MAX_NOTED) })
    try {
      if (proof.kind === 'refresh') return await ofRefreshToken(proof.token, context)
      if (oidc.claims(proof.password)) return await oidc.identify(proof.password)
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      context.note({ token: error.message })
      throw refuse('this token is not valid here')
    }
    const found = await check(proof, context)
    if (found === undefined || found === null) throw refuse('wrong name or password')
    return checkIdentity(found)
  }

  const granted = async (who: Identity | undefined, asked: readonly Access[]): Promise<readonly Access[]> => {
    const answers = await Promise.all(asked.map(async (access) => (await permissions(who, access)) === true))
    return asked.filter((_, i) => answers[i])
  }

  return {
    authorize: (...given) => access.authorize(...given),
    jwks: () => ({ keys: keys.map(({ jwk }) => jwk) }),
    token: async (request, context) => {
      const { proof, service: wanted, asked, offline } = await readTokenRequest(request)
      if (wanted !== undefined && wanted !== service) {
        const message = `tokens are given out here for ${JSON.stringify(service)} alone`
        throw new RegistryError('UNSUPPORTED', { status: 400, message })
      }
      const who = await identify(proof, context)
      const allowed = await granted(who, expanded(asked))
      context.note({ ...(who && { subject: who.subject }), granted: formatScope(allowed) })
      const token = await sign(who?.subject ?? '', service, tokenSeconds, 'JWT', { access: writeAccessClaim(allowed) })
      if (token.length > MAX_GIVEN_LENGTH) {
        const message = 'too much is asked for at once: ask for a token for each repository'
        throw new RegistryError('UNSUPPORTED', { status: 400, message })
      }
      const isRenewable = offline && identity !== undefined && proof.kind === 'password' && !oidc.claims(proof.password)
      const refreshToken =
        who !== undefined && isRenewable
          ? await sign(who.subject, refreshAudience, refreshTokenSeconds, REFRESH_TYPE, { revision: who.revision })
          : undefined
      return answer({
        ...{ token, access_token: token, token_type: 'Bearer', scope: formatScope(allowed) },
        ...{ expires_in: tokenSeconds, issued_at: new Date(date()).toISOString() },
        ...(refreshToken !== undefined && { refresh_token: refreshToken }),
        ...(proof.kind === 'refresh' && { refresh_token: proof.token }),
      })
    },
  }
}

const REFRESH_TYPE = 'refresh+jwt'

/** In characters. Servers refuse requests whose headers have 16 KiB together, Node's among them; a longer token could not be used. */
const MAX_GIVEN_LENGTH = 12 * 1024

/** `*` asks for whatever there is; names that no repository can have are for nothing. */
function expanded(asked: readonly Access[]): readonly Access[] {
  return asked
    .filter(({ type, name }) => type !== 'repository' || isRepositoryName(name))
    .flatMap((access): readonly Access[] =>
      access.type === 'repository' && access.action === '*'
        ? (['pull', 'push', 'delete'] as const).map((action) => ({ ...access, action }))
        : [access],
    )
}

function answer(content: object): HttpResponse {
  const body = `${JSON.stringify(content)}\n`
  return {
    status: 200,
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'cache-control': 'no-store',
      pragma: 'no-cache',
    },
    body,
  }
}

const NAMES = {
  ...{ check: true, permissions: true, keys: true, service: true, issuer: true, realm: true, tokenSeconds: true },
  ...{ identity: true, refreshTokenSeconds: true, oidc: true, failures: true, logger: true, date: false },
} as const

function checked(options: TokenIssuerOptions) {
  checkOptions('tokenIssuer()', options, NAMES)
  const { check, oidc, keys, identity, realm, service = 'wharfage', issuer = service } = options
  for (const [name, value] of Object.entries({ check, identity, permissions: options.permissions })) {
    if (value === undefined || typeof value === 'function') continue
    throw new TypeError(`the option "${name}" must be a function, not ${kindOf(value)}`)
  }
  for (const [name, value] of Object.entries({ service, issuer })) {
    if (typeof value === 'string' && value !== '') continue
    throw new TypeError(`the option "${name}" must be a text, not ${kindOf(value)}`)
  }
  if (oidc !== undefined && !Array.isArray(oidc)) {
    throw new TypeError(`the option "oidc" must be a list, not ${kindOf(oidc)}`)
  }
  const { tokenSeconds = 300, refreshTokenSeconds = 30 * 24 * 3600, date = Date.now } = options
  if (!Number.isSafeInteger(refreshTokenSeconds) || refreshTokenSeconds <= 0) {
    throw new TypeError(
      `the option "refreshTokenSeconds" must be a number of seconds, not ${kindOf(refreshTokenSeconds)}`,
    )
  }
  // Docker's clients take a shorter life for 60.
  if (!Number.isSafeInteger(tokenSeconds) || tokenSeconds < 60) {
    throw new TypeError(`the option "tokenSeconds" must be an integer of at least 60, not ${kindOf(tokenSeconds)}`)
  }
  const inputs: readonly SigningKeyInput[] = keys === undefined ? [] : Array.isArray(keys) ? keys : [keys]
  const [first = generatedKey(), ...others] = inputs.map(signingKey)
  return {
    ...{ service, issuer, realm, identity, tokenSeconds, refreshTokenSeconds, date },
    keys: [first, ...others] as const,
    permissions: options.permissions ?? loggedIn,
    check: limitFailures(check ?? (() => undefined), options.failures),
    oidc: oidcChecker(oidc ?? [], {
      leewaySeconds: LEEWAY_SECONDS,
      date,
      ...(options.logger && { logger: options.logger }),
    }),
  }
}
