import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttp2Server, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import * as forExpress from '../../src/adapters/express.ts'
import * as forFastify from '../../src/adapters/fastify.ts'
import * as forFetch from '../../src/adapters/fetch.ts'
import * as forKoa from '../../src/adapters/koa.ts'
import * as forNode from '../../src/adapters/node.ts'
import type { Backend } from '../../src/backend.ts'
import type { HandlerOptions } from '../../src/http/handler.ts'
import type { HttpHandler } from '../../src/http/message.ts'

type Options = forNode.AdapterOptions & { readonly mountPath?: string }

/** Makes a framework's own middleware, by one of the two functions that every adapter has. */
export type Source = <T>(
  toMiddleware: (handler: HttpHandler, options: Options) => T,
  registryMiddleware: (registry: Backend, options: HandlerOptions & Options) => T,
  options?: Options,
) => T

export const ofHandler =
  (handler: HttpHandler, options: Options = {}): Source =>
  (toMiddleware, _, more) =>
    toMiddleware(handler, { ...options, ...more })

export const ofRegistry =
  (registry: Backend, options: HandlerOptions & Options): Source =>
  (_, registryMiddleware, more) =>
    registryMiddleware(registry, { ...options, ...more })

/** An application of somebody else's, in which the registry is one middleware; whatever reaches its end is a 418. */
export interface HostOptions {
  /** Where the registry is mounted. Default: at the root. */
  readonly path?: string
  /** Whether a middleware before the registry reads every body. */
  readonly parser?: boolean
}

export interface Mount {
  readonly name: string
  readonly protocol: 'http1' | 'http2'
  start(source: Source, options?: HostOptions): Promise<Running>
}

export interface Running extends AsyncDisposable {
  readonly port: number
}

async function listen(server: Server | Http2Server, close?: () => Promise<void>): Promise<Running> {
  const connections = new Set<{ destroy(): void }>()
  server.on('connection', (socket: { destroy(): void }) => connections.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      for (const socket of connections) socket.destroy()
      if (close === undefined) server.close()
      else await close()
      await closed
    },
  }
}

/** What connect does with a path: the prefix is cut off `url`, and `originalUrl` keeps it. */
function nodeHost(source: Source, { path = '', parser = false }: HostOptions): forNode.NodeListener {
  const registry = source(forNode.toNodeListener, forNode.registryListener)
  return (req, res) => {
    const host = () => {
      res.statusCode = 418
      res.end('host')
    }
    const next = (error?: unknown) => {
      res.statusCode = error === undefined ? 418 : 500
      res.end(error === undefined ? 'host' : 'failed')
    }
    const url = req.url ?? '/'
    if (!url.startsWith(`${path}/`)) return host()
    Object.assign(req, { originalUrl: url, url: url.slice(path.length) })
    if (parser) req.resume().once('end', () => registry(req, res, next))
    else registry(req, res, next)
  }
}

const node: Mount = {
  name: 'node:http',
  protocol: 'http1',
  start: (source, options = {}) => listen(createServer({ requestTimeout: 0 }, nodeHost(source, options))),
}

const http2: Mount = {
  name: 'node:http2',
  protocol: 'http2',
  start: (source, options = {}) => listen(createHttp2Server(nodeHost(source, options))),
}

const expressMount: Mount = {
  name: 'express',
  protocol: 'http1',
  start: (source, { path = '/', parser = false } = {}) => {
    const app = express()
    if (parser) app.use(express.text({ type: () => true, limit: '1gb' }))
    app.use(path, source(forExpress.toExpressMiddleware, forExpress.registryMiddleware))
    app.use((_req, res) => void res.status(418).send('host'))
    app.use(
      (_error: unknown, _req: unknown, res: express.Response, _next: unknown) => void res.status(500).send('failed'),
    )
    return listen(createServer({ requestTimeout: 0 }, app))
  },
}

const koa: Mount = {
  name: 'koa',
  protocol: 'http1',
  start: (source, { path = '', parser = false } = {}) => {
    const app = new Koa()
    app.silent = true
    if (parser) {
      app.use(async (ctx, next) => {
        for await (const _ of ctx.req);
        await next()
      })
    }
    const registry = source(forKoa.toKoaMiddleware, forKoa.registryMiddleware)
    // As koa-mount has it: the path is cut only until the middleware's promise settles, and while what follows runs.
    app.use(async (ctx, next) => {
      const whole = ctx.path
      if (!whole.startsWith(`${path}/`)) return next()
      const cut = () => Object.assign(ctx, { path: whole.slice(path.length), mountPath: path })
      const restore = () => Object.assign(ctx, { path: whole })
      cut()
      await registry(ctx, async () => {
        restore()
        await next()
        cut()
      })
      restore()
    })
    app.use((ctx) => {
      ctx.status = 418
      ctx.body = 'host'
    })
    return listen(createServer({ requestTimeout: 0 }, app.callback()))
  },
}

const fastifyMount: Mount = {
  name: 'fastify',
  protocol: 'http1',
  start: async (source, { path = '', parser = false } = {}) => {
    const app = fastify({ requestTimeout: 0 })
    if (parser) {
      app.addHook('onRequest', async (request) => {
        for await (const _ of request.raw);
      })
    }
    await app.register(source(forFastify.toFastifyPlugin, forFastify.registryPlugin), { prefix: path })
    app.setNotFoundHandler((_request, reply) => reply.code(418).send('host'))
    await app.ready()
    return listen(app.server, () => app.close())
  },
}

const hono: Mount = {
  name: 'hono',
  protocol: 'http1',
  start: (source, { path = '', parser = false } = {}) => {
    const app = new Hono()
    if (parser) {
      app.use(async (c, next) => {
        await c.req.arrayBuffer()
        await next()
      })
    }
    app.onError((_error, c) => c.text('failed', 500))
    app.basePath(path).use(source(forFetch.toHonoMiddleware, forFetch.registryMiddleware))
    app.all('*', (c) => c.text('host', 418))
    return listen(createServer({ requestTimeout: 0 }, toListener(app.fetch)))
  },
}

const bareFetch: Mount = {
  name: 'fetch',
  protocol: 'http1',
  start: (source, { path = '', parser = false } = {}) => {
    const registry = source(forFetch.toFetchHandler, forFetch.registryFetch, { mountPath: path })
    const answer = async (request: Request) => {
      if (parser) await request.arrayBuffer()
      return (await registry(request)) ?? new Response('host', { status: 418 })
    }
    return listen(createServer({ requestTimeout: 0 }, toListener(answer)))
  },
}

function toListener(fetch: Parameters<typeof getRequestListener>[0]): RequestListener {
  // Its own `Request` and `Response` would replace the global ones of every test.
  const listener = getRequestListener(fetch, { overrideGlobalObjects: false })
  return (req, res) => void listener(req, res)
}

export const MOUNTS: readonly Mount[] = [node, http2, expressMount, koa, fastifyMount, hono, bareFetch]
