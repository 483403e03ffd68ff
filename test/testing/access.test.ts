import { describe, expect, it } from 'vitest'
import { image, manualClock } from '../../src/testing/index.ts'
import type { ClientResponse } from '../support/http-client.ts'
import { basic, bearer, codeOf, type Started, testRegistries } from '../support/test-registries.ts'

const start = testRegistries()
const users = { alice: 'secret', bob: 'hunter2' }

const challengeOf = ({ status, headers }: ClientResponse) => [status, headers['www-authenticate']]

describe('startRegistry with users', () => {
  it('asks for a name and a password, and knows a wrong one', async () => {
    const { send, push } = await start({ users })
    await push('app:v1', image())
    const challenge = [401, 'Basic realm="test registry"']
    expect(challengeOf(await send('GET', '/v2/'))).toEqual(challenge)
    expect(challengeOf(await send('GET', '/v2/app/manifests/v1'))).toEqual(challenge)
    expect(challengeOf(await send('GET', '/v2/', { headers: basic('alice', 'hunter2') }))).toEqual(challenge)
    expect(challengeOf(await send('GET', '/v2/', { headers: basic('toString', '') }))).toEqual(challenge)
    const headers = basic('alice', 'secret')
    expect((await send('GET', '/v2/', { headers })).status).toBe(200)
    expect((await send('GET', '/v2/app/manifests/v1', { headers })).status).toBe(200)
  })

  it('lets anybody pull, if wanted, and nobody push without a login', async () => {
    const { send, push } = await start({ users, anonymousPull: true })
    await push('app:v1', image())
    expect((await send('GET', '/v2/app/manifests/v1')).status).toBe(200)
    expect((await send('POST', '/v2/app/blobs/uploads/')).status).toBe(401)
    expect((await send('GET', '/v2/')).status).toBe(401)
  })

  it('lets users do what their rights say', async () => {
    const { send } = await start({ users, rights: (user, { name }) => name.startsWith(`${user}/`) })
    const headers = basic('alice', 'secret')
    expect((await send('POST', '/v2/alice/app/blobs/uploads/', { headers })).status).toBe(202)
    const refused = await send('POST', '/v2/bob/app/blobs/uploads/', { headers })
    expect([refused.status, codeOf(refused)]).toEqual([403, 'DENIED'])
  })

  it('tells events who it was', async () => {
    const { send, registry } = await start({ users })
    const actors: unknown[] = []
    registry.on('blob.pushed', ({ actor }) => actors.push(actor))
    const digest = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    await send('POST', `/v2/app/blobs/uploads/?digest=${digest}`, { headers: basic('bob', 'hunter2') })
    expect(actors).toEqual(['bob'])
  })
})

describe('startRegistry with tokens', () => {
  const get = async ({ send }: Started, query: string, headers = {}) => {
    const response = await send('GET', `/token?${query}`, { headers })
    return { status: response.status, ...JSON.parse(response.body.toString()) }
  }

  const post = async ({ send }: Started, form: Record<string, string>) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const response = await send('POST', '/token', { headers, body: Buffer.from(String(new URLSearchParams(form))) })
    return { status: response.status, ...JSON.parse(response.body.toString()) }
  }

  it('says where to get one, for what', async () => {
    const { send, url, host } = await start({ users, auth: 'token' })
    const where = `Bearer realm="${url}/token",service="${host}"`
    expect(challengeOf(await send('GET', '/v2/'))).toEqual([401, where])
    expect(challengeOf(await send('GET', '/v2/team/app/tags/list'))).toEqual([
      401,
      `${where},scope="repository:team/app:pull"`,
    ])
    expect(challengeOf(await send('POST', '/v2/team/app/blobs/uploads/'))).toEqual([
      401,
      `${where},scope="repository:team/app:pull,push"`,
    ])
    expect(challengeOf(await send('GET', '/v2/_catalog'))).toEqual([401, `${where},scope="registry:catalog:*"`])
  })

  it('gives one for the password, which is good for what was asked and no more', async () => {
    const clock = manualClock()
    const registry = await start({ users, auth: 'token', clock })
    await registry.push('team/app:v1', image())
    await registry.push('other:v1', image())
    const scope = 'scope=repository:team/app:pull'
    const given = await get(registry, scope, basic('alice', 'secret'))
    expect(given).toEqual({
      status: 200,
      token: expect.any(String),
      access_token: given.token,
      expires_in: 300,
      issued_at: '2020-01-01T00:00:00.000Z',
    })
    const headers = bearer(given.token)
    expect((await registry.send('GET', '/v2/', { headers })).status).toBe(200)
    expect((await registry.send('GET', '/v2/team/app/manifests/v1', { headers })).status).toBe(200)
    const where = `Bearer realm="${registry.url}/token",service="${registry.host}"`
    expect(challengeOf(await registry.send('GET', '/v2/other/manifests/v1', { headers }))).toEqual([
      401,
      `${where},scope="repository:other:pull",error="insufficient_scope"`,
    ])
    expect((await registry.send('POST', '/v2/team/app/blobs/uploads/', { headers })).status).toBe(401)

    clock.advance(300_000)
    expect(challengeOf(await registry.send('GET', '/v2/', { headers }))).toEqual([
      401,
      `${where},error="invalid_token"`,
    ])
  })

  it('takes several scopes, and leaves out what a user may not', async () => {
    const rights = (user: string | undefined, { action }: { action: string }) => user === 'alice' || action === 'pull'
    const registry = await start({ users, auth: 'token', rights, token: { ttlSeconds: 60 } })
    const scope = 'scope=repository:a:pull,push&scope=repository:b:pull%20repository:c:delete'
    const alice = bearer((await get(registry, scope, basic('alice', 'secret'))).token)
    const bob = bearer((await get(registry, scope, basic('bob', 'hunter2'))).token)
    const uploads = (name: string, headers: { readonly authorization: string }) =>
      registry.send('POST', `/v2/${name}/blobs/uploads/`, { headers }).then(({ status }) => status)
    expect(await uploads('a', alice)).toBe(202)
    expect(await uploads('b', alice)).toBe(401)
    expect(await uploads('a', bob)).toBe(401)
    const missing = `/v2/c/manifests/sha256:${'0'.repeat(64)}`
    expect((await registry.send('DELETE', missing, { headers: alice })).status).toBe(404)
    expect((await registry.send('DELETE', missing, { headers: bob })).status).toBe(401)
  })

  it('gives none for a wrong password, nor for none', async () => {
    const registry = await start({ users, auth: 'token' })
    expect((await get(registry, 'scope=repository:a:pull', basic('alice', 'wrong'))).status).toBe(401)
    expect((await get(registry, 'scope=repository:a:pull')).status).toBe(401)
    expect((await registry.send('GET', '/v2/', { headers: bearer('made-up') })).status).toBe(401)
    expect((await registry.send('GET', '/v2/', { headers: basic('alice', 'secret') })).status).toBe(401)
  })

  it('gives anybody one to pull with, if wanted', async () => {
    const registry = await start({ auth: 'token', anonymousPull: true })
    await registry.push('app:v1', image())
    const headers = bearer((await get(registry, 'scope=repository:app:pull,push')).token)
    expect((await registry.send('GET', '/v2/app/manifests/v1', { headers })).status).toBe(200)
    expect((await registry.send('POST', '/v2/app/blobs/uploads/', { headers })).status).toBe(401)
    expect((await registry.send('GET', '/v2/app/manifests/v1')).status).toBe(401)
  })

  it('has refresh tokens, which stand for a password', async () => {
    const registry = await start({ users, auth: 'token' })
    const { refresh_token } = await get(registry, 'offline_token=true', basic('alice', 'secret'))
    const scope = 'repository:app:pull,push'
    const refreshed = await post(registry, { grant_type: 'refresh_token', refresh_token, scope })
    expect(refreshed).toMatchObject({ status: 200, scope, refresh_token, expires_in: 300 })
    const headers = bearer(refreshed.access_token)
    expect((await registry.send('POST', '/v2/app/blobs/uploads/', { headers })).status).toBe(202)
    expect(await post(registry, { grant_type: 'refresh_token', refresh_token: 'made-up' })).toEqual({
      status: 401,
      error: 'invalid_grant',
    })
  })

  it('gives them by POST for a password, too', async () => {
    const registry = await start({ users, auth: 'token' })
    const form = { grant_type: 'password', username: 'bob', password: 'hunter2', scope: 'repository:app:pull' }
    expect(await post(registry, form)).toEqual({
      status: 200,
      access_token: expect.any(String),
      scope: form.scope,
      expires_in: 300,
      issued_at: expect.any(String),
    })
    expect(await post(registry, { ...form, access_type: 'offline' })).toHaveProperty('refresh_token')
    expect((await post(registry, { ...form, password: 'wrong' })).status).toBe(401)
    expect(await post(registry, { grant_type: 'authorization_code' })).toMatchObject({ status: 400 })
    expect(registry.requests.lines()[0]).toBe('POST /token 200')
  })

  it('knows no POST, if wanted', async () => {
    const { send } = await start({ users, auth: 'token', token: { oauth2: false, path: '/v2/auth' } })
    expect((await send('POST', '/v2/auth')).status).toBe(404)
    expect((await send('GET', '/v2/auth', { headers: basic('bob', 'hunter2') })).status).toBe(200)
  })

  it('leaves out of its challenge what it is told to', async () => {
    const challenge = async (token: object) =>
      challengeOf(await (await start({ auth: 'token', token })).send('GET', '/v2/a/tags/list'))[1]
    expect(await challenge({ challenge: 'without-scope', service: 's' })).toMatch(/^Bearer realm="[^"]+",service="s"$/)
    expect(await challenge({ challenge: 'without-service' })).toMatch(/^Bearer realm="[^"]+",scope="[^"]+"$/)
    expect(await challenge({ challenge: 'unquoted-service', service: 's' })).toMatch(/,service=s,scope="[^"]+"$/)
  })

  it('takes passwords in place of a token, if wanted', async () => {
    const { send } = await start({ users, auth: 'token', token: { acceptBasic: true } })
    expect((await send('GET', '/v2/_catalog', { headers: basic('alice', 'secret') })).status).toBe(200)
    expect((await send('GET', '/v2/_catalog', { headers: basic('alice', 'wrong') })).status).toBe(401)
    const encoded = await start({ users, auth: 'token', token: { acceptEncodedPassword: true } })
    for (const [password, status] of [
      ['secret', 200],
      ['alice:secret\n', 200],
      ['wrong', 401],
    ] as const) {
      const headers = bearer(Buffer.from(password).toString('base64'))
      expect((await encoded.send('GET', '/v2/_catalog', { headers })).status).toBe(status)
    }
  })
})
