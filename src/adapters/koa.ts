import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BackendOf, HandlerOptions } from '../http/handler.ts'
import type { HttpHandler } from '../http/message.ts'
import { mounted } from './mount-options.ts'
import type { AdapterOptions } from './node-request.ts'
import { createServe } from './node-serve.ts'

/** The slice of Koa's context that we use; structural, so that Koa is no dependency, not even of the types. */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly originalUrl: string
  /** Koa's request, where body parsers leave their result. */
  readonly request: object
  respond?: boolean | undefined
}

export type KoaMiddleware = (ctx: KoaContext, next: () => Promise<unknown>) => Promise<unknown>

/**
 * `app.use(registryMiddleware(registry, { access }))`, before any body parser; below a path with `koa-mount`. What is not
 * under `/v2/` goes on to the next middleware; an unexpected error is thrown to Koa. `raw` is Koa's context.
 */
export function registryMiddleware(registry: BackendOf, options: HandlerOptions & AdapterOptions): KoaMiddleware {
  return toKoaMiddleware(...mounted(registry, options, {}))
}

/** The same over any handler. */
export function toKoaMiddleware(handler: HttpHandler, options: AdapterOptions = {}): KoaMiddleware {
  const serve = createServe(handler, options)
  return async (ctx, next) => {
    // Read before anything is awaited: koa-mount puts the whole path back once its promise has settled.
    const { mountPath } = ctx as { mountPath?: string }
    const { rawBody, body } = ctx.request as { rawBody?: unknown; body?: unknown }
    // Koa would turn a bodiless 201 into a 204, and end what is held open: the response is ours alone.
    const claim = () => {
      ctx.respond = false
    }
    const mounted = { outerUrl: ctx.originalUrl, base: mountPath, raw: ctx, parsed: () => [rawBody, body], claim }
    return (await serve(ctx.req, ctx.res, mounted)) ? undefined : next()
  }
}
