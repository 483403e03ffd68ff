import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { type ClientHttp2Stream, connect, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { toNodeListener } from '../../src/adapters/node.ts'
import type { HttpHandler } from '../../src/http/message.ts'
import { silentLogger } from '../../src/logger.ts'
import { uncaughtErrors } from '../support/uncaught-errors.ts'
import { withResolvers } from '../support/with-resolvers.ts'

const PERIOD_MS = 30_000

const closers: (() => unknown)[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const close of closers.splice(0).reverse()) await close()
})

/** A server whose handler takes the body and looks at it when it is told to; and an upload to it that brings nothing. */
async function uploading(version: 1 | 2) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const { promise: begun, resolve: begin } = withResolvers()
  const { promise: isTaken, resolve: taken } = withResolvers()
  const { promise: outcome, resolve: tell } = withResolvers<string>()
  const handler: HttpHandler = async ({ body }) => {
    taken()
    await begun
    const source = body instanceof Readable ? body.iterator({ destroyOnReturn: false }) : body
    try {
      for await (const _ of source) await Promise.resolve()
      tell('read')
    } catch (error) {
      tell(String(error))
    }
    return { status: 204, headers: {}, body: null }
  }
  const listener = toNodeListener(handler, { logger: silentLogger })
  const server = version === 1 ? createServer({ requestTimeout: 0 }, listener) : createHttp2Server(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  closers.push(() => new Promise((resolve) => server.close(resolve)))
  if (version === 1) {
    const upload = request({ port, host: '127.0.0.1', method: 'PUT', path: '/v2/a' }).on('error', () => {})
    upload.flushHeaders()
    closers.push(() => upload.destroy())
    await isTaken
    return { begin, outcome, end: () => upload.end('all of it') }
  }
  const session = connect(`http://127.0.0.1:${port}`).on('error', () => {})
  const upload = session.request({ ':method': 'PUT', ':path': '/v2/a' }, { endStream: false }).on('error', () => {})
  closers.push(() => session.destroy())
  await isTaken
  return { begin, outcome, end: () => upload.end('all of it') }
}

describe.each([1, 2] as const)('an upload over http/%i', (version) => {
  it('is waited for as long as nobody reads it', async () => {
    const uncaught = uncaughtErrors()
    const { begin, outcome, end } = await uploading(version)
    vi.advanceTimersByTime(3 * PERIOD_MS)
    await new Promise((resolve) => setImmediate(resolve))
    end()
    begin()
    expect(await outcome).toBe('read')
    expect(uncaught).toEqual([])
  })

  it('is broken off when it comes to a halt while it is read', async () => {
    const uncaught = uncaughtErrors()
    const { begin, outcome } = await uploading(version)
    begin()
    await new Promise((resolve) => setImmediate(resolve))
    vi.advanceTimersByTime(2 * PERIOD_MS)
    expect(await outcome).toContain('the upload came to a halt')
    expect(uncaught).toEqual([])
  })
})

/** A server over http2, and one connection to it, on which uploads begin. */
async function connected(handler: HttpHandler): Promise<(path: string) => ClientHttp2Stream> {
  const server = createHttp2Server(toNodeListener(handler, { logger: silentLogger })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).on('error', () => {})
  closers.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => session.destroy(),
  )
  return (path) => session.request({ ':method': 'PUT', ':path': path }, { endStream: false }).on('error', () => {})
}

describe('an upload over http/2', () => {
  it('is not broken off that is here whole, however long the storage takes', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { promise: stored, resolve: store } = withResolvers()
    const { promise: arrived, resolve: arrive } = withResolvers()
    const handler: HttpHandler = async ({ body }) => {
      for await (const _ of body) {
        arrive()
        await stored
      }
      return { status: 201, headers: {}, body: null }
    }
    const begin = await connected(handler)
    const upload = begin('/v2/a')
    const answered = once(upload, 'response')
    upload.end('all of it')
    await arrived
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    vi.advanceTimersByTime(4 * PERIOD_MS)
    store()
    const [{ ':status': status }] = await answered
    expect(status).toBe(201)
  })

  it('is broken off although another one on its connection goes on', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const received = new Map<string, number>()
    const outcomes = new Map<string, string>()
    const handler: HttpHandler = async ({ url, body }) => {
      try {
        for await (const chunk of body) received.set(url, (received.get(url) ?? 0) + chunk.byteLength)
        outcomes.set(url, 'read')
      } catch (error) {
        outcomes.set(url, String(error))
      }
      return { status: 204, headers: {}, body: null }
    }
    const begin = await connected(handler)
    const put = (path: string) => {
      const upload = begin(path)
      upload.write('x'.repeat(1000))
      return upload
    }
    const halted = put('/v2/halted')
    const closed = once(halted, 'close')
    const lively = put('/v2/lively')
    for (let period = 1; period <= 3; period++) {
      lively.write('x'.repeat(40_000))
      while ((received.get('/v2/lively') ?? 0) < 1000 + period * 40_000 || !received.has('/v2/halted')) {
        await new Promise((resolve) => setImmediate(resolve))
      }
      vi.advanceTimersByTime(PERIOD_MS)
    }
    await closed
    expect(outcomes.get('/v2/halted')).toContain('the upload came to a halt')
    lively.end()
    await once(lively, 'response')
    expect(outcomes.get('/v2/lively')).toBe('read')
  })
})
