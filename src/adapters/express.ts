import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BackendOf, HandlerOptions } from '../http/handler.ts'
import type { HttpHandler } from '../http/message.ts'
import { mounted } from './mount-options.ts'
import { toNodeListener } from './node-listener.ts'
import type { AdapterOptions } from './node-request.ts'

/** Middleware as Express and connect take it; structural, so that neither is a dependency, not even of the types. */
export type ExpressMiddleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/**
 * `app.use(registryMiddleware(registry, { access }))`, before any body parser; below a path with `app.use('/path', …)`.
 * What is not under `/v2/` goes on to the next middleware, and so does an unexpected error. `raw` is Express's request.
 */
export function registryMiddleware(registry: BackendOf, options: HandlerOptions & AdapterOptions): ExpressMiddleware {
  return toExpressMiddleware(...mounted(registry, options, {}))
}

/** The same over any handler. */
export function toExpressMiddleware(handler: HttpHandler, options: AdapterOptions = {}): ExpressMiddleware {
  // Express leaves `originalUrl`, `baseUrl` and `body` on the request, where the listener looks for them.
  return toNodeListener(handler, options)
}
