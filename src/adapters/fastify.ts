import type { BackendOf, HandlerOptions } from '../http/handler.ts'
import type { HttpHandler } from '../http/message.ts'
import type { FastifyPlugin, FastifyReply, FastifyRequest, FastifyRouteOptions } from './fastify-types.ts'
import { mounted } from './mount-options.ts'
import { matchedPrefix } from './mount-path.ts'
import type { AdapterOptions } from './node-request.ts'
import { createServe } from './node-serve.ts'

export type { FastifyApp, FastifyPlugin, FastifyReply, FastifyRequest, FastifyRouteOptions } from './fastify-types.ts'

/**
 * `app.register(registryPlugin(registry, { access }))`, below a path with `{ prefix: '/path' }`. Bodies are left alone
 * inside the plugin, and parsed outside it as before. An unexpected error is thrown to Fastify. `raw` is Fastify's request.
 */
export function registryPlugin(registry: BackendOf, options: HandlerOptions & AdapterOptions): FastifyPlugin {
  return toFastifyPlugin(...mounted(registry, options, {}))
}

/** The same over any handler. */
export function toFastifyPlugin(handler: HttpHandler, options: AdapterOptions = {}): FastifyPlugin {
  const serve = createServe(handler, options)
  const types = new WeakMap<object, string>()
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', () => Promise.resolve(null))
    // Fastify would answer a malformed type with a 415 of its own: it is for the registry to judge.
    const preParsing: FastifyRouteOptions['preParsing'] = ({ raw }, _reply, _payload, done) => {
      const type = raw.headers['content-type']
      if (type !== undefined) types.set(raw, type)
      delete raw.headers['content-type']
      done(null)
    }
    const answer = async (request: FastifyRequest, reply: FastifyReply) => {
      const { raw, originalUrl } = request
      const type = types.get(raw)
      if (type !== undefined) raw.headers['content-type'] = type
      const claim = () => {
        reply.hijack()
        // What hooks have set (CORS, request ids) would be lost with Fastify's own reply.
        for (const [name, value] of Object.entries(reply.getHeaders())) {
          if (value !== undefined) reply.raw.setHeader(name, value)
        }
      }
      const base = matchedPrefix(app.prefix, originalUrl)
      const mounted = { outerUrl: originalUrl, base, raw: request, parsed: () => [request.rawBody], claim }
      if (!(await serve(raw, reply.raw, mounted))) reply.callNotFound()
    }
    for (const path of app.prefix.endsWith('/v2') ? ['', '/*'] : ['/v2', '/v2/*']) app.all(path, { preParsing }, answer)
  }
}
