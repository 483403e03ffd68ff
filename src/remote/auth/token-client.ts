import { readAll } from '../../bytes.ts'
import { type ErrorCode, RegistryError } from '../../errors.ts'
import { isJsonObject, type JsonObject, readJson } from '../../spec/json-scan.ts'
import type { Credentials } from '../credentials/credentials.ts'
import { type JudgedUrl, judgeUrl } from '../transport/named-url.ts'
import type { RemoteResponse, Send } from '../transport/send.ts'
import type { UrlRules } from '../transport/url-rules.ts'
import { basic, fits } from './header.ts'
import { refusalMessage } from './refusals.ts'

/** Bytes of a token server's answer. Tokens have a few thousand. */
const MAX_BODY_BYTES = 64 * 1024
const MAX_REDIRECTS = 5
/** For all of a token's requests together; a registry's user waits for it. */
const TIMEOUT_MS = 30_000
const CLIENT_ID = 'wharfage'

export interface TokenClientOptions {
  /** As its user calls the registry: for messages. */
  readonly name: string
  readonly rules: UrlRules
  readonly send: Send
}

export interface TokenRequest {
  /** As {@link judgeUrl} found it: what it forbids, no credentials, holds here. */
  readonly realm: JudgedUrl
  readonly service: string | undefined
  readonly scopes: readonly string[]
  readonly credentials: Credentials | undefined
  readonly signal: AbortSignal
}

/** What a token server gave, not yet interpreted. */
export interface TokenAnswer {
  readonly text: string
  readonly expiresInSeconds: number | undefined
  /** Milliseconds since the epoch, by the clock of the token server. */
  readonly issuedAt: number | undefined
  /** In place of the identity token that it was asked with. */
  readonly identityToken: string | undefined
}

interface Question {
  readonly url: JudgedUrl
  readonly authorization?: string | undefined
  /** A form, to be posted. */
  readonly form?: URLSearchParams
}

/**
 * Asks token servers: by GET as Docker began it, and by POST as OAuth has it where an identity token is what we hold, or where a server
 * knows no GET.
 *
 * @see https://distribution.github.io/distribution/spec/auth/token/
 * @see https://distribution.github.io/distribution/spec/auth/oauth/
 */
export class TokenClient {
  readonly #options: TokenClientOptions

  constructor(options: TokenClientOptions) {
    this.#options = options
  }

  /**
   * @throws {@link RegistryError} `UNAUTHORIZED` and `DENIED` when the token server refuses, `TOOMANYREQUESTS`, `UNAVAILABLE`, and
   * `DENIED` for a redirect that is not followed
   */
  async fetch(request: TokenRequest): Promise<TokenAnswer> {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)])
    try {
      return await this.#fetch({ ...request, signal })
    } catch (error) {
      if (request.signal.aborted || !signal.aborted) throw error
      throw this.#unavailable(request, `has not answered within ${TIMEOUT_MS / 1_000} s`, { cause: error })
    }
  }

  async #fetch(request: TokenRequest): Promise<TokenAnswer> {
    const { realm, credentials } = request
    const known = realm.credentials ? credentials : undefined
    if (known !== undefined && 'identityToken' in known) {
      // Nothing to go by GET with: where POST is unknown, there is no way in.
      return this.#ask(request, { url: realm, form: formOf(request, refreshGrant(known.identityToken)) })
    }
    if (known === undefined || !('password' in known)) return this.#ask(request, { url: withQuery(request) })
    const { username, password } = known
    const url = withQuery(request, username)
    const response = await this.#send(request, { url, authorization: basic(username, password) })
    if (response.status !== 404 && response.status !== 405) return this.#read(request, response)
    await drop(response)
    return this.#ask(request, { url: realm, form: formOf(request, { grant_type: 'password', username, password }) })
  }

  async #ask(request: TokenRequest, question: Question): Promise<TokenAnswer> {
    return this.#read(request, await this.#send(request, question))
  }

  /** Follows redirects to the same origin: `realmRedirect` lets through no other, so that everything may be sent again. */
  async #send(request: TokenRequest, question: Question): Promise<RemoteResponse> {
    const { send, rules } = this.#options
    const { authorization } = question
    let { form, url } = question
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const body = form && Buffer.from(form.toString())
      const response = await send({
        method: body === undefined ? 'GET' : 'POST',
        url: url.url,
        headers: {
          accept: 'application/json',
          ...(authorization !== undefined && url.credentials && { authorization }),
          ...(body && {
            'content-type': 'application/x-www-form-urlencoded',
            'content-length': String(body.byteLength),
          }),
        },
        ...(body && { body }),
        publicOnly: url.publicOnly,
        signal: request.signal,
      })
      const { location } = response.headers
      if (!REDIRECTS.includes(response.status) || location === undefined) return response
      await drop(response)
      url = judgeUrl('realmRedirect', location, url.url, rules)
      // The others turn a POST into a GET, which has no grant.
      if (form !== undefined && response.status !== 307 && response.status !== 308) form = undefined
    }
    throw this.#unavailable(request, `redirects more than ${MAX_REDIRECTS} times`)
  }

  async #read(request: TokenRequest, response: RemoteResponse): Promise<TokenAnswer> {
    if (response.status !== 200) {
      await drop(response)
      throw this.#refusal(request, response)
    }
    const content = await this.#content(request, response)
    const reading = content && readJson(content)
    const value = reading?.problem === undefined ? reading?.value : undefined
    if (!isJsonObject(value)) throw this.#unavailable(request, 'answers with something that is no token')
    // Azure's and others' have the name that OAuth gave it.
    const text = textOf(value, 'token') ?? textOf(value, 'access_token')
    if (text === undefined) throw this.#unavailable(request, 'answers without a token')
    if (!fits(text)) throw this.#unavailable(request, 'answers with a token that fits into no header')
    const issuedAt = Date.parse(textOf(value, 'issued_at') ?? '')
    return {
      text,
      expiresInSeconds: typeof value.expires_in === 'number' ? value.expires_in : undefined,
      issuedAt: Number.isNaN(issuedAt) ? undefined : issuedAt,
      identityToken: textOf(value, 'refresh_token'),
    }
  }

  /** `undefined` for more than there may be. */
  async #content(request: TokenRequest, { body }: RemoteResponse): Promise<Uint8Array | undefined> {
    try {
      return await readAll(body, MAX_BODY_BYTES)
    } catch (cause) {
      request.signal.throwIfAborted()
      throw this.#unavailable(request, 'broke off its answer', { cause })
    } finally {
      body.destroy()
    }
  }

  #refusal(request: TokenRequest, { status, headers }: RemoteResponse): RegistryError {
    const retryAfter = headers['retry-after']
    const hint = { ...(retryAfter !== undefined && { headers: { 'retry-after': retryAfter } }) }
    if (status === 429) {
      return new RegistryError('TOOMANYREQUESTS', {
        message: this.#said(request, 'has had too many requests (429)'),
        ...hint,
      })
    }
    const code = REFUSALS[status]
    if (code === undefined) return this.#unavailable(request, `answers ${status}`, hint)
    const { name } = this.#options
    const who = `the token server of ${name}, ${request.realm.url.host},`
    return new RegistryError(code, { message: refusalMessage(who, { ...request, name, status }) })
  }

  #unavailable(request: TokenRequest, what: string, options: object = {}): RegistryError {
    return new RegistryError('UNAVAILABLE', { message: this.#said(request, what), ...options })
  }

  #said({ realm }: TokenRequest, what: string): string {
    return `the token server of ${this.#options.name}, ${realm.url.host}, ${what}`
  }
}

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308]

/** OAuth answers 400 to a grant that it does not take. */
const REFUSALS: Readonly<Record<number, ErrorCode>> = { 400: 'UNAUTHORIZED', 401: 'UNAUTHORIZED', 403: 'DENIED' }

function withQuery({ realm, service, scopes }: TokenRequest, account?: string): JudgedUrl {
  const url = new URL(realm.url)
  if (service !== undefined) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  if (account !== undefined) url.searchParams.set('account', account)
  url.searchParams.set('client_id', CLIENT_ID)
  return { ...realm, url }
}

function formOf({ service, scopes }: TokenRequest, grant: Readonly<Record<string, string>>): URLSearchParams {
  return new URLSearchParams({
    ...grant,
    ...(service !== undefined && { service }),
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    client_id: CLIENT_ID,
  })
}

function refreshGrant(identityToken: string): Record<string, string> {
  return { grant_type: 'refresh_token', refresh_token: identityToken }
}

function textOf(value: JsonObject, name: string): string | undefined {
  const text = value[name]
  return typeof text === 'string' && text !== '' ? text : undefined
}

/** Reads what there is, for the connection's sake. */
async function drop({ body }: RemoteResponse): Promise<void> {
  try {
    await readAll(body, MAX_BODY_BYTES)
  } catch {
    // It is not wanted.
  } finally {
    body.destroy()
  }
}
