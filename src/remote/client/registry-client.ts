import type { OperationContext } from '../../backend.ts'
import { type ByteSource, readAll } from '../../bytes.ts'
import { type ErrorCode, RegistryError } from '../../errors.ts'
import type { Authenticator } from '../auth/authenticator.ts'
import type { RegistryAddress } from '../registry-url.ts'
import { type JudgedUrl, judgeUrl, type UrlPurpose, type UrlRules } from '../transport/named-url.ts'
import type { RemoteRequest, RemoteResponse, Send } from '../transport/send.ts'
import { discard, refusalOf } from './refusal.ts'
import type { Retries } from './retries.ts'

/** Redirects that are followed, one after the other. */
const MAX_REDIRECTS = 5
/** Tries of one request with something else to log in with each time: a token that has ended, a new one, a password in its place. */
const MAX_LOGINS = 3
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308]

export interface ApiRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** A path of the API, `/v2/…`, or a URL that the registry named. */
  readonly target: string | JudgedUrl
  /** As the token specification has them: `repository:team/app:pull`. */
  readonly scopes: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: ByteSource
  /** Statuses that are an answer; any other is thrown. */
  readonly expect: readonly number[]
  /** What 404 says is not there. */
  readonly absent?: ErrorCode
  /** Whether it may be sent again after no answer came. Default: what changes nothing, or changes nothing the second time. */
  readonly repeatable?: boolean
  /** Whether the answer may be a large one. */
  readonly bulk?: boolean
  readonly context?: OperationContext | undefined
}

export interface ApiResponse extends RemoteResponse {
  /** Where the answer came from, after redirects. */
  readonly url: URL
}

export interface RegistryClientOptions {
  readonly address: RegistryAddress
  readonly send: Send
  readonly authenticator: Authenticator
  readonly rules: UrlRules
  readonly retries: Retries
  readonly userAgent: string
}

/** Requests to one registry: logged in, redirected, tried again, and with errors in the terms of this library. */
export class RegistryClient {
  readonly address: RegistryAddress
  readonly retries: Retries
  readonly #options: RegistryClientOptions

  constructor(options: RegistryClientOptions) {
    this.#options = options
    this.address = options.address
    this.retries = options.retries
  }

  /** @throws {@link RegistryError} for every status that is not expected, and when no answer comes */
  request(request: ApiRequest): Promise<ApiResponse> {
    return this.#repeated(request, () => this.#once(request))
  }

  /** The same, for an answer without a body that matters. */
  async call(request: ApiRequest): Promise<ApiResponse> {
    const response = await this.request(request)
    await discard(response)
    return response
  }

  /**
   * The whole body of an answer.
   *
   * @throws {@link RegistryError} `SIZE_INVALID` when it is larger than `maxBytes`
   */
  async read(request: ApiRequest, maxBytes: number): Promise<{ response: ApiResponse; content: Uint8Array }> {
    return this.#repeated(request, async () => {
      const response = await this.#once(request)
      try {
        const content = await readAll(response.body, maxBytes)
        if (content !== undefined) return { response, content }
      } catch (cause) {
        request.context?.signal?.throwIfAborted()
        throw this.broken(cause)
      } finally {
        response.body.destroy()
      }
      throw new RegistryError('SIZE_INVALID', {
        message: `${this.address.name} answers with more than ${maxBytes} bytes`,
      })
    })
  }

  /** Of a connection that ended before its answer did. */
  broken(cause: unknown): RegistryError {
    return new RegistryError('UNAVAILABLE', { message: `${this.address.name} broke off its answer`, cause })
  }

  /** @throws {@link RegistryError} `DENIED` */
  judge(purpose: UrlPurpose, text: string, from: URL): JudgedUrl {
    return judgeUrl(purpose, text, from, this.#options.rules)
  }

  #repeated<T>(request: ApiRequest, attempt: () => Promise<T>): Promise<T> {
    const { method, body, context } = request
    const isRepeatable = isReplayable(body) && (request.repeatable ?? (method !== 'POST' && method !== 'PATCH'))
    return isRepeatable ? this.retries.run(attempt, context?.signal) : attempt()
  }

  async #once(request: ApiRequest): Promise<ApiResponse> {
    const { expect, scopes, context, absent } = request
    const response = await this.#authorized(request)
    if (expect.includes(response.status)) return response
    if (response.status !== 401 || !this.#isOwn(response)) throw await refusalOf(this.address.name, response, absent)
    await discard(response)
    throw await this.#options.authenticator.refusal(response.headers, scopes, context)
  }

  async #authorized(request: ApiRequest): Promise<ApiResponse> {
    const { authenticator } = this.#options
    const { scopes, context } = request
    for (let logins = 0; ; logins++) {
      const sent = await authenticator.authorization(scopes, context)
      const response = await this.#followed(request, sent)
      if (response.status !== 401 || !this.#isOwn(response) || !isReplayable(request.body)) return response
      const { headers } = response
      // First: logging in may take long, or fail, and what is not read holds a connection.
      await discard(response)
      if (logins === MAX_LOGINS || !(await authenticator.challenged({ headers, sent }, scopes, context)))
        return response
    }
  }

  /** A bucket's 401 says nothing of how to log in here. */
  #isOwn({ url }: ApiResponse): boolean {
    return url.origin === this.address.url.origin
  }

  async #followed(request: ApiRequest, authorization: string | undefined): Promise<ApiResponse> {
    const { send, userAgent } = this.#options
    const { method, body, context, headers = {} } = request
    let target: JudgedUrl = typeof request.target === 'string' ? this.#api(request.target) : request.target
    for (let hops = 0; ; hops++) {
      const sent: RemoteRequest = {
        method,
        url: target.url,
        headers: {
          'user-agent': userAgent,
          ...headers,
          ...lengthOf(method, body),
          ...(authorization !== undefined && target.credentials && { authorization }),
        },
        publicOnly: target.publicOnly,
        ...(request.bulk && { bulk: true }),
        ...(body !== undefined && { body }),
        ...(context?.signal && { signal: context.signal }),
      }
      const response = await send(sent)
      const { location } = response.headers
      if (!REDIRECTS.includes(response.status) || location === undefined || !isFollowed(request, response.status)) {
        return Object.assign(response, { url: target.url })
      }
      await discard(response)
      if (hops === MAX_REDIRECTS) throw this.#tooManyRedirects()
      target = this.judge('redirect', location, target.url)
    }
  }

  #api(path: string): JudgedUrl {
    const { url } = this.address
    const base = url.pathname === '/' ? '' : url.pathname
    return { url: new URL(`${url.origin}${base}${path}`), credentials: true, publicOnly: false }
  }

  #tooManyRedirects(): RegistryError {
    // Not an outage: it would redirect as often the next time.
    return new RegistryError('UNKNOWN', {
      message: `${this.address.name} redirects more than ${MAX_REDIRECTS} times`,
    })
  }
}

/** A stream is sent once. */
function isReplayable(body: ByteSource | undefined): boolean {
  return body === undefined || body instanceof Uint8Array
}

/** What only reads goes wherever it is sent; what changes something only where it is told to come again as it is. */
function isFollowed({ method, body, expect }: ApiRequest, status: number): boolean {
  if (expect.includes(status)) return false
  if (method === 'GET' || method === 'HEAD') return true
  return (status === 307 || status === 308) && isReplayable(body)
}

/** A POST or PUT without a body says so: some proxies answer 411 otherwise. */
function lengthOf(method: string, body: ByteSource | undefined): Record<string, string> {
  if (body instanceof Uint8Array) return { 'content-length': String(body.byteLength) }
  return body === undefined && method !== 'GET' && method !== 'HEAD' ? { 'content-length': '0' } : {}
}
