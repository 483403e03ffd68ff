// P03 and P05 with real servers: which of them are called, and what arrives there.
import { createServer as createTlsServer } from 'node:https'
import { generate } from 'selfsigned'
import { describe, expect, it } from 'vitest'
import { readAll } from '../../../src/bytes.ts'
import { RemoteBackend } from '../../../src/remote/remote-backend.ts'
import { HttpClient } from '../../../src/remote/transport/http-client.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { bytes } from '../../support/images.ts'
import { always, status as headOnly, type Intercept, listen, type Rig, rig } from '../rig.ts'
import { type Answerer, recordingServers } from '../support/recording-server.ts'

const BOB = { username: 'bob', password: 'secret' }
const BOB_BASIC = `Basic ${Buffer.from('bob:secret').toString('base64')}`
const CONTENT = bytes('hello')
const DIGEST = digestOf(CONTENT)
const BLOB = `/v2/team/app/blobs/${DIGEST}`

const start = recordingServers()

/** A registry that wants a password, its client, which knows that already, and another server that it sends people to. */
async function withOther(answer: Answerer, options: { readonly listed?: boolean } = {}) {
  const other = await start(answer)
  const rigged = await rig({ credentials: BOB, origins: options.listed === false ? [] : [other.origin] })
  const wantsLogin: Intercept = (req, res) => {
    if (req.headers.authorization !== undefined) return false
    res.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
    return true
  }
  rigged.intercept = wantsLogin
  await rigged.remote.ping()
  rigged.seen.length = 0
  return { other, rigged, blobs: rigged.remote.repository('team/app').blobs }
}

/** An answer with nothing in it, and which says so: one without a length may be asked for twice. */
function status(code: number, headers: Record<string, string>) {
  return headOnly(code, { 'content-length': '0', ...headers })
}

/** What a server must not be told by those who were sent there. */
function secrets(servers: { readonly requests: readonly { readonly headers: Record<string, unknown> }[] }) {
  return servers.requests.map(({ headers }) =>
    Object.keys(headers).filter((name) => /authorization|cookie|auth|referer/i.test(name)),
  )
}

function sentTo({ seen }: Rig): readonly (string | undefined)[] {
  return seen.map(({ headers }) => headers.authorization)
}

async function read(rigged: Rig): Promise<string | undefined> {
  const { body } = await rigged.remote.repository('team/app').blobs.open(DIGEST)
  const content = await readAll(body.stream(), 1024)
  return content && Buffer.from(content).toString()
}

describe('P03, CVE-2025-21620: a redirect', () => {
  it.each([301, 302, 303, 307, 308])('with %i to another origin takes no credentials along', async (code) => {
    const { other, rigged } = await withOther(() => ({ body: 'hello' }))
    rigged.intercept = always(
      'GET',
      /blobs/,
      status(code, { location: `${other.origin}/bucket?signed=1`, 'set-cookie': 'a=b' }),
    )
    expect(await read(rigged)).toBe('hello')
    expect(other.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /bucket?signed=1'])
    expect(secrets(other)).toEqual([[]])
    expect(sentTo(rigged)).toEqual([BOB_BASIC])
  })

  it('to a private address that nobody allowed is not followed', async () => {
    const { other, rigged, blobs } = await withOther(() => ({ body: 'hello' }), { listed: false })
    rigged.intercept = always('GET', /blobs/, status(307, { location: `${other.origin}/bucket` }))
    await expect(blobs.open(DIGEST)).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining(`(allow it with origins: ['${other.origin}'])`),
    })
    expect(other.requests).toEqual([])
  })

  it.each([
    'file:///etc/passwd',
    'ftp://127.0.0.1/x',
    'javascript:alert(1)',
    'http://user:secret@127.0.0.1/x',
    'http://0.0.0.0/x',
    'http://[::]/x',
    'http://[::1]/x',
    'http://[::ffff:7f00:1]/x',
    'http://2130706433/x',
    'http://0x7f.1/x',
    'http://017700000001/x',
    'http://localhost/x',
    'http://localhost./x',
    'http://169.254.169.254/latest/meta-data',
    'http://100.64.0.1/x',
    'http://224.0.0.1/x',
    'http://[64:ff9b::7f00:1]/x',
    'http://[2002:7f00:1::]/x',
  ])('to %s is not followed', async (location) => {
    const { rigged, blobs } = await withOther(() => ({}))
    rigged.intercept = always('GET', /blobs/, status(302, { location }))
    await expect(blobs.open(DIGEST)).rejects.toMatchObject({ code: 'DENIED' })
    expect(rigged.seen).toHaveLength(1)
  })

  it('to the registry’s own origin keeps the credentials', async () => {
    const { rigged } = await withOther(() => ({}))
    rigged.intercept = (req, res) => {
      if (req.url === BLOB) status(307, { location: '/elsewhere' })(req, res)
      else res.end('hello')
      return true
    }
    expect(await read(rigged)).toBe('hello')
    expect(sentTo(rigged)).toEqual([BOB_BASIC, BOB_BASIC])
  })

  it('back to the registry, by whom it sent us to, does not act for its user', async () => {
    const { other, rigged } = await withOther(() => ({ status: 307, headers: { location: `${rigged.url}/v2/secret` } }))
    rigged.intercept = (req, res) => {
      if (req.url === BLOB) status(307, { location: `${other.origin}/bucket` })(req, res)
      else res.end('hello')
      return true
    }
    expect(await read(rigged)).toBe('hello')
    expect(rigged.lines()).toEqual([`GET ${BLOB}`, 'GET /v2/secret'])
    expect(sentTo(rigged)).toEqual([BOB_BASIC, undefined])
  })

  it('is followed five times across origins, and no sixth', async () => {
    for (const [length, works] of [
      [5, true],
      [6, false],
    ] as const) {
      const { other, rigged, blobs } = await withOther(({ path }) => {
        const hops = Number(path.slice(1))
        return hops < length ? { status: 302, headers: { location: `/${hops + 1}` } } : { body: 'hello' }
      })
      rigged.intercept = always('GET', /blobs/, status(302, { location: `${other.origin}/1` }))
      if (works) expect(await read(rigged)).toBe('hello')
      else await expect(blobs.open(DIGEST)).rejects.toMatchObject({ code: 'UNKNOWN' })
      expect(new Set(other.requests.map(({ path }) => path))).toEqual(new Set(['/1', '/2', '/3', '/4', '/5']))
    }
  })

  it('from https to http is not followed', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
    })
    const other = await start(() => ({ body: 'hello' }))
    const server = createTlsServer({ cert, key }, (_, res) =>
      res.writeHead(307, { location: `${other.origin}/x` }).end(),
    )
    const url = (await listen(server)).replace('http:', 'https:')
    await using remote = new RemoteBackend(url, { credentials: BOB, tls: { ca: cert }, origins: [other.origin] })
    await expect(remote.repository('team/app').blobs.open(DIGEST)).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringMatching(/is not https$/),
    })
    expect(other.requests).toEqual([])
  })

  it('of a name that resolves to this machine is not followed, whatever it resolved to before', async () => {
    const { port } = new URL((await start(() => ({ body: 'secret' }))).origin)
    const answers = ['8.8.8.8', '127.0.0.1', '::ffff:127.0.0.1', '0.0.0.0']
    const asked: string[] = []
    const http = new HttpClient({
      connectTimeoutMs: 1,
      resolve: (hostname, _options, callback) => {
        const address = answers[Math.min(asked.push(hostname), answers.length - 1)] ?? ''
        callback(null, [{ address, family: address.includes(':') ? 6 : 4 }])
      },
    })
    const url = new URL(`http://rebind.example:${port}/x`)
    for (let count = 0; count < 3; count++) {
      await expect(http.send({ method: 'GET', url, headers: {}, publicOnly: true })).rejects.toMatchObject({
        code: 'DENIED',
      })
    }
    http.close()
    expect(asked).toEqual(['rebind.example', 'rebind.example', 'rebind.example'])
  })

  it.each(['127.0.0.1', '[::1]', '0.0.0.0', '[::ffff:127.0.0.1]'])(
    'of an address needs no resolver to be refused: %s',
    async (host) => {
      const server = await start(() => ({ body: 'secret' }))
      const http = new HttpClient()
      const url = new URL(`http://${host}:${new URL(server.origin).port}/x`)
      await expect(http.send({ method: 'GET', url, headers: {}, publicOnly: true })).rejects.toMatchObject({
        code: 'DENIED',
      })
      http.close()
      expect(server.requests).toEqual([])
    },
  )
})

describe('The location of an upload', () => {
  const accept: Answerer = ({ method }) => (method === 'PUT' ? { status: 201 } : { status: 202 })

  it('on another origin gets the bytes and no credentials', async () => {
    const { other, rigged, blobs } = await withOther(accept)
    rigged.intercept = always('POST', /uploads/, status(202, { location: `${other.origin}/upload?state=1` }))
    await blobs.put(CONTENT)
    expect(other.requests.map(({ method, path, body }) => [method, path, body])).toEqual([
      ['PUT', `/upload?state=1&digest=${encodeURIComponent(DIGEST)}`, 'hello'],
    ])
    expect(secrets(other)).toEqual([[]])
  })

  it('on a private address that nobody allowed gets nothing', async () => {
    const { other, rigged, blobs } = await withOther(accept, { listed: false })
    rigged.intercept = always('POST', /uploads/, status(202, { location: `${other.origin}/upload` }))
    await expect(blobs.put(CONTENT)).rejects.toMatchObject({ code: 'DENIED' })
    expect(other.requests).toEqual([])
  })

  it('is not made of an id that leads elsewhere', async () => {
    const { rigged, blobs } = await withOther(() => ({}))
    for (const location of [
      '//evil.example/v2/team/app/blobs/uploads/x',
      '/\\evil.example/v2/team/app/blobs/uploads/x',
      '/\t/evil.example/v2/team/app/blobs/uploads/x',
      'http://evil.example/v2/team/app/blobs/uploads/x',
      '/v2/team/app/blobs/uploads/../../../../secret',
      '/v2/team/other/blobs/uploads/x',
    ]) {
      const id = `=${Buffer.from(location).toString('base64url')}`
      await expect(blobs.resumeUpload(id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
    }
    expect(rigged.seen).toEqual([])
  })
})

describe('The next page', () => {
  it.each<[what: string, listed: boolean]>([
    ['private', false],
    ['allowed for other things', true],
  ])('on another origin is not read: one that is %s', async (_what, listed) => {
    const { other, rigged } = await withOther(() => ({ body: { tags: ['b'] } }), { listed })
    rigged.intercept = always('GET', /tags/, (_, res) => {
      res.writeHead(200, { link: `<${other.origin}/v2/team/app/tags/list?last=a>; rel="next"` })
      res.end('{"name":"team/app","tags":["a"]}')
    })
    const read = async () => {
      for await (const _ of rigged.remote.repository('team/app').tags.list());
    }
    await expect(read()).rejects.toMatchObject({ code: 'DENIED' })
    expect(other.requests).toEqual([])
  })
})

describe('A token server', () => {
  const challenge = (origin: string) =>
    status(401, { 'www-authenticate': `Bearer realm="${origin}/token",service="r",scope="registry:catalog:*"` })

  it('on another origin is given credentials only where it is listed', async () => {
    const other = await start(() => ({ body: { token: 'T' } }))
    for (const [options, outcome] of [
      [{}, 'not called'],
      [{ origins: [other.origin] }, 'called as nobody'],
      [{ realms: [other.origin] }, 'called with credentials'],
    ] as const) {
      const rigged = await rig({ credentials: BOB, ...options })
      rigged.intercept = (req, res) => {
        if (req.headers.authorization === 'Bearer T') return false
        challenge(other.origin)(req, res)
        return true
      }
      const before = other.requests.length
      const pinged = rigged.remote.ping()
      if (outcome === 'not called') await expect(pinged).rejects.toMatchObject({ code: 'DENIED' })
      else await pinged
      const sent = other.requests.slice(before).map(({ headers }) => headers.authorization)
      expect([outcome, sent]).toEqual([
        outcome,
        { 'not called': [], 'called as nobody': [undefined], 'called with credentials': [BOB_BASIC] }[outcome],
      ])
      expect(sentTo(rigged).filter((authorization) => authorization === BOB_BASIC)).toEqual([])
    }
  })

  it('sends nobody on to another origin, not even to the registry', async () => {
    const stranger = await start(() => ({ body: { token: 'T' } }))
    const targets = [`${stranger.origin}/token`, 'http://169.254.169.254/token', 'file:///etc/passwd']
    for (const location of targets) {
      const other = await start(() => ({ status: 307, headers: { location } }))
      const rigged = await rig({ credentials: BOB, realms: [other.origin], origins: [stranger.origin] })
      rigged.intercept = always('GET', /v2/, challenge(other.origin))
      await expect(rigged.remote.ping()).rejects.toMatchObject({ code: 'DENIED' })
      expect(other.requests).toHaveLength(1)
    }
    expect(stranger.requests).toEqual([])
  })
})

describe('P04, CVE-2020-15157: the urls of a descriptor', () => {
  it('are called by nobody', async () => {
    const other = await start(() => ({ body: 'hello' }))
    const rigged = await rig({ credentials: BOB, origins: [other.origin], realms: [other.origin] })
    const { blobs, manifests } = rigged.registry.repository('team/app')
    const config = await blobs.put(bytes('{}'))
    const manifest = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { ...config, mediaType: 'application/vnd.oci.image.config.v1+json' },
      layers: [
        {
          mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
          digest: DIGEST,
          size: 5,
          urls: [`${other.origin}/layer`],
        },
      ],
    }
    const content = bytes(JSON.stringify(manifest))
    await manifests.put(content, { mediaType: manifest.mediaType, tags: ['v1'] })
    const remote = rigged.remote.repository('team/app')
    expect(Buffer.from((await remote.manifests.get('v1')).content)).toEqual(Buffer.from(content))
    await expect(remote.blobs.open(DIGEST)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    expect(other.requests).toEqual([])
  })
})
