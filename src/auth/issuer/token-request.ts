import { readAll } from '../../bytes.ts'
import { RegistryError } from '../../errors.ts'
import { headerOf } from '../../http/headers.ts'
import type { HttpRequest } from '../../http/message.ts'
import { type Parameters, parseQuery, single } from '../../http/query.ts'
import type { Access } from '../access.ts'
import { authorizationOf, isWellFormed } from '../authorization.ts'
import type { Credentials } from '../identity.ts'
import { parseScope } from '../scope.ts'

/** What somebody asks a token service for, and with what. */
export interface TokenRequest {
  /** `none` asks for what everybody may. */
  readonly proof:
    | { readonly kind: 'none' }
    | ({ readonly kind: 'password' } & Credentials)
    | { readonly kind: 'refresh'; readonly token: string }
  readonly service: string | undefined
  readonly asked: readonly Access[]
  /** Whether a refresh token is wanted. */
  readonly offline: boolean
}

/** Far more than a form with a token in it has, in bytes. */
const MAX_FORM_BYTES = 64 * 1024
/** In characters. */
const MAX_SCOPE_LENGTH = 8 * 1024
const MAX_ASKED = 100

/**
 * @throws `RegistryError` `UNSUPPORTED` (400, 413, 415) for what is no such request
 * @see https://distribution.github.io/distribution/spec/auth/token/
 * @see https://distribution.github.io/distribution/spec/auth/oauth/
 */
export async function readTokenRequest(request: HttpRequest): Promise<TokenRequest> {
  return request.method === 'POST' ? fromForm(await readForm(request)) : fromQuery(request)
}

function fromQuery(request: HttpRequest): TokenRequest {
  const question = request.url.indexOf('?')
  const parameters = parseQuery(question < 0 ? '' : request.url.slice(question + 1))
  const proof = proofOfHeader(request)
  return { proof, ...common(parameters), offline: single(parameters, 'offline_token') === 'true' }
}

function proofOfHeader(request: HttpRequest): TokenRequest['proof'] {
  const authorization = authorizationOf(request)
  switch (authorization.scheme) {
    case 'none':
      return { kind: 'none' }
    case 'basic':
      return { kind: 'password', username: authorization.username, password: authorization.password }
    default:
      throw invalid('tokens are given for a name and a password (Basic), or for no credentials at all')
  }
}

function fromForm(parameters: Parameters): TokenRequest {
  return { proof: proofOf(parameters), ...common(parameters), offline: single(parameters, 'access_type') === 'offline' }
}

function proofOf(parameters: Parameters): TokenRequest['proof'] {
  switch (single(parameters, 'grant_type')) {
    case 'password': {
      const credentials = {
        username: required(parameters, 'username'),
        password: required(parameters, 'password'),
      }
      if (isWellFormed(credentials)) return { kind: 'password', ...credentials }
      throw invalid('no control characters may be in username and password, and no colon in username')
    }
    case 'refresh_token':
      return { kind: 'refresh', token: required(parameters, 'refresh_token') }
    default:
      throw invalid('grant_type must be password or refresh_token')
  }
}

function common(parameters: Parameters): Pick<TokenRequest, 'service' | 'asked'> {
  // Repeated, separated by spaces, or both.
  const scope = parameters.getAll('scope').join(' ')
  if (scope.length > MAX_SCOPE_LENGTH) throw invalid(`scope must have at most ${MAX_SCOPE_LENGTH} characters`)
  const asked = parseScope(scope)
  if (asked.length > MAX_ASKED) throw invalid(`scope must name at most ${MAX_ASKED} actions`)
  return { service: single(parameters, 'service'), asked }
}

async function readForm(request: HttpRequest): Promise<Parameters> {
  const type = headerOf(request, 'content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/x-www-form-urlencoded') {
    throw invalid('a form (application/x-www-form-urlencoded) is expected', 415)
  }
  const content = await readAll(request.body, MAX_FORM_BYTES)
  if (content === undefined) throw invalid(`a form of at most ${MAX_FORM_BYTES} bytes is expected`, 413)
  return parseQuery(Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString())
}

function required(parameters: Parameters, name: string): string {
  const value = single(parameters, name)
  if (value === undefined || value === '') throw invalid(`${name} is missing`)
  // What stands for bytes that are none would equal other ones that are none either.
  if (value.includes('\ufffd')) throw invalid(`${name} is not UTF-8`)
  return value
}

function invalid(message: string, status = 400): RegistryError {
  return new RegistryError('UNSUPPORTED', { status, message })
}
