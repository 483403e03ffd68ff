import { randomUUID } from 'node:crypto'
import type { Access, AccessController } from '../../auth/access.ts'
import { readAll } from '../../bytes.ts'
import type { RegistryError } from '../../errors.ts'
import { errorResponse } from '../../http/errors.ts'
import { headerOf } from '../../http/headers.ts'
import type { HttpRequest, HttpResponse } from '../../http/message.ts'
import { silentLogger } from '../../logger.ts'
import { passwordUser, type Rights, type Users, unauthorized } from './access.ts'
import type { Clock } from './clock.ts'
import { type Middleware, pathOf, queryOf } from './middleware.ts'

export interface TokenOptions {
  /** Where tokens are given out. Default: `/token`. */
  readonly path?: string
  /** The name by which the registry is known there. Default: its host. */
  readonly service?: string
  /** How long a token is good for, in seconds. Default: 300. */
  readonly ttlSeconds?: number
  /** Whether they may be asked for by POST, as OAuth 2 has it; without it, that is 404. Default: yes. */
  readonly oauth2?: boolean
  /** What the challenge leaves out, or writes without quotes. Default: nothing. */
  readonly challenge?: 'without-scope' | 'without-service' | 'unquoted-service'
  /** Whether a registry with tokens takes names and passwords as well. Default: no. */
  readonly acceptBasic?: boolean
  /** Whether a password, or `name:password`, in base64 is as good as a token. Default: no. */
  readonly acceptEncodedPassword?: boolean
}

interface Token {
  readonly user: string | undefined
  readonly access: readonly Access[]
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** Larger than any form with a token in it, in bytes. */
const MAX_FORM_BYTES = 64 * 1024

export interface TokenServiceOptions extends TokenOptions {
  readonly users: Users
  readonly rights: Rights
  /** Whether there are tokens for who does not log in. */
  readonly anonymous: boolean
  readonly clock: Clock
  /** Where the registry is, without a path. */
  readonly url: URL
}

/**
 * Gives out tokens and believes them, as Docker's clients expect of a registry and its authorization service.
 *
 * @see https://distribution.github.io/distribution/spec/auth/token/
 * @see https://distribution.github.io/distribution/spec/auth/oauth/
 */
export class TokenService {
  readonly #options: TokenServiceOptions
  readonly #path: string
  readonly #ttlSeconds: number
  readonly #tokens = new Map<string, Token>()
  readonly #refreshTokens = new Map<string, string>()

  constructor(options: TokenServiceOptions) {
    this.#options = options
    this.#path = options.path ?? '/token'
    this.#ttlSeconds = options.ttlSeconds ?? 300
  }

  /** Answers what is sent to the token service. */
  readonly middleware: Middleware = async (request, next) => {
    if (pathOf(request) !== this.#path) return next(request)
    try {
      if (request.method === 'GET') return this.#get(request)
      if (request.method === 'POST' && this.#options.oauth2 !== false) return await this.#post(request)
      return { status: 404, headers: { 'content-length': '0' }, body: null }
    } catch (error) {
      return errorResponse(error, request, '', silentLogger)
    }
  }

  readonly access: AccessController = {
    authorize: async (request, required) => {
      const header = headerOf(request, 'authorization')
      const token = this.#tokenOf(header)
      if (token === undefined) throw this.#challenge(required, header === undefined ? undefined : 'invalid_token')
      const allows = (wanted: Access) => includes(token.access, wanted)
      if (required.every(allows)) return { subject: token.user, allows }
      throw this.#challenge(required, 'insufficient_scope')
    },
  }

  #tokenOf(header: string | undefined): Pick<Token, 'user' | 'access'> | undefined {
    const { users, clock, acceptBasic, acceptEncodedPassword } = this.#options
    const user = acceptBasic === true ? passwordUser(users, header) : undefined
    if (user !== undefined) return { user, access: EVERYTHING }
    const [scheme = '', value = ''] = header?.split(' ') ?? []
    if (scheme.toLowerCase() !== 'bearer') return undefined
    const token = this.#tokens.get(value)
    if (token !== undefined) return clock.now() < token.expiresAt ? token : undefined
    if (acceptEncodedPassword !== true) return undefined
    const decoded = Buffer.from(value, 'base64').toString().trim()
    const password = decoded.slice(decoded.indexOf(':') + 1)
    const holder = Object.keys(users).find((name) => users[name] === password)
    return holder === undefined ? undefined : { user: holder, access: EVERYTHING }
  }

  #challenge(required: readonly Access[], error: string | undefined): RegistryError {
    const { url, challenge } = this.#options
    const parameters = [`realm="${new URL(this.#path, url)}"`]
    if (challenge === 'unquoted-service') parameters.push(`service=${this.#service}`)
    else if (challenge !== 'without-service') parameters.push(`service="${this.#service}"`)
    if (required.length > 0 && challenge !== 'without-scope') parameters.push(`scope="${scopeOf(required)}"`)
    if (error !== undefined) parameters.push(`error="${error}"`)
    return unauthorized(`Bearer ${parameters.join(',')}`)
  }

  get #service(): string {
    return this.#options.service ?? this.#options.url.host
  }

  /** By GET, with a name and a password or without. */
  #get(request: HttpRequest): HttpResponse {
    const query = queryOf(request)
    const user = passwordUser(this.#options.users, headerOf(request, 'authorization'))
    if (user === undefined && !this.#options.anonymous) throw unauthorized('Basic realm="test registry"')
    const issued = this.#issue(user, query.getAll('scope'))
    const wantsRefresh = query.get('offline_token') === 'true' && user !== undefined
    return json({
      token: issued.token,
      access_token: issued.token,
      expires_in: this.#ttlSeconds,
      issued_at: issued.at,
      ...(wantsRefresh && { refresh_token: this.#refreshTokenOf(user) }),
    })
  }

  /** By POST, with a password or a token that stands for it. */
  async #post(request: HttpRequest): Promise<HttpResponse> {
    const bytes = await readAll(request.body, MAX_FORM_BYTES)
    const form = new URLSearchParams(Buffer.from(bytes ?? []).toString())
    const grant = form.get('grant_type')
    if (grant !== 'password' && grant !== 'refresh_token') return json({ error: 'unsupported_grant_type' }, 400)
    const user =
      grant === 'password' ? this.#passwordIn(form) : this.#refreshTokens.get(form.get('refresh_token') ?? '')
    if (user === undefined) return json({ error: 'invalid_grant' }, 401)
    const issued = this.#issue(user, form.getAll('scope'))
    const wantsRefresh = grant === 'refresh_token' || form.get('access_type') === 'offline'
    return json({
      access_token: issued.token,
      scope: scopeOf(issued.access),
      expires_in: this.#ttlSeconds,
      issued_at: issued.at,
      ...(wantsRefresh && { refresh_token: form.get('refresh_token') ?? this.#refreshTokenOf(user) }),
    })
  }

  #passwordIn(form: URLSearchParams): string | undefined {
    const { users } = this.#options
    const user = form.get('username') ?? ''
    return Object.hasOwn(users, user) && users[user] === form.get('password') ? user : undefined
  }

  /** A token that stands for a user's password until the registry stops. */
  #refreshTokenOf(user: string): string {
    const token = randomUUID()
    this.#refreshTokens.set(token, user)
    return token
  }

  /** A token for what is asked for, as far as the user may have it. */
  #issue(user: string | undefined, scopes: readonly string[]) {
    const { clock, rights } = this.#options
    const now = clock.now()
    const access = scopes.flatMap(parseScope).filter((wanted) => rights(user, wanted))
    const token = randomUUID()
    this.#tokens.set(token, { user, access, expiresAt: now + this.#ttlSeconds * 1000 })
    return { token, access, at: new Date(now).toISOString() }
  }
}

/** For who logs in by other means than a token with a scope. */
const EVERYTHING: readonly Access[] = (['pull', 'push', 'delete', '*'] as const).flatMap((action) => [
  { type: 'repository', name: '*', action } as const,
  { type: 'registry', name: '*', action } as const,
])

function includes(access: readonly Access[], wanted: Access): boolean {
  return access.some(
    ({ type, name, action }) =>
      type === wanted.type && (name === wanted.name || name === '*') && (action === wanted.action || action === '*'),
  )
}

/**
 * `repository:team/app:pull,push`, or several with blanks in between. What is of no use to a registry is left out.
 *
 * @see https://distribution.github.io/distribution/spec/auth/scope/
 */
function parseScope(text: string): readonly Access[] {
  return text.split(' ').flatMap((scope) => {
    const first = scope.indexOf(':')
    const last = scope.lastIndexOf(':')
    const type = scope.slice(0, first)
    if (last <= first || (type !== 'repository' && type !== 'registry')) return []
    const name = scope.slice(first + 1, last)
    return scope
      .slice(last + 1)
      .split(',')
      .filter(isAction)
      .map((action) => ({ type, name, action }))
  })
}

function isAction(text: string): text is Access['action'] {
  return text === 'pull' || text === 'push' || text === 'delete' || text === '*'
}

function scopeOf(access: readonly Access[]): string {
  const actions = new Map<string, Set<string>>()
  for (const { type, name, action } of access) {
    const resource = `${type}:${name}`
    actions.set(resource, (actions.get(resource) ?? new Set()).add(action))
  }
  return [...actions].map(([resource, all]) => `${resource}:${[...all].join(',')}`).join(' ')
}

function json(value: unknown, status = 200): HttpResponse {
  const body = JSON.stringify(value)
  const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
  return { status, headers: { ...headers, 'cache-control': 'no-store' }, body }
}
