import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import { artifact, image, manualClock, REGISTRY_QUIRKS, type WellKnownRegistry } from '../../src/testing/index.ts'
import { basic, bearer, codeOf, type Started, testRegistries } from '../support/test-registries.ts'

const start = testRegistries()
const app = image({ layers: ['a'] })
const [layer] = app.layers
const registries = Object.entries(REGISTRY_QUIRKS) as [WellKnownRegistry, (typeof REGISTRY_QUIRKS)[WellKnownRegistry]][]

describe('REGISTRY_QUIRKS', () => {
  it.each(registries)('of %s say what they are and where that is documented', (_, quirks) => {
    expect(quirks).not.toEqual([])
    for (const { name, about, documented, behaviour } of quirks) {
      expect([name, about]).not.toContain('')
      expect(documented.length).toBeGreaterThan(0)
      for (const url of documented) expect(new URL(url).protocol).toBe('https:')
      expect(Object.keys(behaviour)).not.toEqual([])
    }
    expect(new Set(quirks.map(({ name }) => name)).size).toBe(quirks.length)
  })

  it.each(registries)('of %s start', async (like) => {
    const { send } = await start({ like })
    expect([200, 401]).toContain((await send('GET', '/v2/')).status)
  })

  it('are overruled by options', async () => {
    const { send, push } = await start({ like: 'ghcr', auth: 'none', deletes: true })
    await push('app:v1', app)
    expect((await send('DELETE', '/v2/app/manifests/v1')).status).toBe(202)
    expect((await send('GET', `/v2/app/referrers/${app.digest}`)).status).toBe(404)
  })
})

/** Headers of who has a token for everything in a repository. */
async function loggedIn({ send }: Started, path: string, name = 'app', credentials = basic('user', 'password')) {
  const scope = `scope=repository:${name}:pull,push,delete&scope=registry:catalog:*`
  return bearer(JSON.parse((await send('GET', `${path}?${scope}`, { headers: credentials })).body.toString()).token)
}

const challenge = async ({ send }: Started) =>
  String((await send('GET', '/v2/app/tags/list')).headers['www-authenticate'])

describe('like', () => {
  it('acr: an OAuth token service of its own path, and blobs elsewhere', async () => {
    const registry = await start({ like: 'acr' })
    await registry.push('app:v1', app)
    expect(await challenge(registry)).toContain(`realm="${registry.url}/oauth2/token"`)
    const headers = await loggedIn(registry, '/oauth2/token')
    const { status, headers: answered } = await registry.send('GET', `/v2/app/blobs/${layer?.digest}`, { headers })
    expect(status).toBe(307)
    expect((await fetch(String(answered.location), { headers })).status).toBe(400)
    const form = 'grant_type=password&username=user&password=password&access_type=offline&scope=repository:app:pull'
    const granted = await registry.send('POST', '/oauth2/token', { body: Buffer.from(form) })
    expect(JSON.parse(granted.body.toString())).toHaveProperty('refresh_token')
  })

  it('artifact-registry: no service, no chunks, no deletes of what has a tag, and details of tags', async () => {
    const registry = await start({ like: 'artifact-registry' })
    await registry.push('app:v1', app)
    expect(await challenge(registry)).not.toContain('service')
    const headers = await loggedIn(registry, '/v2/token')
    const { headers: begun } = await registry.send('POST', '/v2/app/blobs/uploads/', { headers })
    const ranged = { headers: { ...headers, 'content-range': '0-1' }, body: Buffer.from('ab') }
    expect((await registry.send('PATCH', String(begun.location), ranged)).status).toBe(400)
    const refused = await registry.send('DELETE', `/v2/app/manifests/${app.digest}`, { headers })
    expect(codeOf(refused)).toBe('GOOGLE_MANIFEST_DANGLING_TAG')
    expect(JSON.parse((await registry.send('GET', '/v2/app/tags/list', { headers })).body.toString())).toHaveProperty(
      'child',
    )
  })

  it('distribution: no referrers, no deletes, and an address with a state for uploads', async () => {
    const { send, push, url } = await start({ like: 'distribution' })
    await push('app:v1', app)
    expect((await send('GET', `/v2/app/referrers/${app.digest}`)).status).toBe(404)
    expect((await send('DELETE', '/v2/app/manifests/v1')).status).toBe(405)
    const { location } = (await send('POST', '/v2/app/blobs/uploads/')).headers
    expect(location).toMatch(new RegExp(`^${url}/v2/app/blobs/uploads/[^?]+\\?_state=`))
  })

  it('docker-hub: tokens for anybody, a limit of pulls, no catalog, and blobs elsewhere', async () => {
    const clock = manualClock()
    const registry = await start({ like: 'docker-hub', clock, token: { ttlSeconds: 7 * 60 * 60 } })
    await registry.push('library/app:v1', app)
    expect(await challenge(registry)).toContain('service="registry.docker.io"')
    const query = 'service=registry.docker.io&scope=repository:library/app:pull'
    const headers = bearer(JSON.parse((await registry.send('GET', `/token?${query}`)).body.toString()).token)
    const pull = () => registry.send('GET', '/v2/library/app/manifests/v1', { headers })
    for (let left = 99; left >= 0; left--) expect((await pull()).headers['ratelimit-remaining']).toBe(`${left};w=21600`)
    const refused = await pull()
    expect([refused.status, codeOf(refused)]).toEqual([429, 'TOOMANYREQUESTS'])
    clock.advance(6 * 60 * 60 * 1000)
    expect((await pull()).status).toBe(200)
    expect((await registry.send('GET', `/v2/library/app/blobs/${layer?.digest}`, { headers })).status).toBe(307)
    const user = await loggedIn(registry, '/token')
    expect((await registry.send('GET', '/v2/_catalog', { headers: user })).status).toBe(401)
  })

  it('ecr: a password, repositories that are made first, and chunks of its own', async () => {
    const registry = await start({ like: 'ecr' })
    const headers = basic('AWS', 'password')
    const begin = () => registry.send('POST', '/v2/app/blobs/uploads/', { headers })
    expect(codeOf(await begin())).toBe('NAME_UNKNOWN')
    registry.createRepository('app')
    const { location } = (await begin()).headers
    const patched = await registry.send('PATCH', String(location), { headers, body: Buffer.from('ab') })
    expect([patched.status, patched.headers.range]).toEqual([201, '0-1'])
    expect((await registry.send('PATCH', String(location), { headers, body: Buffer.from('cd') })).status).toBe(400)
    const loose = Buffer.from('loose')
    await registry.registry.repository('base').blobs.put(loose)
    const mount = `/v2/app/blobs/uploads/?mount=${digestOf(loose)}&from=base`
    expect((await registry.send('POST', mount, { headers })).status).toBe(202)
    for (let i = 0; i < 101; i++) await registry.push(`app:v${i}`, app)
    const list = await registry.send('GET', '/v2/app/tags/list', { headers })
    expect([JSON.parse(list.body.toString()).tags.length, list.headers.link]).toEqual([100, expect.anything()])
  })

  it('gcr: a service without quotes', async () => {
    const registry = await start({ like: 'gcr' })
    expect(await challenge(registry)).toBe(
      `Bearer realm="${registry.url}/v2/token",service=${registry.host},scope="repository:app:pull"`,
    )
  })

  it('ghcr: passwords in base64, small chunks, no deletes, no referrers', async () => {
    const registry = await start({ like: 'ghcr', users: { me: 'ghp_secret' } })
    await registry.push('me/app:v1', app)
    const headers = bearer(Buffer.from('ghp_secret').toString('base64'))
    const { location } = (await registry.send('POST', '/v2/me/app/blobs/uploads/', { headers })).headers
    const length = 4 * 1024 * 1024 + 1
    const ranged = { headers: { ...headers, 'content-range': `0-${length - 1}` }, body: Buffer.alloc(length) }
    expect((await registry.send('PATCH', String(location), ranged)).status).toBe(416)
    expect((await registry.send('DELETE', `/v2/me/app/manifests/${app.digest}`, { headers })).status).toBe(405)
    const signature = artifact({ type: 'text/signature', subject: app })
    await registry.push('me/app', signature)
    expect((await registry.send('GET', `/v2/me/app/referrers/${app.digest}`, { headers })).status).toBe(404)
    const tag = `/v2/me/app/manifests/${app.digest.replace(':', '-')}`
    expect((await registry.send('GET', tag, { headers })).status).toBe(200)
    const anonymous = bearer(
      JSON.parse((await registry.send('GET', '/token?scope=repository:me/app:pull')).body.toString()).token,
    )
    expect((await registry.send('GET', '/v2/me/app/manifests/v1', { headers: anonymous })).status).toBe(200)
  })

  it('gitlab: a token service of its own path, and no catalog', async () => {
    const registry = await start({ like: 'gitlab' })
    expect(await challenge(registry)).toContain(`realm="${registry.url}/jwt/auth",service="container_registry"`)
    const headers = await loggedIn(registry, '/jwt/auth')
    expect((await registry.send('GET', '/v2/_catalog', { headers })).status).toBe(401)
  })

  it('harbor: tokens, or a password', async () => {
    const registry = await start({ like: 'harbor' })
    expect(await challenge(registry)).toContain(`realm="${registry.url}/service/token",service="harbor-registry"`)
    const headers = basic('user', 'password')
    expect((await registry.send('GET', '/v2/_catalog', { headers })).status).toBe(200)
    expect(
      (await registry.send('GET', '/v2/_catalog', { headers: await loggedIn(registry, '/service/token') })).status,
    ).toBe(200)
  })

  it('quay: a token service of its own path, and pages of 100 tags', async () => {
    const registry = await start({ like: 'quay' })
    expect(await challenge(registry)).toContain(`realm="${registry.url}/v2/auth",service="${registry.host}"`)
    for (let i = 0; i < 101; i++) await registry.push(`app:v${i}`, app)
    const headers = await loggedIn(registry, '/v2/auth')
    const list = await registry.send('GET', '/v2/app/tags/list', { headers })
    expect([JSON.parse(list.body.toString()).tags.length, list.headers.link]).toEqual([
      100,
      '</v2/app/tags/list?n=100&last=v98>; rel="next"',
    ])
  })
})
