import { checkOptions, kindOf, MAX_TIMER_MS, type OptionNames } from '../arguments.ts'
import { type AccessController, type Authorize, accessController } from '../auth/access.ts'
import type { Backend } from '../backend.ts'
import { consoleLogger, type Logger } from '../logger.ts'
import type { Audit } from './audit.ts'
import { createAuthorizer } from './authorize.ts'
import { contextOf, requestIdOf } from './context.ts'
import { type CorsOptions, corsHeaders, preflightResponse } from './cors.ts'
import { answer } from './endpoints/table.ts'
import { errorResponse } from './errors.ts'
import type { Settings } from './exchange.ts'
import { type Forwarded, forwardedReader } from './forwarded.ts'
import { COMMON_HEADERS } from './headers.ts'
import { ConcurrentUploads } from './limits/concurrent-uploads.ts'
import { createRateLimiter, type RateLimit } from './limits/rate-limit.ts'
import { createLocator } from './location.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from './message.ts'
import { parseRoute, type Route } from './route.ts'
import { Turns } from './turns.ts'

export type { CorsOptions } from './cors.ts'
export type { RateLimit } from './limits/rate-limit.ts'

export interface HandlerOptions {
  /** Required, so that an open registry is a decision: `anyone()` says it. */
  readonly access: AccessController | Authorize
  /**
   * For how long an answer of `access` is waited for, in milliseconds; then the request is refused with 503. Default: 30,000.
   */
  readonly accessTimeoutMs?: number
  /** Told of each of its decisions. Default: nobody. */
  readonly audit?: Audit
  /** Largest manifest accepted, and largest page of referrers, in bytes. Default: 4 MiB. */
  readonly maxManifestBytes?: number
  /** Largest blob that may be uploaded, in bytes; what is here already is served and mounted whatever its size. Default: no limit. */
  readonly maxBlobBytes?: number
  /**
   * Requests that anybody may send: a principal, or an address while it is anonymous or sends credentials that are wrong; one more
   * is refused with 429. Each process counts for itself. Default: no limit.
   */
  readonly rateLimit?: RateLimit
  /** Requests whose content may be received at once, in this process; one more is refused with 429. Default: no limit. */
  readonly maxConcurrentUploads?: number
  /** The same of one principal, or of one address for anonymous ones. Default: no limit. */
  readonly maxConcurrentUploadsPerClient?: number
  /** Largest page of tags, referrers and repositories; a larger `n` is clamped. Default: 1000. */
  readonly maxPageSize?: number
  /** Answer blob requests with 307 when the backend knows a URL. Default: yes, where the driver can sign. */
  readonly redirect?: boolean | ((request: HttpRequest) => boolean)
  /** Origin and path under which clients reach the registry, for absolute `Location` headers. Default: path-absolute ones. */
  readonly publicUrl?: URL | string
  /**
   * Addresses and CIDR blocks of proxies whose `Forwarded` or `X-Forwarded-*` headers are believed: for absolute `Location`
   * headers, and for the client's address in events. Default: none. `publicUrl` goes before what they say of the host.
   */
  readonly trustedProxies?: readonly string[]
  /** Browsers of these origins may call; `'*'` for any, without credentials. Default: none. */
  readonly cors?: CorsOptions
  /** Default: warnings and errors to standard error. */
  readonly logger?: Logger
}

/** What there is to misspell. */
export const HANDLER_OPTIONS: OptionNames<HandlerOptions> = {
  access: true,
  accessTimeoutMs: true,
  audit: true,
  maxManifestBytes: true,
  maxBlobBytes: true,
  rateLimit: true,
  maxConcurrentUploads: true,
  maxConcurrentUploadsPerClient: true,
  maxPageSize: true,
  redirect: true,
  publicUrl: true,
  trustedProxies: true,
  cors: true,
  logger: true,
}

/** A function in place of a backend chooses one per request: a tenant by host name, by user, by path. */
export type BackendOf = Backend | ((request: HttpRequest) => Backend | Promise<Backend>)

/**
 * A registry over HTTP: plain messages in, plain messages out. The handler never rejects; it answers `undefined` when the
 * request is not for a registry, before it has looked at anything but the path.
 *
 * @throws `TypeError` for options that make no sense
 */
export function createHandler(backend: BackendOf, options: HandlerOptions): HttpHandler {
  // For callers without types: without this, a mistake would be found out by the first request.
  if (typeof backend !== 'function' && typeof backend?.repository !== 'function') {
    throw new TypeError('expected a registry: new Registry({ storage }), or a function that chooses one per request')
  }
  checkOptions('createHandler()', options, HANDLER_OPTIONS)
  const access = accessController(options?.access)
  const { cors, logger = consoleLogger, accessTimeoutMs = 30_000, audit } = options
  checkCors(cors)
  if (audit !== undefined && typeof audit !== 'function') {
    throw new TypeError(`the option "audit" must be a function of a decision, not ${kindOf(audit)}`)
  }
  const timeoutMs = positive('accessTimeoutMs', accessTimeoutMs)
  if (timeoutMs > MAX_TIMER_MS)
    throw new TypeError(`the option "accessTimeoutMs" must be at most ${MAX_TIMER_MS} milliseconds`)
  const authorizer = createAuthorizer({ access, timeoutMs, audit, logger })
  const forwarded = forwardedReader(options.trustedProxies ?? [])
  const settings = settingsOf(options, forwarded)
  const limiter = createRateLimiter(options.rateLimit)
  const receiving = new ConcurrentUploads({
    maxConcurrentUploads: limit('maxConcurrentUploads', options),
    maxConcurrentUploadsPerClient: limit('maxConcurrentUploadsPerClient', options),
  })

  const serve = async (request: HttpRequest, route: Route, requestId: string): Promise<HttpResponse> => {
    if (route.kind === 'preflight') return preflightResponse(request, cors)
    const client = forwarded(request)
    const facts = { requestId, address: client?.address ?? request.remoteAddress, locator: settings.locator }
    const { address } = facts
    limiter?.arrived(address)
    if (route.kind === 'token') {
      const { response, subject } = await authorizer.token(request, facts)
      if (response.status < 400) limiter?.letIn(subject, address)
      return response
    }
    const grant = await authorizer.authorize(request, route, facts)
    const { subject } = grant
    limiter?.letIn(subject, address)
    const context = contextOf(request, grant, requestId, client)
    return receiving.during({ request, route, subject, address }, async () => {
      const chosen = typeof backend === 'function' ? await backend(request) : backend
      return answer({ request, route, backend: chosen, grant, context, settings })
    })
  }

  return async (request) => {
    const requestId = requestIdOf(request)
    let response: HttpResponse
    try {
      const route = parseRoute(request.method, request.url, request.mountPath)
      if (route === undefined) return undefined
      response = await serve(request, route, requestId)
    } catch (error) {
      response = await errorResponse(error, request, requestId, logger)
    }
    const { status, headers } = response
    const body = request.method === 'HEAD' ? await withoutBody(response) : response.body
    const common = { ...COMMON_HEADERS, 'x-request-id': requestId, ...corsHeaders(request, cors) }
    return { status, headers: { ...common, ...headers }, body }
  }
}

/** A text in place of the list would allow every origin that it begins with. */
function checkCors(cors: CorsOptions | undefined): void {
  checkOptions('"cors"', cors, { origins: true, maxAgeSeconds: true })
  if (cors === undefined || cors.origins === '*' || Array.isArray(cors.origins)) return
  throw new TypeError(`the option "cors.origins" must be '*' or a list of origins, not ${kindOf(cors.origins)}`)
}

function settingsOf(options: HandlerOptions, forwarded: (request: HttpRequest) => Forwarded | undefined): Settings {
  const { redirect = true } = options
  return {
    maxManifestBytes: positive('maxManifestBytes', options.maxManifestBytes ?? 4 * 1024 * 1024),
    maxBlobBytes: limit('maxBlobBytes', options),
    maxPageSize: positive('maxPageSize', options.maxPageSize ?? 1000),
    redirects: typeof redirect === 'function' ? redirect : () => redirect,
    locator: createLocator(options.publicUrl, forwarded),
    turns: new Turns(),
  }
}

/** `Infinity` where nobody set one. */
function limit(
  name: 'maxBlobBytes' | 'maxConcurrentUploads' | 'maxConcurrentUploadsPerClient',
  options: HandlerOptions,
): number {
  const value = options[name]
  return value === undefined ? Number.POSITIVE_INFINITY : positive(name, value)
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new TypeError(`the option "${name}" must be a positive integer`)
}

/** A HEAD of what has an endpoint for GET only. */
async function withoutBody({ body }: HttpResponse): Promise<null> {
  if (body !== null && typeof body === 'object' && Symbol.asyncDispose in body) await body[Symbol.asyncDispose]()
  return null
}
