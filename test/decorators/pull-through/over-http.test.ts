import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { createRegistryServer } from '../../../src/adapters/node.ts'
import { anyone } from '../../../src/auth/access.ts'
import { pullThrough } from '../../../src/decorators/pull-through.ts'
import { memory } from '../../../src/drivers/memory.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { RemoteBackend, type RemoteOptions } from '../../../src/remote/remote-backend.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import type { StartRegistryOptions } from '../../../src/testing/index.ts'
import { HttpClient } from '../../support/http-client.ts'
import { pushImage } from '../../support/images.ts'
import { codeOf, testRegistries } from '../../support/test-registries.ts'
import { content, until } from './support.ts'

const start = testRegistries()
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A cache over HTTP, of a registry over HTTP, and an image there. */
async function served(upstreamOptions: StartRegistryOptions = {}, remoteOptions: RemoteOptions = {}) {
  const upstream = await start(upstreamOptions)
  const image = await pushImage(upstream.registry.repository('library/app'), ['layer'], { tags: ['v1'] })
  const remote = new RemoteBackend(upstream.url, { retries: { attempts: 1 }, ...remoteOptions })
  const clock = { now: 1_000_000 }
  const upstreams = [{ name: 'docker.io', backend: remote, namespaces: ['docker.io'] }]
  const cache = pullThrough(upstreams, { logger: silentLogger, now: () => clock.now })
  const registry = new Registry({ storage: memory(), sparse: 'all', logger: silentLogger, use: [cache] })
  const server = createRegistryServer(registry, { access: anyone(), logger: silentLogger }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening')
  const client = new HttpClient(`http://127.0.0.1:${address.port}`)
  closing.push(async () => {
    client[Symbol.dispose]()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await cache.close()
    await remote.close()
  })
  const get = (path: string, headers: Readonly<Record<string, string>> = {}) => client.send('GET', path, { headers })
  return { upstream, image, clock, cache, client, get }
}

describe('a cache over HTTP of a registry over HTTP', () => {
  it('pulls by prefix, by namespace and by header, once', async () => {
    const { upstream, image, get } = await served()
    const ways: readonly [path: string, headers: Readonly<Record<string, string>>][] = [
      ['/v2/docker.io/app/manifests/v1', {}],
      ['/v2/docker.io/library/app/manifests/v1', {}],
      ['/v2/library/app/manifests/v1?ns=docker.io', {}],
      ['/v2/app/manifests/v1', { 'oci-namespace': 'docker.io' }],
    ]
    for (const [path, headers] of ways) {
      const { status, body, headers: answered } = await get(path, headers)
      expect([status, answered['docker-content-digest']]).toEqual([200, image.digest])
      expect(body).toEqual(image.content)
    }
    const asked = [...upstream.requests].filter(({ url }) => url.includes('/manifests/'))
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual(['GET /v2/library/app/manifests/v1'])
    expect((await get('/v2/app/manifests/v1')).status).toBe(404)
    expect((await get('/v2/app/manifests/v1?ns=quay.io')).status).toBe(404)
  })

  it('goes on serving what it has when the upstream is stopped', async () => {
    const { upstream, image, get, clock, cache } = await served()
    const pull = async () => {
      expect((await get('/v2/docker.io/app/manifests/v1')).status).toBe(200)
      for (const { digest, size } of [image.config, ...image.layers]) {
        const { status, body } = await get(`/v2/docker.io/app/blobs/${digest}`)
        expect([status, body.byteLength]).toEqual([200, size])
      }
    }
    await pull()
    await until(() => cache.stats().cachedBytes === image.content.byteLength + image.config.size + 5)
    await upstream.stop()
    clock.now += 1_000_000
    await pull()
    const cold = await get('/v2/docker.io/app/manifests/v2')
    expect([cold.status, codeOf(cold)]).toEqual([503, 'UNAVAILABLE'])
    expect((await get(`/v2/docker.io/app/blobs/${digestOf(Buffer.from('cold'))}`)).status).toBe(503)
  })

  it('is one request for a blob that 100 clients want at once', async () => {
    const { upstream, get } = await served()
    const layer = content(1_000_000)
    const { digest } = await upstream.registry.repository('library/app').blobs.put(layer)
    const pulls = await Promise.all(Array.from({ length: 100 }, () => get(`/v2/docker.io/app/blobs/${digest}`)))
    for (const { status, body } of pulls) expect([status, body.equals(layer)]).toEqual([200, true])
    expect([...upstream.requests].filter(({ url }) => url.includes(digest))).toHaveLength(1)
  })

  it('serves a range of what is not here', async () => {
    const { image, get } = await served()
    const [layer] = image.layers
    const { status, body, headers } = await get(`/v2/docker.io/app/blobs/${layer?.digest}`, { range: 'bytes=1-2' })
    expect([status, body.toString(), headers['content-range']]).toEqual([206, 'ay', 'bytes 1-2/5'])
    const beyond = await get(`/v2/docker.io/app/blobs/${layer?.digest}`, { range: 'bytes=5-' })
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */5'])
  })

  it('tells clients when to come back, and does not go there before', async () => {
    const { upstream, get, clock } = await served({
      fail: [{ status: 429, headers: { 'retry-after': '60' }, times: 1 }],
    })
    const first = await get('/v2/docker.io/app/manifests/v1')
    expect([first.status, first.headers['retry-after']]).toEqual([429, '60'])
    clock.now += 10_000
    const second = await get('/v2/docker.io/app/manifests/v1')
    expect([second.status, second.headers['retry-after'], codeOf(second)]).toEqual([429, '50', 'TOOMANYREQUESTS'])
    expect([...upstream.requests]).toHaveLength(1)
    clock.now += 50_000
    expect((await get('/v2/docker.io/app/manifests/v1')).status).toBe(200)
  })

  it('logs in there, and lets nobody see with what', async () => {
    const credentials = { username: 'ci', password: 's3cr3t' }
    const { get, upstream, image } = await served({ users: { ci: 's3cr3t' }, auth: 'token' }, { credentials })
    const answers = [
      await get('/v2/docker.io/app/manifests/v1'),
      await get(`/v2/docker.io/app/blobs/${image.config.digest}`),
      await get('/v2/docker.io/app/tags/list'),
      await get('/v2/docker.io/none/manifests/v1'),
    ]
    expect(answers.map(({ status }) => status).slice(0, 3)).toEqual([200, 200, 200])
    expect(JSON.stringify(answers.map(({ headers }) => headers))).not.toMatch(/s3cr3t|Bearer|www-authenticate/i)
    const anonymous = await served({ users: { ci: 's3cr3t' }, auth: 'token' })
    const refused = await anonymous.get('/v2/docker.io/app/manifests/v1')
    expect([refused.status, codeOf(refused), refused.headers['www-authenticate']]).toEqual([403, 'DENIED', undefined])
    expect(refused.body.toString()).not.toContain(upstream.host)
  })

  it('refuses pushes to it, and takes those to the rest', async () => {
    const { client } = await served()
    const refused = await client.send('POST', '/v2/docker.io/app/blobs/uploads/')
    expect([refused.status, codeOf(refused)]).toEqual([405, 'UNSUPPORTED'])
    expect((await client.send('POST', '/v2/team/app/blobs/uploads/')).status).toBe(202)
  })
})
