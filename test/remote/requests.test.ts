import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { parseRegistryAddress } from '../../src/remote/registry-url.ts'
import { RemoteBackend } from '../../src/remote/remote-backend.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { bytes, collect } from '../support/images.ts'
import { always, first, listen, type Rig, rig, status } from './rig.ts'

const DIGEST = digestOf(bytes('hello'))
const BLOB = /\/blobs\/sha256:/

/** A client that notes how long it would have waited, and a blob for it. */
async function waiting(attempts?: number): Promise<Rig & { readonly waits: number[] }> {
  const waits: number[] = []
  const sleep = async (ms: number) => void waits.push(ms)
  const rigged = await rig({ retries: { sleep, ...(attempts !== undefined && { attempts }) } })
  await rigged.registry.repository('team/app').blobs.put(bytes('hello'))
  return Object.assign(rigged, { waits })
}

describe('a request that fails for a while', () => {
  it.each([408, 425, 429, 500, 502, 503, 504])('is sent again after %i', async (code) => {
    const rigged = await waiting()
    rigged.intercept = first('HEAD', BLOB, status(code))
    expect(await rigged.remote.repository('team/app').blobs.stat(DIGEST)).toMatchObject({ size: 5 })
    expect(rigged.lines()).toHaveLength(2)
    expect(rigged.waits).toHaveLength(1)
  })

  it('is sent again after no answer, a little later each time, and no more often than it may be', async () => {
    const rigged = await waiting(4)
    rigged.intercept = always('HEAD', BLOB, (req) => req.socket.destroy())
    await expect(rigged.remote.repository('team/app').blobs.stat(DIGEST)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(rigged.lines()).toHaveLength(4)
    expect(rigged.waits).toHaveLength(3)
    for (const [i, wait] of rigged.waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(100 * 2 ** i)
      expect(wait).toBeLessThanOrEqual(200 * 2 ** i)
    }
  })

  it('waits as long as it is told, and not at all for longer than it may', async () => {
    const rigged = await waiting()
    rigged.intercept = first('HEAD', BLOB, status(429, { 'retry-after': '7' }))
    await rigged.remote.repository('team/app').blobs.stat(DIGEST)
    expect(rigged.waits).toEqual([7000])
    rigged.intercept = always('HEAD', BLOB, status(429, { 'retry-after': '3600' }))
    await expect(rigged.remote.repository('team/app').blobs.stat(DIGEST)).rejects.toMatchObject({
      code: 'TOOMANYREQUESTS',
      headers: { 'retry-after': '3600' },
    })
    expect(rigged.waits).toEqual([7000])
  })

  it.each([
    [400, 'UNKNOWN'],
    [403, 'DENIED'],
    [404, 'BLOB_UNKNOWN'],
    [405, 'UNSUPPORTED'],
    [410, 'UNKNOWN'],
    [501, 'UNSUPPORTED'],
  ])('is not sent again after %i', async (code, expected) => {
    const rigged = await waiting()
    rigged.intercept = always('HEAD', BLOB, status(code))
    await expect(rigged.remote.repository('team/app').blobs.stat(DIGEST)).rejects.toMatchObject({ code: expected })
    expect(rigged.lines()).toHaveLength(1)
  })

  it('stops waiting when its signal aborts, with its reason', async () => {
    const rigged = await rig({ retries: {} })
    rigged.intercept = always('HEAD', BLOB, status(503))
    const abort = new AbortController()
    const stat = rigged.remote.repository('team/app').blobs.stat(DIGEST, { signal: abort.signal })
    abort.abort(new Error('enough'))
    await expect(stat).rejects.toThrow('enough')
  })
})

describe('an error', () => {
  it('says who said what, on one line', async () => {
    const rigged = await waiting()
    const document = { errors: [{ code: 'DENIED', message: 'not\nfor \u001b[31myou', detail: { secret: 'x' } }] }
    rigged.intercept = always('GET', BLOB, (_req, res) => res.writeHead(403).end(JSON.stringify(document)))
    const host = new URL(rigged.url).host
    await expect(rigged.remote.repository('team/app').blobs.open(DIGEST)).rejects.toMatchObject({
      code: 'DENIED',
      message: `${host}: not for  [31myou (403)`,
      detail: undefined,
      headers: {},
    })
  })

  it('is not made of more than the registry may say', async () => {
    const rigged = await waiting()
    rigged.intercept = always('GET', BLOB, (_req, res) => {
      res.writeHead(403)
      res.end(Buffer.alloc(1_000_000, 'x'))
    })
    await expect(rigged.remote.repository('team/app').blobs.open(DIGEST)).rejects.toMatchObject({ code: 'DENIED' })
  })

  it.each([
    'Client sent an HTTP request to an HTTPS server.\n',
    '<center>The plain HTTP request was sent to HTTPS port</center>',
    "<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
  ])('says that plain HTTP was spoken: %j', async (text) => {
    const rigged = await waiting()
    rigged.intercept = always('GET', BLOB, (_req, res) => {
      res.writeHead(400)
      res.end(text)
    })
    await expect(rigged.remote.repository('team/app').blobs.open(DIGEST)).rejects.toMatchObject({
      code: 'UNKNOWN',
      message: expect.stringMatching(/: it was sent plain HTTP, and speaks TLS \(400\)$/),
    })
  })

  it('tells a certificate that is not trusted from a registry that is not there', async () => {
    const server = createServer()
    const url = new URL(await listen(server))
    await using remote = new RemoteBackend(`https://${url.host}`, { retries: { attempts: 1 } })
    await expect(remote.ping()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/tls|SSL/i),
    })
    await using gone = new RemoteBackend('http://127.0.0.1:1', { retries: { attempts: 1 } })
    await expect(gone.ping()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('127.0.0.1:1 does not answer: connect ECONNREFUSED'),
    })
  })
})

describe('redirects', () => {
  it('are followed for blobs, five times at most', async () => {
    const rigged = await waiting()
    let hops = 0
    rigged.intercept = always('GET', BLOB, (req, res) => {
      hops += 1
      status(307, { location: `${req.url}?hop=${hops}` })(req, res)
    })
    const open = rigged.remote.repository('team/app').blobs.open(DIGEST)
    await expect(open).rejects.toMatchObject({ message: expect.stringContaining('more than 5 times') })
    expect(hops).toBe(6)
  })

  it('keep the range that was asked for', async () => {
    const rigged = await waiting()
    rigged.intercept = first('GET', BLOB, (req, res) => status(307, { location: `${req.url}` })(req, res))
    const { body } = await rigged.remote.repository('team/app').blobs.open(DIGEST, { range: { start: 1, end: 3 } })
    expect(Buffer.concat(await collect<Buffer>(body.stream())).toString()).toBe('el')
    expect(rigged.seen.map(({ headers }) => headers.range)).toEqual(['bytes=1-2', 'bytes=1-2'])
  })
})

describe('parseRegistryAddress', () => {
  it.each([
    ['docker.io', 'docker.io', 'https://registry-1.docker.io/'],
    ['https://index.docker.io/v1/', 'docker.io', 'https://registry-1.docker.io/'],
    ['registry.example', 'registry.example', 'https://registry.example/'],
    ['registry.example:5000', 'registry.example:5000', 'https://registry.example:5000/'],
    ['localhost:5000', 'localhost:5000', 'http://localhost:5000/'],
    ['127.0.0.1:5000', '127.0.0.1:5000', 'http://127.0.0.1:5000/'],
    ['[::1]:5000', '[::1]:5000', 'http://[::1]:5000/'],
    ['http://registry.example/', 'registry.example', 'http://registry.example/'],
    ['https://registry.example/sub/path/', 'registry.example', 'https://registry.example/sub/path'],
    ['https://registry.example/v2/', 'registry.example', 'https://registry.example/'],
  ])('reads %s', (text, name, url) => {
    const address = parseRegistryAddress(text)
    expect([address.name, address.url.href]).toEqual([name, url])
  })

  it.each([
    '',
    'https://',
    'ftp://registry.example',
    'https://user:secret@registry.example',
    'https://registry.example?x=1',
    'a b',
  ])('rejects %j, and repeats no password', (text) => {
    expect(() => parseRegistryAddress(text)).toThrow(TypeError)
    expect(() => parseRegistryAddress(text)).not.toThrow(/secret/)
  })
})

describe('new RemoteBackend', () => {
  it.each([
    [{ proxi: 'x' }, 'did you mean "proxy"?'],
    [{ proxy: 'not a url' }, 'must be the URL of an HTTP proxy'],
    [{ maxChunkBytes: 0 }, 'must be more than 0'],
    [{ credentials: { username: 'a' } }, 'credentials are'],
    [{ realms: ['auth.example'] }, 'takes origins'],
  ])('rejects %j', (options, message) => {
    expect(() => new RemoteBackend('registry.example', options as never)).toThrow(message)
  })
})
