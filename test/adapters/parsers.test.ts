import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { getRequestListener } from '@hono/node-server'
import express, { type RequestHandler } from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import Koa from 'koa'
import { describe, expect, it } from 'vitest'
import { toExpressMiddleware } from '../../src/adapters/express.ts'
import { toFastifyPlugin } from '../../src/adapters/fastify.ts'
import { toHonoMiddleware } from '../../src/adapters/fetch.ts'
import { toKoaMiddleware } from '../../src/adapters/koa.ts'
import type { HttpHandler } from '../../src/http/message.ts'
import { silentLogger } from '../../src/logger.ts'
import { collect } from '../support/images.ts'

/** Answers with what arrived, or with why it did not. */
const echo: HttpHandler = async ({ url, body, headers }) => {
  if (!url.startsWith('/v2/')) return undefined
  try {
    const arrived = Buffer.concat(await collect(body)).toString()
    return { status: 200, headers: {}, body: `${headers['content-type']}: ${arrived}` }
  } catch (error) {
    return { status: 500, headers: {}, body: String(error) }
  }
}
const quiet = { logger: silentLogger }

async function serving(
  listener: Parameters<typeof createServer>[1],
  use: (origin: string) => Promise<void>,
): Promise<void> {
  const server = createServer({ requestTimeout: 0 }, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    const closed = once(server, 'close')
    server.close().closeAllConnections()
    await closed
  }
}

const keepRaw = express.json({
  verify: (req, _res, bytes) => void Object.assign(req, { rawBody: bytes }),
})

describe('N07: a body parser before the registry in Express', () => {
  const json = { 'content-type': 'application/json' }
  const stream = { 'content-type': 'application/octet-stream' }
  const taken = 'the request body was already read'
  it.each<[string, RequestHandler, Record<string, string>, string | Uint8Array<ArrayBuffer>, string]>([
    ['does no harm to types it does not take', express.json(), stream, '{}', 'application/octet-stream: {}'],
    ['does no harm when it keeps the bytes as the body', express.raw(), stream, 'abc', 'application/octet-stream: abc'],
    ['does no harm when it keeps the bytes as rawBody', keepRaw, json, '{ }', 'application/json: { }'],
    ['does no harm to an empty body', express.json(), json, '', 'application/json: '],
    ['is told of when it keeps values alone', express.json(), json, '{ }', taken],
    ['is told of when it keeps text', express.text({ type: () => true }), stream, 'abc', taken],
    [
      'is told of when it inflated',
      express.raw(),
      { ...stream, 'content-encoding': 'gzip' },
      new Uint8Array(gzipSync('abc')),
      taken,
    ],
  ])('%s', async (_name, parser, headers, body, expected) => {
    const app = express().use(parser).use(toExpressMiddleware(echo, quiet))
    await serving(app, async (origin) => {
      const response = await fetch(`${origin}/v2/a`, { method: 'PUT', headers, body })
      expect(await response.text()).toContain(expected)
    })
  })
})

describe('toExpressMiddleware', () => {
  it('serves a mount at /v2 itself', async () => {
    const app = express().use('/v2', toExpressMiddleware(echo, quiet))
    await serving(app, async (origin) => {
      const response = await fetch(`${origin}/v2/a`, { method: 'PUT', body: 'abc' })
      expect(await response.text()).toBe('text/plain;charset=UTF-8: abc')
    })
  })
})

describe('toKoaMiddleware', () => {
  it('keeps Koa from adding to an answer that is held open', async () => {
    const refuse: HttpHandler = async () => ({ status: 401, headers: {}, body: 'no entry' })
    const app = new Koa().use(toKoaMiddleware(refuse, quiet))
    await serving(app.callback(), async (origin) => {
      const socket = connect(Number(new URL(origin).port), '127.0.0.1')
      socket.write('PUT /v2/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n')
      const heard = Buffer.concat(await collect<Buffer>(socket)).toString()
      expect(heard).toMatch(/^HTTP\/1\.1 401 .*no entry$/s)
    })
  })
})

describe('toFastifyPlugin', () => {
  it('leaves the parsers of the application alone, and malformed types to the registry', async () => {
    const app = fastify({ requestTimeout: 0 })
    app.addHook('onRequest', async (_request, reply) => void reply.header('x-hook', 'ran'))
    await app.register(toFastifyPlugin(echo, quiet))
    app.post('/api', async (request) => ({ parsed: request.body }))
    await app.listen({ port: 0, host: '127.0.0.1' })
    try {
      const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
      const send = (path: string, type: string, body: string) =>
        fetch(origin + path, { method: 'POST', headers: { 'content-type': type }, body })
      expect(await (await send('/api', 'application/json', '{"a":1}')).json()).toEqual({ parsed: { a: 1 } })
      const odd = await send('/v2/a', 'not a type', '{"a":1}')
      expect([await odd.text(), odd.headers.get('x-hook')]).toEqual(['not a type: {"a":1}', 'ran'])
      const long = await send(`/v2/${'a'.repeat(1000)}`, 'application/json', '{')
      expect(await long.text()).toBe('application/json: {')
    } finally {
      await app.close()
    }
  })
})

describe('toHonoMiddleware', () => {
  it.each([
    ['alone', new Hono()],
    ['after a middleware that sets headers', new Hono().use(cors())],
  ])('keeps the connection %s, with the global Response that node-server brings', async (_name, app) => {
    app.use(toHonoMiddleware(echo, quiet))
    const globals = { Request: globalThis.Request, Response: globalThis.Response }
    try {
      await serving(getRequestListener(app.fetch), async (origin) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 })
        const used = new Set<unknown>()
        for (let i = 0; i < 3; i++) {
          const asked = request(`${origin}/v2/a`, { agent, method: 'PUT' }).end('abc')
          const [response] = await once(asked, 'response')
          used.add(response.socket)
          expect(await response.setEncoding('utf8').toArray()).toEqual(['undefined: abc'])
        }
        agent.destroy()
        expect(used.size).toBe(1)
      })
    } finally {
      Object.assign(globalThis, globals)
    }
  })

  it('answers by Fetch alone where there is no Node underneath', async () => {
    const app = new Hono()
      .basePath('/t/:tenant')
      .use(
        toHonoMiddleware(
          async ({ mountPath, url }) => ({ status: 200, headers: {}, body: `${mountPath} ${url}` }),
          quiet,
        ),
      )
    const response = await app.request('http://localhost/t/acme/v2/a?b=c')
    expect(await response.text()).toBe('/t/acme /t/acme/v2/a?b=c')
  })
})
