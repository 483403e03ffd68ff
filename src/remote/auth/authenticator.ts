import type { IncomingHttpHeaders } from 'node:http'
import type { OperationContext } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import type { CredentialSource, Credentials } from '../credentials/credentials.ts'
import { type JudgedUrl, judgeUrl } from '../transport/named-url.ts'
import type { Send } from '../transport/send.ts'
import type { UrlRules } from '../transport/url-rules.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import { basic, bearer } from './header.ts'
import { KnownCredentials } from './known-credentials.ts'
import { refusalMessage } from './refusals.ts'
import { covers, formatScopes, parseScopes, repositoryOf, type Scopes } from './scopes.ts'
import { SharedCalls } from './shared-calls.ts'
import { type Token, TokenCache, tokenOf } from './token-cache.ts'
import { type TokenAnswer, TokenClient } from './token-client.ts'

export interface AuthenticatorOptions {
  /** As in references, and as credentials are filed: `docker.io`. */
  readonly name: string
  /** For URLs. What `authorization` returns is for the origin of `rules.registry`, and for no other. */
  readonly rules: UrlRules
  readonly send: Send
  /** Default: none; what is open to everybody can be read. */
  readonly credentials?: CredentialSource
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: () => number
}

/** An answer with status 401, from the registry's own origin. */
export interface Challenged {
  readonly headers: IncomingHttpHeaders
  /** The `authorization` that was refused: many requests may be under way, and another may have learnt meanwhile. */
  readonly sent: string | undefined
}

/** A token server, as the registry last named it. */
interface Realm {
  readonly url: JudgedUrl
  readonly service: string | undefined
}

/** A request that was refused. */
interface Refused {
  readonly wanted: Scopes
  readonly sent: string | undefined
  readonly context: OperationContext
}

/** A token that is refused at this age or below is no better asked for again. */
const FRESH_MS = 10_000
/** Of scopes that get a password though others get tokens; then they are learnt anew. */
const MAX_BASIC_SCOPES = 1_000

/**
 * Logs in to one registry: learns from its refusals which way, and from then on knows what to send before it is asked. It sends nothing
 * until then, so that a registry that is open is told nobody's password.
 */
export class Authenticator {
  readonly #name: string
  readonly #rules: UrlRules
  readonly #now: () => number
  readonly #known: KnownCredentials
  readonly #client: TokenClient
  readonly #tokens = new TokenCache()
  readonly #fetches = new SharedCalls<Token>()
  #realm: Realm | undefined
  #wantsLogin = false
  #takesPasswords = false
  /** Scopes that get a password in spite of {@link #realm}: Harbor's catalog takes no token. */
  readonly #basicScopes = new Set<string>()

  constructor({ name, rules, send, credentials = anonymous, now = Date.now }: AuthenticatorOptions) {
    this.#name = name
    this.#rules = rules
    this.#now = now
    this.#known = new KnownCredentials(name, credentials, now)
    this.#client = new TokenClient({ name, rules, send })
  }

  /**
   * The header for a request to the registry's own origin; `undefined` when none is known to be needed.
   *
   * @param scopes - as the token specification has them: `repository:team/app:pull`
   * @throws {@link RegistryError} `UNAUTHORIZED` and `DENIED` when the token server refuses, `TOOMANYREQUESTS` and `UNAVAILABLE` when
   * it cannot, and what the source of credentials throws
   */
  async authorization(scopes: readonly string[], context: OperationContext = {}): Promise<string | undefined> {
    if (!this.#wantsLogin) return undefined
    const wanted = parseScopes(scopes)
    const credentials = await this.#known.get(repositoryOf(wanted), context)
    const realm = this.#realmFor(wanted)
    if (realm === undefined || isRegistryToken(credentials)) return this.#without(credentials)
    const token = this.#tokens.find(wanted, this.#now()) ?? (await this.#fetch(realm, wanted, context))
    return bearer(token.text)
  }

  /**
   * Learns from a 401.
   *
   * @returns whether to send the request again, with what {@link authorization} then says: `true` for something that was not sent yet,
   * so that a request ends after a password or a token that was new
   * @throws {@link RegistryError} as {@link authorization} does, and `DENIED` for a token server that may not be called
   */
  async challenged(
    { headers, sent }: Challenged,
    scopes: readonly string[],
    context: OperationContext = {},
  ): Promise<boolean> {
    this.#wantsLogin = true
    const wanted = parseScopes(scopes)
    const credentials = await this.#known.get(repositoryOf(wanted), context)
    const refused: Refused = { wanted, context, sent }
    if (isRegistryToken(credentials)) {
      return refused.sent !== bearer(credentials.registryToken) || this.#renewed(refused)
    }
    const challenges = parseChallenges(headers['www-authenticate'])
    const takesPassword = challenges.some(({ scheme }) => scheme === 'basic')
    const usesPassword = takesPassword && passwordOf(credentials) !== undefined
    const challenge = challenges.find(isForToken)
    const realm = challenge && this.#judged(challenge, usesPassword)
    // A token server that is not trusted would give a token for anybody.
    if (challenge === undefined || realm === undefined || (usesPassword && !realm.url.credentials)) {
      return takesPassword && this.#challengedForPassword(refused, credentials)
    }
    return this.#challengedForToken(realm, challenge, refused)
  }

  /** The error for a 401 that {@link challenged} had no answer to: who refuses whom, and what would help. */
  async refusal(
    headers: IncomingHttpHeaders,
    scopes: readonly string[],
    context: OperationContext = {},
  ): Promise<RegistryError> {
    const wanted = parseScopes(scopes)
    const credentials = await this.#known.get(repositoryOf(wanted), context)
    const realm = this.#realmFor(wanted)?.url
    const challenge = parseChallenges(headers['www-authenticate']).find(isForToken)
    const isKnown = realm !== undefined && challenge?.parameters.get('error') === 'insufficient_scope'
    const message = refusalMessage(this.#name, {
      ...{ name: this.#name, status: 401, credentials, realm },
      deniedScopes: isKnown ? formatScopes(wanted) : undefined,
    })
    return new RegistryError('UNAUTHORIZED', { message })
  }

  async #challengedForToken(realm: Realm, challenge: Challenge, refused: Refused): Promise<boolean> {
    const { wanted, sent, context } = refused
    this.#realm = realm
    this.#basicScopes.delete(keyOf(wanted))
    // Those of the challenge first: some token servers look at one alone.
    const asked = parseScopes([challenge.parameters.get('scope') ?? ''], formatScopes(wanted))
    const current = this.#tokens.find(asked, this.#now())
    if (current !== undefined && bearer(current.text) !== sent) return true // another request has been here
    const token = current ?? this.#tokens.named(sent)
    if (token !== undefined && covers(token.scopes, asked)) {
      if (this.#now() - token.issuedAt < FRESH_MS && !(await this.#renewed(refused))) return false
      this.#tokens.delete(token)
    }
    await this.#fetch(realm, asked, context)
    return true
  }

  async #challengedForPassword(refused: Refused, credentials: Credentials | undefined): Promise<boolean> {
    const header = passwordOf(credentials)
    if (header === refused.sent || header === undefined) {
      return (await this.#renewed(refused)) && this.#takePassword(refused.wanted)
    }
    return this.#takePassword(refused.wanted)
  }

  #takePassword(wanted: Scopes): boolean {
    this.#takesPasswords = true
    if (this.#basicScopes.size >= MAX_BASIC_SCOPES) this.#basicScopes.clear()
    if (this.#realm !== undefined) this.#basicScopes.add(keyOf(wanted))
    return true
  }

  #renewed({ wanted, context }: Refused): Promise<boolean> {
    return this.#known.renew(repositoryOf(wanted), context)
  }

  /** `undefined` where it may not be called and a password will do. */
  #judged({ parameters }: Challenge, usesPassword: boolean): Realm | undefined {
    try {
      const url = judgeUrl('realm', parameters.get('realm') ?? '', this.#rules.registry, this.#rules)
      return { url, service: parameters.get('service') }
    } catch (error) {
      if (usesPassword) return undefined
      throw error
    }
  }

  /** One request for all who want the same at once. */
  #fetch(realm: Realm, scopes: Scopes, context: OperationContext): Promise<Token> {
    const key = JSON.stringify([realm.url.url.href, realm.service, formatScopes(scopes)])
    const fetch = async (signal: AbortSignal) => {
      const askedAt = this.#now()
      const answer = await this.#answer(realm, scopes, { ...context, signal })
      const token = tokenOf(answer, { scopes, askedAt, now: this.#now() })
      this.#tokens.add(token, this.#now())
      return token
    }
    return this.#fetches.run(key, fetch, context.signal)
  }

  async #answer(
    realm: Realm,
    scopes: Scopes,
    context: OperationContext & { signal: AbortSignal },
  ): Promise<TokenAnswer> {
    const repository = repositoryOf(scopes)
    const ask = async () => {
      const credentials = await this.#known.get(repository, context)
      return this.#client.fetch({
        ...{ realm: realm.url, service: realm.service, signal: context.signal },
        ...{ scopes: formatScopes(scopes), credentials },
      })
    }
    const answer = await ask().catch(async (error: unknown) => {
      const isRefusal = RegistryError.is(error, 'UNAUTHORIZED') || RegistryError.is(error, 'DENIED')
      if (isRefusal && (await this.#known.renew(repository, context))) return ask()
      throw error
    })
    const { identityToken } = answer
    if (identityToken !== undefined) this.#known.replaceIdentityToken(repository, identityToken)
    return answer
  }

  #realmFor(wanted: Scopes): Realm | undefined {
    return this.#basicScopes.has(keyOf(wanted)) ? undefined : this.#realm
  }

  /** What there is to send when no token server is to be asked. */
  #without(credentials: Credentials | undefined): string | undefined {
    if (isRegistryToken(credentials)) return bearer(credentials.registryToken)
    return this.#takesPasswords ? passwordOf(credentials) : undefined
  }
}

const anonymous: CredentialSource = () => Promise.resolve(undefined)

/** A realm that is no URL names no token server: RFC 6750 lets it be any text. */
function isForToken({ scheme, parameters }: Challenge): boolean {
  return scheme === 'bearer' && URL.canParse(parameters.get('realm') ?? '')
}

function isRegistryToken(credentials: Credentials | undefined): credentials is { readonly registryToken: string } {
  return credentials !== undefined && 'registryToken' in credentials
}

function passwordOf(credentials: Credentials | undefined): string | undefined {
  if (credentials === undefined || !('password' in credentials)) return undefined
  return basic(credentials.username, credentials.password)
}

function keyOf(scopes: Scopes): string {
  return formatScopes(scopes).join(' ')
}
