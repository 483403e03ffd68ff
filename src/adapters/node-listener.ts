import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { BackendOf, HandlerOptions } from '../http/handler.ts'
import type { HttpHandler } from '../http/message.ts'
import { consoleLogger } from '../logger.ts'
import { mounted } from './mount-options.ts'
import type { AdapterOptions } from './node-request.ts'
import { createServe, endWithError } from './node-serve.ts'

/** For `http.createServer`, `https.createServer`, `http2.createSecureServer`, their 'checkContinue', and connect's `use`. */
export type NodeListener = (
  req: IncomingMessage | Http2ServerRequest,
  res: ServerResponse | Http2ServerResponse,
  next?: (error?: unknown) => void,
) => void

/** A registry as a request listener; what is not under `/v2/` goes to `next`, or gets a 404. `raw` is the request. */
export function registryListener(registry: BackendOf, options: HandlerOptions & AdapterOptions): NodeListener {
  return toNodeListener(...mounted(registry, options, {}))
}

/** The same over any handler. */
export function toNodeListener(handler: HttpHandler, options: AdapterOptions = {}): NodeListener {
  const { logger = consoleLogger } = options
  const serve = createServe(handler, options)
  return (req, res, next) => {
    const { originalUrl, baseUrl, rawBody, body } = req as ParsedRequest
    const mounted = { outerUrl: originalUrl, base: baseUrl, raw: req, parsed: () => [rawBody, body] }
    serve(req, res, mounted).then(
      (served) => {
        if (served) return
        if (next === undefined) endWithError(res, 404)
        else next()
      },
      (error: unknown) => {
        if (next !== undefined) return next(error)
        logger.error({ err: error }, 'a request failed')
        endWithError(res, 500)
      },
    )
  }
}

/** What connect, Express and body parsers put on a request. */
type ParsedRequest = { originalUrl?: string; baseUrl?: string; rawBody?: unknown; body?: unknown }
