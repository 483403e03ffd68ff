import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { checkOptions, kindOf } from '../arguments.ts'
import type { BackendOf, HandlerOptions } from '../http/handler.ts'
import type { HttpHandler } from '../http/message.ts'
import { consoleLogger } from '../logger.ts'
import { fromFetch, targetOf, toFetch } from './fetch-message.ts'
import { ADAPTER_OPTIONS, mounted } from './mount-options.ts'
import { locate, matchedPrefix } from './mount-path.ts'
import type { AdapterOptions } from './node-request.ts'
import { createServe } from './node-serve.ts'

/** The slice of Hono's context that we use; structural, so that Hono is no dependency, not even of the types. */
export interface HonoContext {
  readonly req: { readonly raw: Request; readonly routePath?: string }
  readonly env: unknown
}

export interface HonoOptions extends AdapterOptions {
  /**
   * Whoever sent a request, where Hono runs on something else than Node: `(c: Context) => getConnInfo(c).remote.address`. Without, all
   * clients are one to limits of addresses, and `trustedProxies` are not recognised. On `@hono/node-server` it is known, and this not asked.
   */
  remoteAddress?(c: HonoContext): string | undefined
}

export type HonoMiddleware = (c: HonoContext, next: () => Promise<void>) => Promise<Response | undefined>

/**
 * For Hono: `app.use(registryMiddleware(registry, { access }))`, below a path with `app.basePath('/path')` or
 * `app.route('/path', …)`. What is not under `/v2/` goes on to the next handler. `raw` is Hono's context.
 * On `@hono/node-server` bytes go by Node's own request and response, past web streams, which cost several times as much.
 */
export function registryMiddleware(registry: BackendOf, options: HandlerOptions & HonoOptions): HonoMiddleware {
  return toHonoMiddleware(...mounted<HonoOptions>(registry, options, { remoteAddress: true }))
}

/** The same over any handler. */
export function toHonoMiddleware(handler: HttpHandler, options: HonoOptions = {}): HonoMiddleware {
  checkHonoOptions(options)
  const { remoteAddress: addressOf, ...adapterOptions } = options
  const { logger = consoleLogger } = options
  const serve = createServe(handler, adapterOptions)
  return async (c, next) => {
    const request = c.req.raw
    const inner = targetOf(request)
    // `routePath` belongs to the handler that runs: read it before anything is awaited.
    const base = matchedPrefix(c.req.routePath ?? '', inner)
    const { incoming, outgoing } = (c.env ?? {}) as NodeBindings
    if (incoming === undefined || outgoing === undefined) {
      const mount = locate(inner.slice(base.length), inner, base)
      const remoteAddress = addressOf?.(c)
      const response = await handler(fromFetch(request, { mount, remoteAddress, raw: c, logger }))
      if (response !== undefined) return toFetch(request.method, response)
    } else if (await serve(incoming, outgoing, { innerUrl: inner, outerUrl: incoming.url, base, raw: c })) {
      return alreadySent()
    }
    await next()
    return undefined
  }
}

function checkHonoOptions(options: HonoOptions): void {
  checkOptions('the mount', options, { ...ADAPTER_OPTIONS, remoteAddress: true })
  const { remoteAddress } = options
  if (remoteAddress === undefined || typeof remoteAddress === 'function') return
  throw new TypeError(`the option "remoteAddress" must be a function of Hono's context, not ${kindOf(remoteAddress)}`)
}

interface NodeBindings {
  readonly incoming?: IncomingMessage | Http2ServerRequest
  readonly outgoing?: ServerResponse | Http2ServerResponse
}

/** What `@hono/node-server` leaves unsent; it knows one by this header. */
function alreadySent(): Response {
  const response = new Response(null, { headers: { 'x-hono-already-sent': 'true' } })
  // Its own `Response` is lazy, and sent unlooked at until some property of it has been read.
  void response.bodyUsed
  return response
}
