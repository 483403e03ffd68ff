import { once } from 'node:events'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createRawServer, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import fc from 'fast-check'
import { generate } from 'selfsigned'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseResponseHead } from '../../src/remote/transport/bulk/response-head.ts'
import { HttpClient, type HttpClientOptions } from '../../src/remote/transport/http-client.ts'
import { seededBytes } from '../../src/testing/seeded.ts'
import { collect } from '../support/images.ts'
import { uncaughtErrors } from '../support/uncaught-errors.ts'
import { listen } from './rig.ts'

/** Answers each request with the next of `answers`, byte for byte, and counts its connections. */
async function scripted(...answers: readonly (string | Buffer | ((socket: Socket) => void))[]) {
  const left = [...answers]
  const sockets: Socket[] = []
  const state = { connections: 0, requests: [] as string[], sockets }
  const server = createRawServer((socket) => {
    state.connections += 1
    sockets.push(socket.on('error', () => {}))
    socket.on('data', (request) => {
      state.requests.push(String(request))
      const answer = left.shift()
      if (typeof answer === 'function') answer(socket)
      else if (answer !== undefined) socket.write(answer)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return Object.assign(state, { url: new URL(`http://127.0.0.1:${address.port}/blob?x=1`) })
}

function client(options: HttpClientOptions = {}): HttpClient {
  const http = new HttpClient(options)
  onTestFinished(() => http.close())
  return http
}

async function get(http: HttpClient, url: URL, signal?: AbortSignal): Promise<string> {
  const { body } = await http.send({ method: 'GET', url, headers: {}, bulk: true, ...(signal && { signal }) })
  return Buffer.concat(await collect<Buffer>(body)).toString()
}

const PLAIN = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'

describe('a GET in bulk', () => {
  it('sends the request as it is, and uses its connection again', async () => {
    const server = await scripted(`${PLAIN}hello`, `${PLAIN}world`)
    const http = client()
    expect(await get(http, server.url)).toBe('hello')
    expect(await get(http, server.url)).toBe('world')
    expect(server.connections).toBe(1)
    expect(server.requests[0]).toBe(`GET /blob?x=1 HTTP/1.1\r\nhost: ${server.url.host}\r\n\r\n`)
  })

  it('reads an answer in whatever pieces it comes', async () => {
    const server = await scripted((socket) => {
      const bytes = Buffer.from(`${PLAIN}hello`)
      const next = (at: number) => {
        if (at < bytes.byteLength) socket.write(bytes.subarray(at, at + 1), () => setImmediate(next, at + 1))
      }
      socket.setNoDelay(true)
      next(0)
    })
    expect(await get(client(), server.url)).toBe('hello')
  })

  it('brings megabytes, whole', async () => {
    const content = seededBytes(20_000_000, 3)
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${content.byteLength}\r\n\r\n`
    const server = await scripted(Buffer.concat([Buffer.from(head), content]))
    const { body } = await client().send({ method: 'GET', url: server.url, headers: {}, bulk: true })
    expect(Buffer.concat(await collect<Buffer>(body)).equals(content)).toBe(true)
  })

  it.each([
    ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
    ['with a line that goes on', 'HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 5\r\n\r\nhello'],
  ])('leaves an answer %s to another client', async (_what, answer) => {
    const server = await scripted(answer, answer)
    const read = get(client(), server.url)
    // Node's own refuses what it does not take for HTTP, and that is told.
    if (answer.includes('chunked')) expect(await read).toBe('hello')
    else
      await read.then(
        (text) => expect(text).toBe('hello'),
        (error) => expect(error.code).toBe('UNAVAILABLE'),
      )
    expect(server.connections).toBe(2)
  })

  it('needs no body of a redirect that does not tell its length', async () => {
    const server = await scripted('HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n<a>this</a>')
    const { status, headers, body } = await client().send({ method: 'GET', url: server.url, headers: {}, bulk: true })
    expect([status, headers.location, await collect(body)]).toEqual([302, '/a', []])
    expect(server.connections).toBe(1)
  })

  it('asks again when the server ended a connection that was kept', async () => {
    const server = await scripted(`${PLAIN}hello`, (socket) => socket.destroy(), `${PLAIN}world`)
    const http = client()
    expect(await get(http, server.url)).toBe('hello')
    expect(await get(http, server.url)).toBe('world')
    expect(server.connections).toBe(2)
  })

  it.each([
    ['breaks off', (socket: Socket) => socket.end(`${PLAIN}hell`)],
    ['sends more than it announced', (socket: Socket) => socket.write(`${PLAIN}hello!`)],
  ])('ends with an error when the server %s', async (_what, answer) => {
    const server = await scripted(answer)
    await expect(get(client(), server.url)).rejects.toThrow(/the connection ended|more than it announced/)
  })

  it('lets nobody write into the request', async () => {
    const server = await scripted()
    const sent = client().send({
      method: 'GET',
      url: server.url,
      headers: { authorization: 'Bearer a\r\nx-injected: 1' },
      bulk: true,
    })
    await expect(sent).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(server.requests).toEqual([])
  })

  it('ends with the reason of its signal before the answer', async () => {
    const abort = new AbortController()
    const server = await scripted(() => abort.abort(new Error('enough')))
    await expect(get(client(), server.url, abort.signal)).rejects.toThrow('enough')
  })

  it('ends with the reason of its signal within the answer', async () => {
    const server = await scripted((socket) => socket.write(`${PLAIN}he`))
    const abort = new AbortController()
    const { signal } = abort
    const { body } = await client().send({ method: 'GET', url: server.url, headers: {}, bulk: true, signal })
    const reading = collect(body)
    abort.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
  })

  it.each([
    ['is dropped', (body: Readable) => void body.destroy()],
    ['is aborted', (_body: Readable, abort: AbortController) => abort.abort(new Error('enough'))],
  ])('takes nothing from the next answer when one that has come whole %s unread', async (_what, drop) => {
    const server = await scripted(`${PLAIN}hello`, (socket) => socket.write(`${PLAIN}wo`), '')
    const http = client()
    const abort = new AbortController()
    const request = { method: 'GET', url: server.url, headers: {}, bulk: true }
    const first = await http.send({ ...request, signal: abort.signal })
    const second = await http.send(request)
    expect(server.connections).toBe(1)
    const reading = collect<Buffer>(second.body)
    drop(first.body, abort)
    await new Promise(setImmediate)
    server.sockets.at(0)?.write('rld')
    expect(Buffer.concat(await reading).toString()).toBe('world')
  })

  it.each([
    ['breaks', (_abort: AbortController, socket: Socket) => void socket.end()],
    ['is aborted', (abort: AbortController) => abort.abort(new Error('enough'))],
  ])('fails its reader alone when an answer %s before that one is there', async (_what, end) => {
    const uncaught = uncaughtErrors()
    const server = await scripted(`${PLAIN}he`)
    const abort = new AbortController()
    const request = { method: 'GET', url: server.url, headers: {}, bulk: true, signal: abort.signal }
    const { body } = await client().send(request)
    const closed = new Promise((resolve) => body.once('close', resolve)) // `once()` would hear the error
    const [socket] = server.sockets
    if (socket) end(abort, socket)
    await closed
    await expect(collect(body)).rejects.toThrow(/the connection ended|enough/)
    expect(uncaught).toEqual([])
  })

  it('holds no more than its buffers for a reader that does not read', async () => {
    let sent = 0
    const piece = Buffer.alloc(1_000_000)
    const server = await scripted((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n')
      const more = () => {
        while (sent < 1_000_000_000 && socket.write(piece)) sent += piece.byteLength
      }
      socket.on('drain', more)
      more()
    })
    const { body } = await client().send({ method: 'GET', url: server.url, headers: {}, bulk: true })
    body.once('readable', () => {})
    let before = -1
    while (before !== sent) {
      before = sent
      for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(body.readableLength).toBeLessThan(4_000_000)
    expect(sent).toBeLessThan(100_000_000)
    body.destroy()
  })

  it('reads over TLS, from whom it trusts alone', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
    })
    const content = seededBytes(3_000_000, 4)
    const server = createTlsServer({ cert, key }, (_req, res) => {
      res.writeHead(200, { 'content-length': content.byteLength }).end(content)
    })
    const url = new URL((await listen(server)).replace('http:', 'https:'))
    const { body } = await client({ tlsFor: () => ({ ca: cert }) }).send({
      method: 'GET',
      url,
      headers: {},
      bulk: true,
    })
    expect(Buffer.concat(await collect<Buffer>(body)).equals(content)).toBe(true)
    const stranger = client().send({ method: 'GET', url, headers: {}, bulk: true })
    await expect(stranger).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('tls.ca') })
  })
})

describe('parseResponseHead', () => {
  it.each([
    ['HTTP/1.1 200 OK\r\nContent-Length: 5', 200, 5, true],
    ['HTTP/1.1 206\r\ncontent-length: 0\r\nConnection: Close', 206, 0, false],
    ['HTTP/1.0 200 OK\r\nContent-Length:5', 200, 5, false],
    ['HTTP/1.1 307 Temporary Redirect\r\nLocation: /a\r\nTransfer-Encoding: chunked', 307, 0, false],
    ['HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 99', 302, 99, true],
    ['HTTP/1.0 404 Not Found\r\nContent-Length: 5\r\nConnection: keep-alive', 404, 5, true],
  ])('reads %j', (text, status, length, keepAlive) => {
    expect(parseResponseHead(text)).toMatchObject({ status, length, keepAlive })
  })

  it.each([
    '',
    'HTTP/2 200 OK\r\nContent-Length: 5',
    'HTTP/1.1 100 Continue\r\nContent-Length: 5',
    'HTTP/1.1 204 No Content\r\nContent-Length: 5',
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6',
    'HTTP/1.1 200 OK\r\nContent-Length: 5, 5',
    'HTTP/1.1 200 OK\r\nContent-Length: +5',
    'HTTP/1.1 200 OK\r\nContent-Length: 0x5',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked',
    'HTTP/1.1 200 OK\r\nContent-Length : 5',
    'HTTP/1.1 200 OK\r\n Content-Length: 5',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n: x',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nLocation: /a\r\nLocation: /b',
  ])('leaves %j to another', (text) => {
    expect(parseResponseHead(text)).toBeUndefined()
  })

  it('never throws, and finds no length but a whole number', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (name, value) => {
        const head = parseResponseHead(`HTTP/1.1 200 OK\r\n${name}: ${value}`)
        return head === undefined || (Number.isSafeInteger(head.length) && head.length >= 0)
      }),
    )
  })
})
