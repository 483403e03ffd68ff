import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type AdapterOptions, createRegistryServer, toNodeListener } from '../../src/adapters/node.ts'
import type { AccessController } from '../../src/auth/access.ts'
import { anyone } from '../../src/auth/access.ts'
import { memory } from '../../src/drivers/memory.ts'
import { RegistryError } from '../../src/errors.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from '../../src/http/message.ts'
import { type Logger, silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { withResolvers } from '../support/with-resolvers.ts'

const opened: { close(): Promise<unknown> }[] = []

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  opened.push({
    close: () => {
      const closed = once(server, 'close')
      server.close().closeAllConnections()
      return closed
    },
  })
  return (server.address() as AddressInfo).port
}

function serving(handler: HttpHandler, options: AdapterOptions = { logger: silentLogger }): Promise<number> {
  return listening(createServer({ requestTimeout: 0 }, toNodeListener(handler, options)))
}

/** Everything a server says until it closes, or until `enough` is in it. */
function conversation(socket: Socket, enough?: string): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (enough !== undefined && text.includes(enough)) resolve(text)
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
  })
}

function connectTo(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  opened.push({ close: () => Promise.resolve(socket.destroy()) })
  return socket
}

const head = (method: string, path: string, ...headers: string[]) =>
  [`${method} ${path} HTTP/1.1`, 'host: localhost', ...headers, '', ''].join('\r\n')

const refusal: HttpResponse = { status: 401, headers: { 'www-authenticate': 'Basic' }, body: 'no entry' }

describe('N13: an early answer', () => {
  it('reaches each of 100 clients that send 50 MB without looking', async () => {
    const port = await serving(async () => refusal)
    const chunk = Buffer.alloc(64 * 1024)
    const attempts = Array.from({ length: 100 }, async () => {
      const socket = connectTo(port)
      const heard = conversation(socket)
      socket.write(head('PATCH', '/v2/a', 'content-length: 50000000'))
      let left = 50_000_000
      const fill = () => {
        while (left > 0 && !socket.destroyed) {
          left -= chunk.byteLength
          if (!socket.write(chunk)) return void socket.once('drain', fill)
        }
      }
      fill()
      return heard
    })
    for (const heard of await Promise.all(attempts)) {
      expect(heard).toMatch(/^HTTP\/1\.1 401 .*\r\nconnection: close\r\n.*no entry$/is)
    }
  })

  it('reaches each of 100 clients that send all of 900 kB before they look', async () => {
    const { promise: answered, resolve: answer } = withResolvers()
    let waiting = 100
    const port = await serving(async () => {
      if (--waiting === 0) answer()
      return refusal
    })
    const attempts = Array.from({ length: 100 }, async () => {
      const socket = connectTo(port)
      socket.on('error', () => {})
      socket.write(head('PATCH', '/v2/a', 'content-length: 900000'))
      // By now a connection closed at once would have been reset, and the next writes would fail.
      await answered
      for (let sent = 0; sent < 900_000; sent += 90_000) {
        await new Promise((resolve) => socket.write(Buffer.alloc(90_000), resolve))
      }
      return conversation(socket)
    })
    for (const heard of await Promise.all(attempts)) expect(heard).toMatch(/^HTTP\/1\.1 401 .*no entry$/s)
  })

  it('reaches a client whose body was read in part and then given up', async () => {
    const port = await serving(async ({ body }) => {
      for await (const _ of body) break
      return { status: 413, headers: {}, body: 'too much' }
    })
    const socket = connectTo(port)
    socket.write(head('PUT', '/v2/a', 'content-length: 50000000'))
    socket.write(Buffer.alloc(1_000_000))
    expect(await conversation(socket)).toMatch(/^HTTP\/1\.1 413 .*too much$/is)
  })

  it('keeps the connection when the body had arrived all the same', async () => {
    const port = await serving(async () => refusal)
    const socket = connectTo(port)
    const twice = conversation(socket)
    socket.write(
      `${head('PUT', '/v2/a', 'content-length: 3')}abc${head('PUT', '/v2/a', 'content-length: 3', 'connection: close')}abc`,
    )
    expect((await twice).match(/HTTP\/1\.1 401/g)).toHaveLength(2)
  })
})

describe('an answer at once', () => {
  it('keeps the connection of a request without a body', async () => {
    const port = await serving(async () => ({ status: 200, headers: {}, body: 'well' }))
    const socket = connectTo(port)
    const heard = conversation(socket, 'well')
    socket.write(head('GET', '/v2/'))
    expect(await heard).toContain('Connection: keep-alive')
  })
})

describe('Expect: 100-continue', () => {
  const denied: AccessController = {
    authorize: () => Promise.reject(new RegistryError('UNAUTHORIZED', { headers: { 'www-authenticate': 'Basic' } })),
  }
  const content = Buffer.from('content')
  const target = `/v2/team/app/blobs/uploads/?digest=${digestOf(content)}`
  const asking = head('POST', target, 'expect: 100-continue', 'content-length: 7')

  it('is answered with the refusal alone, and nothing of the body is taken', async () => {
    await using registry = new Registry({ storage: memory() })
    const port = await listening(createRegistryServer(registry, { access: denied, logger: silentLogger }))
    const socket = connectTo(port)
    const heard = conversation(socket, 'UNAUTHORIZED')
    socket.write(asking)
    expect(await heard).toMatch(/^HTTP\/1\.1 401 /)
  })

  it('is answered with a 100 when the body is wanted, and then with the result', async () => {
    await using registry = new Registry({ storage: memory() })
    const port = await listening(createRegistryServer(registry, { access: anyone(), logger: silentLogger }))
    const socket = connectTo(port)
    const begun = conversation(socket, '\r\n\r\n')
    const whole = conversation(socket, '201 Created')
    socket.write(asking)
    expect(await begun).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    socket.write(content)
    expect((await whole).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 100', 'HTTP/1.1 201'])
  })

  it('is left to Node where nobody listens to checkContinue', async () => {
    const port = await serving(async ({ body }) => {
      for await (const _ of body);
      return { status: 201, headers: {}, body: null }
    })
    const socket = connectTo(port)
    const whole = conversation(socket, '201 Created')
    const begun = conversation(socket, '\r\n\r\n')
    socket.write(asking)
    await begun
    socket.write(content)
    expect((await whole).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 100', 'HTTP/1.1 201'])
  })
})

describe('toNodeListener', () => {
  const get = async (port: number, path: string): Promise<IncomingMessage> => {
    const [response] = await once(request({ host: '127.0.0.1', port, path, agent: false }).end(), 'response')
    return response
  }

  it('answers 404 to what is not its own, with an error document, when there is no next', async () => {
    const response = await get(await serving(async () => undefined), '/elsewhere')
    expect(response.statusCode).toBe(404)
    expect(JSON.parse(String(await response.setEncoding('utf8').toArray()))).toEqual({
      errors: [{ code: 'UNSUPPORTED', message: 'not found' }],
    })
  })

  it('answers 500 without the text of an unexpected error, and logs it whole', async () => {
    const errors: unknown[] = []
    const logger: Logger = { ...silentLogger, error: ({ err }) => void errors.push(err) }
    const defect = new Error('secret')
    const response = await get(await serving(() => Promise.reject(defect), { logger }), '/v2/')
    expect(response.statusCode).toBe(500)
    expect(String(await response.setEncoding('utf8').toArray())).not.toContain('secret')
    expect(errors).toEqual([defect])
  })

  it('answers 500 to headers that cannot be sent', async () => {
    const port = await serving(async () => ({ status: 200, headers: { 'x-name': 'a\nb' }, body: 'well' }))
    expect((await get(port, '/v2/')).statusCode).toBe(500)
  })

  it.each<[HttpResponse['body'], string]>([
    [null, '0'],
    ['h\u00e9', '3'],
    [Buffer.from('abc'), '3'],
  ])('says how long a body is where the handler does not: %j', async (body, length) => {
    const port = await serving(async () => ({ status: 200, headers: {}, body }))
    expect((await get(port, '/v2/')).headers['content-length']).toBe(length)
  })

  it('warns once of a server whose requestTimeout would cut uploads off', async () => {
    const warnings: unknown[] = []
    const logger: Logger = { ...silentLogger, warn: (fields) => void warnings.push(fields) }
    const answer: HttpHandler = async () => ({ status: 200, headers: {}, body: null })
    const port = await listening(createServer(toNodeListener(answer, { logger })))
    await get(port, '/v2/')
    await get(port, '/v2/')
    expect(warnings).toEqual([{ requestTimeout: 300_000 }])
  })

  it('hands in the request as it came', async () => {
    const seen: HttpRequest[] = []
    const port = await serving(async (message) => {
      seen.push(message)
      return { status: 200, headers: {}, body: null }
    })
    await get(port, '/v2/a%2Fb?x=%20')
    expect(seen[0]).toMatchObject({
      method: 'GET',
      url: '/v2/a%2Fb?x=%20',
      mountPath: '',
      remoteAddress: '127.0.0.1',
      secure: false,
    })
    expect(seen[0]?.raw).toBe(seen[0]?.body)
  })

  it('breaks off an upload that comes to a halt, and not one that goes on', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      let received = 0
      const chunks = new EventTarget()
      const { promise: failed, resolve: failure } = withResolvers<unknown>()
      const port = await serving(async ({ body }) => {
        try {
          for await (const chunk of body) {
            received += chunk.byteLength
            chunks.dispatchEvent(new Event('more'))
          }
        } catch (error) {
          failure(error)
        }
        return { status: 201, headers: {}, body: null }
      })
      const socket = connectTo(port)
      const send = async (size: number) => {
        const expected = received + size
        socket.write(Buffer.alloc(size))
        while (received < expected) await once(chunks, 'more')
      }
      socket.write(head('PUT', '/v2/a', 'content-length: 1000000'))
      await send(1)
      await send(31 * 1024)
      vi.advanceTimersByTime(30_000)
      await send(31 * 1024)
      vi.advanceTimersByTime(30_000)
      expect(socket.destroyed).toBe(false)
      await send(1000)
      vi.advanceTimersByTime(30_000)
      expect(await failed).toEqual(new Error('the upload came to a halt'))
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('createRegistryServer', () => {
  it('limits headers, and not how long an upload takes', () => {
    const server = createRegistryServer(new Registry({ storage: memory() }), { access: anyone() })
    expect([server.requestTimeout, server.headersTimeout]).toEqual([0, 60_000])
  })
})
