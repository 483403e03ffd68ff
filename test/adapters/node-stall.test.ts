import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  constants,
  createServer as createHttp2Server,
  type Http2Session,
} from 'node:http2'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { toNodeListener } from '../../src/adapters/node.ts'
import { bytesBody, streamBody } from '../../src/bytes.ts'
import type { HttpResponse } from '../../src/http/message.ts'
import { silentLogger } from '../../src/logger.ts'
import {
  END_HEADERS,
  END_STREAM,
  frame,
  HEADERS,
  literal,
  PREFACE,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
} from './http2-frames.ts'

const MINUTES_2 = 120_000
/** More than systems keep for a connection that nobody reads. */
const LARGE = Buffer.alloc(32 * 1024 * 1024)

const opened: { close(): Promise<unknown> }[] = []

afterEach(async () => {
  vi.useRealTimers()
  for (const one of opened.splice(0).reverse()) await one.close()
})

/** A download of a client that has read nothing but the head of the answer yet. */
async function downloading(
  body: () => HttpResponse['body'],
  options: { readonly minDownloadBytesPerSecond?: number } = {},
) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const answer = async (): Promise<HttpResponse> => ({ status: 200, headers: {}, body: body() })
  const server: Server = createServer(
    { requestTimeout: 0 },
    toNodeListener(answer, { logger: silentLogger, ...options }),
  )
  const accepted = once(server, 'connection') as Promise<[Socket]>
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.on('error', () => {})
  opened.push(
    { close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) },
    { close: () => Promise.resolve(client.destroy()) },
  )
  client.write('GET /v2/ HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await once(client, 'readable')
  const [socket] = await accepted
  return { client, socket }
}

/** Reads some of what there is, until the server has room for that much again. */
async function take(client: Socket, bytes: number): Promise<void> {
  for (let taken = 0; taken < bytes; ) {
    const chunk: Buffer | null = client.read()
    if (chunk === null) await once(client, 'readable')
    else taken += chunk.byteLength
  }
}

/** Once nothing goes out any more, the client's and the server's buffers being full. */
async function settled(socket: Socket): Promise<void> {
  let still = 0
  for (let before = -1; still < 20; ) {
    await new Promise((resolve) => setImmediate(resolve))
    const { writeQueueSize = 0 } = (socket as unknown as { _handle: { writeQueueSize?: number } | null })._handle ?? {}
    const now = socket.bytesWritten - writeQueueSize
    still = now === before ? still + 1 : 0
    before = now
  }
}

describe('a download', () => {
  it.each<[string, () => HttpResponse['body']]>([
    ['of a blob', () => bytesBody(LARGE)],
    ['of what is in memory', () => LARGE],
  ])('%s is broken off whose client reads nothing, after two to four minutes', async (_, body) => {
    const { socket } = await downloading(body)
    await settled(socket)
    vi.advanceTimersByTime(MINUTES_2)
    expect(socket.destroyed).toBe(false)
    vi.advanceTimersByTime(MINUTES_2)
    expect(socket.destroyed).toBe(true)
  })

  it('goes on for a client that reads slowly', async () => {
    const { client, socket } = await downloading(() => bytesBody(LARGE))
    await settled(socket)
    vi.advanceTimersByTime(MINUTES_2)
    for (let i = 0; i < 3; i++) {
      await take(client, 4 * 1024 * 1024)
      await settled(socket)
      vi.advanceTimersByTime(MINUTES_2)
      expect(socket.destroyed).toBe(false)
    }
  })

  it('goes on where the storage is the slow one', async () => {
    const slow = new PassThrough()
    slow.write('a')
    const { socket } = await downloading(() => streamBody(slow, 1_000_000))
    await settled(socket)
    for (let i = 0; i < 5; i++) vi.advanceTimersByTime(MINUTES_2)
    expect(socket.destroyed).toBe(false)
  })

  it('goes on with minDownloadBytesPerSecond: 0', async () => {
    const { socket } = await downloading(() => bytesBody(LARGE), { minDownloadBytesPerSecond: 0 })
    await settled(socket)
    for (let i = 0; i < 5; i++) vi.advanceTimersByTime(MINUTES_2)
    expect(socket.destroyed).toBe(false)
  })

  it('leaves no timer', async () => {
    const { client, socket } = await downloading(() => bytesBody(LARGE))
    const closed = new Promise<unknown>((resolve) => socket.once('close', resolve))
    client.destroy()
    await closed
    expect(vi.getTimerCount()).toBe(0)
  })
})

/** The same over http2; what is taken is read from the stream. */
async function downloadingByStream(body: () => HttpResponse['body']) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const released = vi.fn()
  const answer = async (): Promise<HttpResponse> => {
    const sent = body()
    if (sent instanceof Object && 'sendTo' in sent) {
      const dispose = sent[Symbol.asyncDispose].bind(sent)
      Object.assign(sent, { [Symbol.asyncDispose]: () => dispose().then(released) })
    }
    return { status: 200, headers: {}, body: sent }
  }
  const server = createHttp2Server(toNodeListener(answer, { logger: silentLogger }))
  const accepted = once(server, 'connection').then(([socket]) => socket as Socket)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  opened.push(
    { close: () => new Promise((resolve) => server.close(resolve)) },
    { close: () => Promise.resolve(session?.destroy()) },
  )
  let session: ClientHttp2Session | undefined
  const open = async () => {
    session ??= connectHttp2(`http://127.0.0.1:${port}`).on('error', () => {})
    const stream = session.request({ ':path': '/v2/' }).on('error', () => {})
    await once(stream, 'response')
    return stream
  }
  return { open, released, port, accepted }
}

/** As a file is sent: pieces, each when the one before is taken. */
const inPieces = () =>
  streamBody(Readable.from(Array(512).fill(LARGE.subarray(0, 64 * 1024)), { objectMode: false }), LARGE.byteLength)

/** Until nothing moves on the connection any more. */
async function quiet(session: Http2Session | undefined): Promise<void> {
  let still = 0
  for (let before = -1; still < 20; ) {
    await new Promise((resolve) => setImmediate(resolve))
    const now = session?.socket.bytesRead ?? 0
    still = now === before ? still + 1 : 0
    before = now
  }
}

describe('a download over http2', () => {
  it.each<[string, () => HttpResponse['body'], number]>([
    ['of a blob', inPieces, 2],
    ['of what is in memory', () => LARGE.subarray(0, 1024 * 1024), 10],
  ])('%s is broken off whose client reads nothing', async (_, body, periods) => {
    const { open } = await downloadingByStream(body)
    const stream = await open()
    const closed = once(stream, 'close')
    await quiet(stream.session)
    for (let i = 1; i < periods; i++) vi.advanceTimersByTime(MINUTES_2)
    await quiet(stream.session)
    expect(stream.closed).toBe(false)
    vi.advanceTimersByTime(MINUTES_2)
    stream.resume()
    await closed
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL)
  })

  it('goes on for a client that reads slowly, and for those beside one that does not read', async () => {
    const { open, released } = await downloadingByStream(inPieces)
    const [unread, slow] = [await open(), await open()]
    await quiet(slow.session)
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(MINUTES_2)
      for (let taken = 0; taken < 256 * 1024; ) {
        const chunk: Buffer | null = slow.read()
        if (chunk === null) await once(slow, 'readable')
        else taken += chunk.byteLength
      }
      await quiet(slow.session)
    }
    expect([unread.closed, slow.closed]).toEqual([true, false])
    expect(released).toHaveBeenCalledTimes(1)
  })

  it('is broken off on a connection that takes nothing any more', async () => {
    const { port, released, accepted } = await downloadingByStream(inPieces)
    const client = connect(port, '127.0.0.1').pause()
    opened.push({ close: () => Promise.resolve(client.destroy()) })
    client.write(PREFACE)
    client.write(frame(SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(2 ** 30)])))
    client.write(frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 30)))
    const headers = Buffer.from([0x82, ...literal(4, '/v2/'), 0x86, ...literal(1, 'localhost')])
    for (const stream of [1, 3]) client.write(frame(HEADERS, END_STREAM | END_HEADERS, stream, headers))
    await settled(await accepted)
    for (let i = 0; i < 10; i++) vi.advanceTimersByTime(MINUTES_2)
    await settled(await accepted)
    expect(released).toHaveBeenCalledTimes(2)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('leaves no timer', async () => {
    const { open, released } = await downloadingByStream(inPieces)
    const stream = await open()
    const { session } = stream
    stream.close(constants.NGHTTP2_CANCEL)
    await once(stream, 'close')
    await quiet(session)
    expect(released).toHaveBeenCalledTimes(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})
