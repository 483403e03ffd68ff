import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterEach, describe, expect, it } from 'vitest'
import type { AccessController } from '../../src/auth/access.ts'
import { MemoryDriver } from '../../src/drivers/memory.ts'
import { createHandler, type HttpHandler, type MemoryCacheOptions, Registry, silentLogger } from '../../src/index.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { type DescriptorCache, MemoryCache } from '../../src/storage/descriptor-cache.ts'
import { blobData, RepositoryLayout } from '../../src/storage/layout.ts'
import { redisCache } from '../../src/storage/redis-cache.ts'
import { requestOf } from '../http/support.ts'
import { describeOn, redis } from '../support/servers/index.ts'

const CONTENT = Buffer.from('a layer')
const DIGEST = digestOf(CONTENT)

/** Counts the calls that a pull makes, and signs URLs. */
class CountingDriver extends MemoryDriver {
  calls: string[] = []

  override stat(...args: Parameters<MemoryDriver['stat']>) {
    this.calls.push('stat')
    return super.stat(...args)
  }

  override get(...args: Parameters<MemoryDriver['get']>) {
    this.calls.push('get')
    return super.get(...args)
  }

  override read(...args: Parameters<MemoryDriver['read']>) {
    this.calls.push('read')
    return super.read(...args)
  }

  async signUrl(key: string): Promise<URL> {
    return new URL(`https://bucket.test/${key}`)
  }

  taken(): number {
    return this.calls.splice(0).length
  }
}

async function withBlob(options: { cache?: DescriptorCache; linkTtlMs?: number } = {}) {
  const driver = new CountingDriver()
  const registry = new Registry({ storage: driver, logger: silentLogger, ...options })
  await registry.repository('team/a').blobs.put(CONTENT)
  await registry.repository('team/b').blobs.put(CONTENT)
  driver.taken()
  // A caller who may only pull: nobody relies on what is answered.
  const access: AccessController = {
    authorize: async () => ({ subject: 'reader', allows: ({ action }) => action === 'pull' }),
  }
  const handler = createHandler(registry, { access, logger: silentLogger })
  const ask = (method: string, repository: string) => status(handler, method, `/v2/${repository}/blobs/${DIGEST}`)
  return { driver, registry, ask }
}

async function status(handler: HttpHandler, method: string, url: string): Promise<number | undefined> {
  return (await handler(requestOf(method, url)))?.status
}

describe('S04, CVE-2026-35172: the descriptor cache', () => {
  it('spares one of two calls of a HEAD and of a redirect, and never the one that validates', async () => {
    const { driver, ask } = await withBlob()
    expect([await ask('HEAD', 'team/a'), driver.taken()]).toEqual([200, 2])
    expect([await ask('HEAD', 'team/a'), driver.taken()]).toEqual([200, 1])
    expect([await ask('GET', 'team/a'), driver.taken()]).toEqual([307, 1])
    expect([await ask('GET', 'team/b'), driver.taken()]).toEqual([307, 1])
    expect([await ask('HEAD', 'team/none'), driver.taken()]).toEqual([404, 1])
  })

  it('spares both within a time-to-live that the operator chose, until the blob is deleted', async () => {
    const { driver, registry, ask } = await withBlob({ linkTtlMs: 60_000 })
    expect([await ask('GET', 'team/a'), driver.taken()]).toEqual([307, 2])
    expect([await ask('GET', 'team/a'), driver.taken()]).toEqual([307, 0])
    expect([await ask('HEAD', 'team/b'), driver.taken()]).toEqual([200, 1])
    await registry.repository('team/a').blobs.delete(DIGEST)
    driver.taken()
    expect([await ask('GET', 'team/a'), await ask('HEAD', 'team/b')]).toEqual([404, 200])
  })

  // A push or pull elsewhere filled the cache, and what was deleted could be pulled again.
  it.each([0, 60_000])(
    'brings nothing back that was deleted, whatever other repositories do (ttl %i)',
    async (linkTtlMs) => {
      const { registry, ask } = await withBlob({ linkTtlMs })
      expect([await ask('GET', 'team/a'), await ask('GET', 'team/b')]).toEqual([307, 307])
      await registry.repository('team/a').blobs.delete(DIGEST)
      expect(await ask('HEAD', 'team/b')).toBe(200)
      await registry.repository('team/c').blobs.mount(DIGEST, 'team/b')
      await registry.repository('team/d').blobs.put(CONTENT)
      for (const repository of ['team/b', 'team/c', 'team/d']) expect(await ask('GET', repository)).toBe(307)
      expect([await ask('GET', 'team/a'), await ask('HEAD', 'team/a')]).toEqual([404, 404])
      await expect(registry.repository('team/a').blobs.open(DIGEST)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    },
  )

  it('is not believed by those who leave out an upload, nor for a mount or a manifest', async () => {
    const { driver, registry, ask } = await withBlob()
    expect(await ask('HEAD', 'team/a')).toBe(200)
    await driver.delete(blobData(DIGEST))
    const { blobs, manifests } = registry.repository('team/a')
    await expect(blobs.stat(DIGEST, { reliedUpon: true })).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    await expect(registry.repository('team/e').blobs.mount(DIGEST, 'team/a')).rejects.toMatchObject({
      code: 'BLOB_UNKNOWN',
    })
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: DIGEST, size: CONTENT.length }
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [] }))
    await expect(manifests.put(manifest, { mediaType })).rejects.toMatchObject({ code: 'MANIFEST_BLOB_UNKNOWN' })
    // Whoever finds the data gone makes it be forgotten.
    await expect(blobs.open(DIGEST)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    expect(await ask('HEAD', 'team/a')).toBe(404)
  })

  it('knows the data of an alias, and asks for its link', async () => {
    const { driver, registry } = await withBlob()
    const alias = digestOf(CONTENT, 'sha512')
    await driver.put(new RepositoryLayout('team/a').layerLink(alias), Buffer.from(DIGEST))
    const { blobs } = registry.repository('team/a')
    driver.taken()
    expect([(await blobs.stat(alias)).size, driver.taken()]).toEqual([CONTENT.length, 2])
    expect([(await blobs.stat(alias)).size, driver.taken()]).toEqual([CONTENT.length, 1])
    await driver.delete(new RepositoryLayout('team/a').layerLink(alias))
    await expect(blobs.stat(alias)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  })

  const failing: [string, () => DescriptorCache][] = [
    ['rejects', () => cacheOf(() => Promise.reject(new Error('connection lost')))],
    [
      'throws',
      () =>
        cacheOf(() => {
          throw new Error('not connected')
        }),
    ],
    ['hangs', () => cacheOf(() => new Promise(() => {}))],
    ['answers nonsense', () => cacheOf(() => Promise.resolve('{"target":"sha256:1","size":-5}'))],
    ['answers another type', () => cacheOf(() => Promise.resolve(7 as never))],
  ]
  it.each(failing)('that %s is a miss', async (_, make) => {
    const { ask } = await withBlob({ cache: make(), linkTtlMs: 1000 })
    expect([await ask('HEAD', 'team/a'), await ask('GET', 'team/a')]).toEqual([200, 307])
    expect(await ask('HEAD', 'team/none')).toBe(404)
  })

  it('that is poisoned cannot open a repository', async () => {
    const cache = new MemoryCache()
    const { ask } = await withBlob({ cache })
    await cache.set(`data:${DIGEST}`, JSON.stringify({ target: DIGEST, size: 1 }), { ttlMs: 60_000 })
    await cache.set(`link:team/none@${DIGEST}`, 'shown', { ttlMs: 60_000 })
    expect([await ask('HEAD', 'team/none'), await ask('GET', 'team/none')]).toEqual([404, 404])
  })
})

function cacheOf(answer: () => Promise<string | undefined>): DescriptorCache {
  return { get: answer, set: () => answer().then(() => {}), delete: () => answer().then(() => {}) }
}

describe('MemoryCache', () => {
  const fill = async (options: MemoryCacheOptions) => {
    const cache = new MemoryCache(options)
    for (let i = 0; i < 1000; i++) await cache.set(`data:${i}`, 'x'.repeat(100), { ttlMs: 60_000 })
    return cache
  }

  it('stays within its bound, and forgets what was used longest ago', async () => {
    const cache = await fill({ maxBytes: 31_000 })
    const { bytes, entries, evictions } = cache.stats
    expect(bytes).toBeLessThanOrEqual(31_000)
    expect(entries + evictions).toBe(1000)
    expect(entries).toBeGreaterThan(90)
    expect(await cache.get('data:0')).toBeUndefined()
    expect(await cache.get('data:999')).toBe('x'.repeat(100))
    expect(cache.stats).toMatchObject({ hits: 1, misses: 1 })
  })

  it('keeps what is used', async () => {
    const cache = await fill({ maxBytes: 1_000_000 })
    await cache.get('data:0')
    const small = new MemoryCache({ maxBytes: 700 })
    for (const key of ['a', 'b']) await small.set(key, key, { ttlMs: 60_000 })
    await small.get('a')
    for (const key of ['c', 'd']) await small.set(key, key, { ttlMs: 60_000 })
    expect(await Promise.all(['a', 'b', 'c', 'd'].map((key) => small.get(key)))).toEqual(['a', undefined, 'c', 'd'])
  })

  it('forgets at the end of the time, and when told', async () => {
    const cache = new MemoryCache()
    await cache.set('gone', 'x', { ttlMs: 0 })
    await cache.set('dropped', 'x', { ttlMs: 60_000 })
    await cache.delete('dropped')
    expect([await cache.get('gone'), await cache.get('dropped')]).toEqual([undefined, undefined])
    expect(cache.stats).toMatchObject({ entries: 0, bytes: 0 })
  })
})

describeOn(redis, 'redisCache', (running) => {
  const opened: (() => void)[] = []
  afterEach(() => {
    for (const close of opened.splice(0)) close()
  })
  const clients = {
    redis: async () => {
      const client = await createClient({ url: running().url }).connect()
      opened.push(() => client.destroy())
      return client
    },
    ioredis: async () => {
      const client = new Redis(running().url)
      opened.push(() => client.disconnect())
      return client
    },
  }

  it.each(['redis', 'ioredis'] as const)('stores, expires and deletes through %s', async (name) => {
    const client = await clients[name]()
    const cache = redisCache(client, { prefix: `${name}:` })
    expect(await cache.get('a')).toBeUndefined()
    await cache.set('a', 'value', { ttlMs: 60_000 })
    expect(await cache.get('a')).toBe('value')
    expect(await client.ttl(`${name}:a`)).toBeGreaterThan(50)
    await cache.delete('a')
    expect(await cache.get('a')).toBeUndefined()
  })

  it('is shared by two registries: what one deletes, the other no longer shows', async () => {
    const driver = new CountingDriver()
    const registryOn = async (name: 'redis' | 'ioredis') =>
      new Registry({
        storage: driver,
        logger: silentLogger,
        cache: redisCache(await clients[name]()),
        linkTtlMs: 60_000,
      })
    const [one, two] = [await registryOn('redis'), await registryOn('ioredis')]
    await one.repository('team/a').blobs.put(CONTENT)
    await one.repository('team/b').blobs.put(CONTENT)
    await one.repository('team/a').blobs.stat(DIGEST)
    driver.taken()
    expect((await two.repository('team/a').blobs.stat(DIGEST)).size).toBe(CONTENT.length)
    expect(driver.taken()).toBe(0)
    await two.repository('team/a').blobs.delete(DIGEST)
    await expect(one.repository('team/a').blobs.stat(DIGEST)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    expect((await one.repository('team/b').blobs.stat(DIGEST)).size).toBe(CONTENT.length)
  })

  it('is a miss once the server is gone', async () => {
    const other = await redis.start()
    const client = createClient({ url: other.url, disableOfflineQueue: true }).on('error', () => {})
    await client.connect()
    opened.push(() => client.destroy())
    const { ask } = await withBlob({ cache: redisCache(client) })
    expect(await ask('HEAD', 'team/a')).toBe(200)
    await other.stop()
    expect([await ask('HEAD', 'team/a'), await ask('GET', 'team/none')]).toEqual([200, 404])
  })
})
