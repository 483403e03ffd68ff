import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Repository } from '../../../src/backend.ts'
import { Ledger } from '../../../src/decorators/pull-through/ledger.ts'
import type { PullThroughState } from '../../../src/decorators/pull-through/storekeeper.ts'
import { memory } from '../../../src/drivers/memory.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { type Digest, digestOf } from '../../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../../src/spec/media-types.ts'
import { recordingLogger } from '../../http/support.ts'
import { bytes, collect, json, type PushedImage, pushImage, readBlob } from '../../support/images.ts'
import { expectRefusal } from '../support.ts'
import { type CacheOptions, DOWN, newCache, until } from './support.ts'

const LAYER_BYTES = 10_000

const layer = (name: string) => name.padEnd(LAYER_BYTES, '.')

/** Pulls as a client does: the manifest, then what it lists. */
async function pull(repository: Repository, reference: string, { layers, config }: PushedImage): Promise<void> {
  await repository.manifests.get(reference)
  for (const { digest } of [config, ...layers]) await readBlob(repository, digest)
}

async function listed(repository: Repository): Promise<{ readonly manifests: Digest[]; readonly blobs: Digest[] }> {
  return { manifests: await collect(repository.manifests.list()), blobs: await collect(repository.blobs.list()) }
}

async function withImages(names: readonly string[], options: CacheOptions = {}) {
  const cache = newCache(options)
  const images = new Map<string, PushedImage>()
  for (const name of names) {
    images.set(name, await pushImage(cache.upstream.registry.repository('app'), [layer(name)], { tags: [name] }))
  }
  const here = cache.backend.repository('hub/app')
  const kept = cache.local.repository('hub/app')
  const image = (name: string): PushedImage => {
    const found = images.get(name)
    if (found === undefined) throw new Error(name)
    return found
  }
  const pullAll = (name: string) => pullWhole(here, kept, name, image(name))
  return { ...cache, here, kept, image, pullAll }
}

/** And waits until all of it is kept. */
async function pullWhole(here: Repository, kept: Repository, reference: string, image: PushedImage): Promise<void> {
  await pull(here, reference, image)
  await until(async () => {
    const { blobs } = await listed(kept)
    return [image.config, ...image.layers].every(({ digest }) => blobs.includes(digest))
  })
}

/** Room, in bytes (the config of an image names its layers, and is as large), for so many images, and not for another. */
const room = (images: number) => images * (2 * LAYER_BYTES + 600)

describe('a cache that is full', () => {
  it('makes room by the image that was not used for longest, whole', async () => {
    const { pullAll, kept, image, cache, here, upstream, events } = await withImages(['a', 'b', 'c'], {
      maxBytes: room(2),
    })
    await pullAll('a')
    await pullAll('b')
    await here.manifests.get('a') // by its manifest alone, as by a client that has the layers
    await pullAll('c')
    await until(() => cache.stats().evictions === 3)
    const { manifests, blobs } = await listed(kept)
    expect(manifests).toEqual([image('a').digest, image('c').digest].sort())
    expect(blobs).not.toContain(image('b').layers[0]?.digest)
    expect(events.filter(({ type }) => type === 'evicted').map((event) => 'digest' in event && event.digest)).toEqual([
      image('b').digest,
      image('b').config.digest,
      image('b').layers[0]?.digest,
    ])
    expect(cache.stats().cachedBytes).toBeLessThanOrEqual(room(2))
    upstream.failure = DOWN
    await pullAll('a')
    await pullAll('c')
    upstream.failure = undefined
    await pullAll('b')
  })

  it('takes no layer from under an image that stays', async () => {
    const { upstream, backend, local, cache } = newCache({ maxBytes: 62_000 })
    const there = upstream.registry.repository('app')
    const here = backend.repository('hub/app')
    const old = await pushImage(there, [layer('base'), layer('old')], { tags: ['old'] })
    const fresh = await pushImage(there, [layer('base'), layer('new')], { tags: ['new'] })
    const kept = local.repository('hub/app')
    await pullWhole(here, kept, 'old', old)
    await pullWhole(here, kept, 'new', fresh)
    const more = await pushImage(there, [layer('more')], { tags: ['more'] })
    await pull(here, 'more', more)
    await until(() => cache.stats().evictions >= 3)
    const { manifests, blobs } = await listed(kept)
    expect(manifests).toEqual([fresh.digest, more.digest].sort())
    expect(blobs).toEqual(
      [fresh, more]
        .flatMap(({ config, layers }) => [config, ...layers])
        .map(({ digest }) => digest)
        .sort(),
    )
  })

  it('leaves alone what another repository links, and what was pushed', async () => {
    const { pullAll, backend, local, image, kept, cache } = await withImages(['a', 'b', 'c'], { maxBytes: room(1) })
    const ours = backend.repository('team/app')
    const pushed = await pushImage(ours, [layer('ours')], { tags: ['v1'] })
    await pullAll('a')
    const shared = image('a').layers[0]?.digest ?? pushed.digest
    await ours.blobs.mount(shared, 'hub/app')
    await pullAll('b')
    await pullAll('c')
    await until(() => cache.stats().evictions === 6)
    expect((await listed(kept)).blobs).not.toContain(shared)
    expect(await readBlob(local.repository('team/app'), shared)).toBe(layer('a'))
    await pull(ours, 'v1', pushed)
  })

  it('never evicts what somebody pushed to a repository of an upstream, nor what that needs', async () => {
    const { pullAll, here, kept, image, cache } = await withImages(['a', 'b', 'c'], {
      maxBytes: room(1),
      writes: 'local',
    })
    await pullAll('a')
    // On the layer that the cache brought in.
    const content = json({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: { ...image('a').config, mediaType: MEDIA_TYPES.ociConfig },
      layers: image('a').layers,
      annotations: { ours: 'yes' },
    })
    const pushed = await here.manifests.put(content, { mediaType: MEDIA_TYPES.ociManifest, tags: ['ours'] })
    await pullAll('b')
    await pullAll('c')
    await until(() => cache.stats().evictions >= 1)
    await cache.close()
    const { manifests, blobs } = await listed(kept)
    expect(manifests).toContain(pushed.digest)
    for (const { digest } of [image('a').config, ...image('a').layers]) expect(blobs).toContain(digest)
  })

  it('counts content once, however many repositories have it', async () => {
    const { upstream, backend, cache } = newCache({ maxBytes: room(1) })
    for (const name of ['one', 'two', 'three']) {
      const image = await pushImage(upstream.registry.repository(name), [layer('same')], { tags: ['v1'] })
      await pull(backend.repository(`hub/${name}`), 'v1', image)
    }
    await cache.close()
    expect(cache.stats().evictions).toBe(0)
  })

  it('does not keep what is larger than the whole of it', async () => {
    const { upstream, backend, local, cache } = newCache({ maxBytes: 100 })
    const { digest } = await upstream.registry.repository('app').blobs.put(bytes(layer('large')))
    expect(await readBlob(backend.repository('hub/app'), digest)).toBe(layer('large'))
    await cache.close()
    expect(await collect(local.repository('hub/app').blobs.list())).toEqual([])
  })

  it('keeps the entry of what it cannot evict, and says so', async () => {
    const logger = recordingLogger()
    const { pullAll, local, cache } = await withImages(['a', 'b', 'c'], { maxBytes: room(1), logger })
    const repository = local.repository.bind(local)
    let isBroken = true
    local.repository = (name) => {
      const one = repository(name)
      const remove = (digest: Digest) => (isBroken ? Promise.reject(new Error('EIO')) : one.manifests.delete(digest))
      const manifests = new Proxy(one.manifests, {
        get(target, key) {
          if (key === 'delete') return remove
          const value: unknown = Reflect.get(target, key, target)
          return typeof value === 'function' ? (value.bind(target) as unknown) : value
        },
      })
      return { name, delete: one.delete, blobs: one.blobs, tags: one.tags, manifests }
    }
    await pullAll('a')
    await pullAll('b')
    await until(() => logger.lines.length > 0)
    expect(new Set(logger.lines.map(({ message }) => message))).toEqual(
      new Set(['cannot evict from a pull-through cache']),
    )
    isBroken = false
    await pullAll('c')
    await until(() => cache.stats().cachedBytes <= room(1))
  })
})

describe('the state of a cache', () => {
  function stateInMemory(): PullThroughState & { content: Uint8Array | undefined; saves: number } {
    return {
      content: undefined,
      saves: 0,
      async load() {
        return this.content
      },
      async save(content) {
        this.saves++
        this.content = content
      },
    }
  }

  it('lets a later run evict what an earlier one brought in', async () => {
    const state = stateInMemory()
    const first = await withImages(['a', 'b', 'c'], { maxBytes: room(2), state })
    await first.pullAll('a')
    await first.pullAll('b')
    await first.cache.close()
    expect(state.saves).toBe(1)
    const later = newCache({ maxBytes: room(2), state, local: first.local, double: first.upstream })
    await pull(later.backend.repository('hub/app'), 'c', first.image('c'))
    await until(() => later.cache.stats().evictions === 3)
    expect((await listed(first.kept)).manifests).toEqual([first.image('b').digest, first.image('c').digest].sort())
    await later.cache.close()
  })

  it('tells what was pushed from what was brought in', async () => {
    const state = stateInMemory()
    const first = await withImages(['a', 'b'], { state, writes: 'local' })
    await first.pullAll('a')
    const ours = await pushImage(first.here, ['ours'], { tags: ['b'] })
    await first.cache.close()
    const later = newCache({ state, writes: 'local', local: first.local, double: first.upstream })
    const here = later.backend.repository('hub/app')
    first.upstream.asked.length = 0
    expect((await here.manifests.get('b')).descriptor.digest).toBe(ours.digest)
    expect((await here.manifests.get('a')).descriptor.digest).toBe(first.image('a').digest)
    expect(first.upstream.asked).toEqual(['manifests.stat app a'])
  })

  it.each([
    ['no JSON', bytes('{')],
    ['of another version', bytes('{"version":2,"entries":[]}')],
    ['with entries that are none', bytes('{"version":1,"entries":[{"content":"blob","repository":"../x"}]}')],
  ])('that is damaged is reported and done without: %s', async (_, content) => {
    const logger = recordingLogger()
    const state = stateInMemory()
    state.content = content
    const { pullAll } = await withImages(['a'], { state, logger })
    await pullAll('a')
    expect(logger.lines.map(({ message }) => message)).toEqual([
      'cannot read what a pull-through cache brought in earlier: it will not be evicted',
    ])
  })

  it('that cannot be saved is reported, and fails nobody', async () => {
    const logger = recordingLogger()
    const state: PullThroughState = {
      load: async () => undefined,
      save: () => Promise.reject(new Error('EROFS')),
    }
    const { pullAll, cache } = await withImages(['a'], { state, logger })
    await pullAll('a')
    await cache.close()
    expect(logger.lines.map(({ message }) => message)).toEqual([
      'cannot write down what a pull-through cache brought in',
    ])
  })

  it('is not touched before somebody pulls', () => {
    const state: PullThroughState = {
      load: () => Promise.reject(new Error('too early')),
      save: () => Promise.reject(new Error('too early')),
    }
    const logger = recordingLogger()
    newCache({ state, logger, double: undefined as never }).backend.repository('hub/app')
    expect(logger.lines).toEqual([])
  })
})

describe('Ledger', () => {
  const digest = (i: number) => digestOf(bytes(String(i)))
  const operation = fc.oneof(
    fc.record({
      type: fc.constant('add' as const),
      i: fc.nat(11),
      needs: fc.uniqueArray(fc.nat(11), { maxLength: 4 }),
    }),
    fc.record({ type: fc.constant('touch' as const), i: fc.nat(11) }),
    fc.record({ type: fc.constant('forget' as const), i: fc.nat(11), deep: fc.boolean() }),
    fc.record({ type: fc.constant('restore' as const) }),
  )

  it('has what needs something before what it needs, and counts bytes right, whatever is done to it', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const ledger = new Ledger()
        for (const one of operations) {
          if (one.type === 'add') {
            // Digests make no circles: whatever is needed has a higher number.
            const needs = one.needs.filter((needed) => needed > one.i).map(digest)
            ledger.add({ content: 'manifest', repository: 'a', digest: digest(one.i), size: one.i + 1, needs })
          } else if (one.type === 'touch') ledger.touch('manifest', 'a', digest(one.i))
          else if (one.type === 'forget') ledger.forget('manifest', 'a', digest(one.i), { deep: one.deep })
          else ledger.restore(ledger.serialize())
        }
        const order: Digest[] = []
        let bytesLeft = 0
        const copy = new Ledger()
        copy.restore(ledger.serialize())
        for (let entry = copy.oldest(); entry; entry = copy.oldest()) {
          for (const needed of entry.needs) expect(order).not.toContain(needed)
          order.push(entry.digest)
          bytesLeft += entry.size
          copy.forget(entry.content, entry.repository, entry.digest)
        }
        expect(copy.bytes).toBe(0)
        expect(ledger.bytes).toBe(bytesLeft)
        expect(ledger.length).toBe(order.length)
      }),
    )
  })

  it('is not slow where manifests need one another many times over', () => {
    const ledger = new Ledger()
    // 2^60 ways from the first to the last.
    for (let level = 60; level >= 0; level--) {
      for (const side of [0, 1]) {
        const needs = [digest(2 * level + 2), digest(2 * level + 3)]
        ledger.add({ content: 'manifest', repository: 'a', digest: digest(2 * level + side), size: 1, needs })
      }
    }
    expect(ledger.oldest()?.digest).toBe(digest(0))
    ledger.forget('manifest', 'a', digest(0), { deep: true })
    expect(ledger.length).toBe(1)
  })
})

describe('a cache of its own', () => {
  it('keeps what upstreams have elsewhere than what is pushed, which is held to more', async () => {
    const strict = new Registry({ storage: memory(), sparse: 'none', logger: silentLogger })
    const kept = new Registry({ storage: memory(), sparse: 'all', logger: silentLogger })
    const { backend, upstream } = newCache({ local: strict, cache: kept })
    const image = await pushImage(upstream.registry.repository('app'), ['layer'], { tags: ['v1'] })
    await backend.repository('hub/app').manifests.get('v1')
    expect(await collect(kept.repositories())).toEqual(['hub/app'])
    expect(await collect(strict.repositories())).toEqual([])
    const put = backend.repository('team/app').manifests.put(image.content, { mediaType: MEDIA_TYPES.ociManifest })
    await expectRefusal(put, 'MANIFEST_BLOB_UNKNOWN')
  })
})
