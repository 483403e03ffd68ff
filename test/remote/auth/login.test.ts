import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/spec/digest.ts'
import { bytes } from '../../support/images.ts'
import { always, type Intercept, type Rig, rig } from '../rig.ts'
import { recordingServers } from '../support/recording-server.ts'

const BOB = { username: 'bob', password: 'secret' }
const BOB_BASIC = `Basic ${Buffer.from('bob:secret').toString('base64')}`

const start = recordingServers()

/** What arrived: the line of each request, and its `Authorization`. */
function logins({ seen }: Rig): readonly string[] {
  return seen.map(({ method, url, headers }) => `${method} ${url.replace(/\?.*/, '')} ${headers.authorization ?? '-'}`)
}

/** Lets through what has this `Authorization`. */
function wants(authorization: string, challenge: string): Intercept {
  return (req, res) => {
    if (req.headers.authorization === authorization) return false
    res.writeHead(401, { 'www-authenticate': challenge }).end()
    return true
  }
}

describe('RemoteBackend logs in', () => {
  it('with a password, asked once', async () => {
    const rigged = await rig({ credentials: BOB })
    rigged.intercept = wants(BOB_BASIC, 'Basic realm="r"')
    await rigged.remote.ping()
    await rigged.remote.ping()
    expect(logins(rigged)).toEqual(['GET /v2/ -', `GET /v2/ ${BOB_BASIC}`, `GET /v2/ ${BOB_BASIC}`])
  })

  it.each([false, true])(
    'not with a token that would end its header, and does not repeat it (in bulk: %s)',
    async (bulk) => {
      const rigged = await rig({ credentials: { registryToken: 'secret\r\nx-injected: 1' } })
      rigged.intercept = wants('Bearer T', 'Bearer realm="r"')
      const { blobs, manifests } = rigged.remote.repository('team/app')
      const asked: Promise<unknown> = bulk ? blobs.open(digestOf(bytes('hello'))) : manifests.get('v1')
      const error: unknown = await asked.catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({
        name: 'RegistryError',
        code: 'UNKNOWN',
        message: expect.not.stringContaining('secret'),
      })
      expect(logins(rigged).every((line) => line.endsWith(' -'))).toBe(true)
    },
  )

  it('and keeps no connection busy where that fails', async () => {
    const rigged = await rig({ maxConnections: 1 })
    rigged.intercept = (_req, res) => {
      // More than fits into the buffers of a connection.
      const body = Buffer.alloc(100_000)
      res.writeHead(401, {
        'www-authenticate': 'Bearer realm="http://127.0.0.1:1/"',
        'content-length': body.byteLength,
      })
      res.end(body)
      return true
    }
    const { manifests } = rigged.remote.repository('team/app')
    for (let i = 0; i < 3; i++) await expect(manifests.get('v1')).rejects.toMatchObject({ code: 'DENIED' })
    expect(rigged.seen).toHaveLength(3)
  })

  it('with tokens for what it is about to do', async () => {
    const rigged = await rig({ credentials: BOB })
    const scopes: string[] = []
    rigged.intercept = (req, res) => {
      const { pathname, searchParams } = new URL(req.url ?? '', rigged.url)
      if (pathname !== '/token') return wants('Bearer T', `Bearer realm="${rigged.url}/token",service="r"`)(req, res)
      scopes.push(...searchParams.getAll('scope'))
      res.end(JSON.stringify({ token: 'T', expires_in: 300 }))
      return true
    }
    const { blobs } = rigged.remote.repository('team/app')
    const { digest } = await blobs.put(bytes('hello'))
    expect(await blobs.stat(digest)).toMatchObject({ size: 5 })
    await rigged.remote.repository('team/other').blobs.mount(digest, 'team/app')
    expect(scopes).toEqual([
      'repository:team/app:pull,push',
      'repository:team/other:pull,push',
      'repository:team/app:pull',
    ])
    expect(logins(rigged).filter((line) => line.endsWith(' -'))).toEqual(['POST /v2/team/app/blobs/uploads/ -'])
    expect(logins(rigged).filter((line) => line.endsWith(BOB_BASIC))).toEqual([
      `GET /token ${BOB_BASIC}`,
      `GET /token ${BOB_BASIC}`,
    ])
  })

  it('with a password where tokens are taken for other things alone', async () => {
    const rigged = await rig({ credentials: BOB })
    rigged.intercept = (req, res) => {
      const path = req.url ?? ''
      if (path.startsWith('/token')) {
        res.end(JSON.stringify({ token: 'T' }))
        return true
      }
      // As Harbor has it: the catalog answers a token with a challenge for a password.
      const sent = req.headers.authorization
      const bearer = `Bearer realm="${rigged.url}/token",service="harbor-registry"`
      if (path.startsWith('/v2/_catalog'))
        return wants(BOB_BASIC, sent === undefined ? bearer : 'Basic realm="harbor"')(req, res)
      return wants('Bearer T', bearer)(req, res)
    }
    const names: string[] = []
    for await (const name of rigged.remote.repositories()) names.push(name)
    expect(names).toEqual([])
    expect(logins(rigged)).toEqual([
      'GET /v2/_catalog -',
      `GET /token ${BOB_BASIC}`,
      'GET /v2/_catalog Bearer T',
      `GET /v2/_catalog ${BOB_BASIC}`,
    ])
    await rigged.remote.ping()
    expect(logins(rigged).at(-1)).toBe('GET /v2/ Bearer T')
  })

  it('no more often than makes sense, however the registry goes on', async () => {
    const rigged = await rig({ credentials: BOB })
    let count = 0
    rigged.intercept = (req, res) => {
      if (req.url?.startsWith('/token')) res.end(JSON.stringify({ token: `T${++count}` }))
      else {
        const scope = `repository:team/app:${'x'.repeat(count + 1)}`
        const challenge = `Bearer realm="${rigged.url}/token",service="r",scope="${scope}", Basic realm="r"`
        res.writeHead(401, { 'www-authenticate': challenge }).end()
      }
      return true
    }
    await expect(rigged.remote.ping()).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    expect(rigged.lines().filter((line) => line === 'GET /v2/')).toHaveLength(4)
  })

  it('with the names and the advice of who refuses', async () => {
    const nobody = await rig()
    nobody.intercept = wants('x', 'Basic realm="r"')
    const { host } = new URL(nobody.url)
    await expect(nobody.remote.ping()).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: `${host} refuses what it was asked without a login (401): wharfage login ${host}`,
    })
    const bob = await rig({ credentials: BOB })
    bob.intercept = wants('x', 'Basic realm="r"')
    await expect(bob.remote.ping()).rejects.toMatchObject({
      message: expect.stringContaining('refuses the user "bob" (401)'),
    })
  })

  it('to nobody who did not ask: a bucket’s challenge is its own', async () => {
    const bucket = await start(() => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="r"' } }))
    const rigged = await rig({ credentials: BOB, origins: [bucket.origin] })
    rigged.intercept = always('GET', /blobs/, (_, res) => res.writeHead(307, { location: `${bucket.origin}/b` }).end())
    const { blobs } = rigged.remote.repository('team/app')
    await expect(blobs.open(digestOf(bytes('x')))).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    await rigged.remote.ping()
    expect(bucket.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
    expect(logins(rigged).every((line) => line.endsWith(' -'))).toBe(true)
  })
})
