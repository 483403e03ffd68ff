import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { generate } from 'selfsigned'
import { describe, expect, it, onTestFinished } from 'vitest'
import { registryListener } from '../../src/adapters/node.ts'
import { anyone } from '../../src/auth/access.ts'
import { memory } from '../../src/drivers/memory.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { RemoteBackend } from '../../src/remote/remote-backend.ts'
import { HttpClient } from '../../src/remote/transport/http-client.ts'
import { proxyFromEnvironment } from '../../src/remote/transport/proxy.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { bytes, collect } from '../support/images.ts'
import { uncaughtErrors } from '../support/uncaught-errors.ts'
import { listen, rig } from './rig.ts'

const ONCE = { retries: { attempts: 1 } }

describe('TLS', () => {
  it('is checked against the authorities that are given, unless it is said not to be', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
    })
    const registry = new Registry({ storage: memory(), logger: silentLogger })
    const server = createTlsServer(
      { cert, key },
      registryListener(registry, { access: anyone(), logger: silentLogger }),
    )
    const url = (await listen(server)).replace('http:', 'https:')
    await using strict = new RemoteBackend(url, ONCE)
    await expect(strict.ping()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('a certificate authority of your own goes into tls.ca'),
    })
    await using trusting = new RemoteBackend(url, { ...ONCE, tls: { ca: cert } })
    await trusting.ping()
    await using careless = new RemoteBackend(url, { ...ONCE, tls: { insecure: true } })
    expect(await careless.repository('team/app').blobs.put(bytes('hello'))).toMatchObject({ size: 5 })
  })
})

describe('a client certificate', () => {
  it('is shown to the registry, and to nobody whom it sends us on to', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
    })
    const shown: Record<string, boolean> = {}
    const asking = async (name: string, listener: RequestListener) => {
      const options = { cert, key, requestCert: true, rejectUnauthorized: false }
      const server = createTlsServer(options, (req, res) => {
        shown[name] = (req.socket as TLSSocket).getPeerX509Certificate() !== undefined
        listener(req, res)
      })
      return (await listen(server)).replace('http:', 'https:')
    }
    const other = await asking('the other', (_req, res) => res.writeHead(200, { 'content-length': '5' }).end('hello'))
    const url = await asking('the registry', (_req, res) => res.writeHead(307, { location: `${other}/blob` }).end())
    const digest = digestOf(Buffer.from('hello'))
    await using remote = new RemoteBackend(url, { ...ONCE, tls: { ca: cert, cert, key }, origins: [other] })
    const { body } = await remote.repository('team/app').blobs.open(digest)
    expect(Buffer.concat(await collect<Buffer>(body.stream())).toString()).toBe('hello')
    expect(shown).toEqual({ 'the registry': true, 'the other': false })
  })
})

describe('an HTTP proxy', () => {
  /** Tunnels, and notes to where and with which credentials. */
  async function proxy(): Promise<{ readonly url: string; readonly asked: string[] }> {
    const asked: string[] = []
    const sockets = new Set<Socket>()
    const server = createServer().on('connect', (req, client: Socket) => {
      asked.push(`${req.url} ${req.headers['proxy-authorization'] ?? '-'}`)
      const { hostname, port } = new URL(`http://${req.url}`)
      const upstream = connect(Number(port), hostname, () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n')
        upstream.pipe(client).pipe(upstream)
      })
      sockets.add(upstream.on('error', () => client.destroy())).add(client.on('error', () => upstream.destroy()))
    })
    const url = await listen(server)
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
    })
    return { url, asked }
  }

  it('is called through, with the credentials of its URL', async () => {
    const { url, asked } = await proxy()
    const { url: registryUrl } = await rig()
    await using remote = new RemoteBackend(registryUrl, { ...ONCE, proxy: url.replace('//', '//user:pass@') })
    expect(await remote.repository('team/app').blobs.put(bytes('hello'))).toMatchObject({ size: 5 })
    const basic = `Basic ${Buffer.from('user:pass').toString('base64')}`
    expect(new Set(asked)).toEqual(new Set([`${new URL(registryUrl).host} ${basic}`]))
  })

  it('is left by all requests at once when the client is closed', async () => {
    const { url } = await proxy()
    let waiting = 0
    const client = new HttpClient({ proxy: () => new URL(url) })
    const server = createServer(() => {
      waiting += 1
      if (waiting === 2) client.close()
    })
    const target = new URL(await listen(server))
    const request = { method: 'GET', url: target, headers: {} }
    const answers = await Promise.allSettled([client.send(request), client.send(request)])
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })

  it('is found in the environment, but for hosts that are left out', async () => {
    const environment = { HTTP_PROXY: 'http://proxy.example:3128', NO_PROXY: 'inside.example' }
    const before = { ...process.env }
    Object.assign(process.env, environment)
    onTestFinished(() => {
      for (const name of Object.keys(environment)) {
        if (before[name] === undefined) delete process.env[name]
        else process.env[name] = before[name]
      }
    })
    const proxyFor = await proxyFromEnvironment()
    expect(proxyFor(new URL('http://registry.example/'))?.href).toBe('http://proxy.example:3128/')
    expect(proxyFor(new URL('http://inside.example/'))).toBeUndefined()
  })
})

describe('HttpClient', () => {
  it('uses a connection again after an answer that was read', async () => {
    const ports = new Set<number | undefined>()
    const server = createServer((req, res) => {
      ports.add(req.socket.remotePort)
      res.end('hello')
    })
    const url = new URL(await listen(server))
    const client = new HttpClient()
    onTestFinished(() => client.close())
    for (let i = 0; i < 3; i++) {
      const { body } = await client.send({ method: 'GET', url, headers: {} })
      for await (const _ of body);
    }
    expect(ports.size).toBe(1)
  })

  it('sends many requests with one signal, and is taken for no leak', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => warnings.push(warning)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const server = createServer((_req, res) => res.end('hello'))
    const url = new URL(await listen(server))
    const client = new HttpClient()
    onTestFinished(() => client.close())
    const { signal } = new AbortController()
    const send = async () => {
      const { body } = await client.send({ method: 'GET', url, headers: {}, signal })
      for await (const _ of body);
    }
    await Promise.all(Array.from({ length: 20 }, send))
    await new Promise(setImmediate)
    expect(warnings).toEqual([])
  })

  it('lets what must be public use no connection that was made without looking', async () => {
    const server = createServer((_req, res) => res.end('hello'))
    const url = new URL((await listen(server)).replace('127.0.0.1', 'localhost'))
    const client = new HttpClient()
    onTestFinished(() => client.close())
    const { body } = await client.send({ method: 'GET', url, headers: {} })
    for await (const _ of body);
    await expect(client.send({ method: 'GET', url, headers: {}, publicOnly: true })).rejects.toMatchObject({
      code: 'DENIED',
    })
  })

  it('gives up on a server that does not answer', async () => {
    const server = createServer(() => {})
    const url = new URL(await listen(server))
    const client = new HttpClient({ idleTimeoutMs: 20 })
    onTestFinished(() => client.close())
    await expect(client.send({ method: 'GET', url, headers: {} })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('no answer within 20 ms'),
    })
  })

  it.each([
    ['the server resets it', (socket?: Socket) => void socket?.resetAndDestroy(), 300_000],
    ['nothing comes any more', () => {}, 100],
  ])('fails the body, and nothing else, when %s in the middle', async (_what, act, idleTimeoutMs) => {
    const uncaught = uncaughtErrors()
    let socket: Socket | undefined
    const server = createServer((req, res) => {
      socket = req.socket
      res.writeHead(200, { 'content-length': 10 }).write('hello')
    })
    const url = new URL(await listen(server))
    const client = new HttpClient({ idleTimeoutMs })
    onTestFinished(() => client.close())
    const { body } = await client.send({ method: 'GET', url, headers: {} })
    const reading = collect(body)
    act(socket)
    await expect(reading).rejects.toThrow('aborted')
    await new Promise(setImmediate)
    expect(uncaught).toEqual([])
  })

  it('closes the connections in use', async () => {
    const server = createServer(() => {})
    const url = new URL(await listen(server))
    const client = new HttpClient()
    const answer = client.send({ method: 'GET', url, headers: {} })
    const arrived = new Promise((resolve) => server.once('request', resolve))
    const refused = expect(answer).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await arrived
    client.close()
    await refused
  })
})
