import { describe, expect, it } from 'vitest'
import { type Backend, decorate } from '../../src/backend.ts'
import { immutableTags } from '../../src/decorators/immutable-tags.ts'
import { readOnly } from '../../src/decorators/read-only.ts'
import { algorithmOf, type Digest, digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, collect, json, pushImage } from '../support/images.ts'
import { decorated, expectRefusal } from './support.ts'

const mediaType = MEDIA_TYPES.ociIndex

/** Manifests that need nothing, told apart by a number. */
function manifest(n: number): { readonly content: Uint8Array; readonly digest: Digest } {
  const content = json({ schemaVersion: 2, mediaType, manifests: [], annotations: { n: String(n) } })
  return { content, digest: digestOf(content) }
}

const [first, second] = [manifest(1), manifest(2)]

function push(backend: Backend, { content }: { content: Uint8Array }, ...tags: string[]) {
  return backend.repository('app').manifests.put(content, { mediaType, tags })
}

describe('immutableTags', () => {
  it('lets a tag be created, and pushed again with the same content', async () => {
    const { backend } = decorated(immutableTags())
    expect((await push(backend, first, 'v1')).digest).toBe(first.digest)
    expect((await push(backend, first, 'v1')).digest).toBe(first.digest)
    expect(await backend.repository('app').tags.resolve('v1')).toBe(first.digest)
  })

  it('refuses other content under a tag that exists', async () => {
    const { plain, backend } = decorated(immutableTags())
    await push(backend, first, 'v1')
    await expectRefusal(push(backend, second, 'v1'), 'DENIED', 403)
    await expectRefusal(push(backend, second, 'v2', 'v1'), 'DENIED', 403)
    const app = plain.repository('app')
    expect(await collect(app.tags.list())).toEqual(['v1'])
    expect(await collect(app.manifests.list())).toEqual([first.digest])
  })

  it('says which tag it is about', async () => {
    const { backend } = decorated(immutableTags())
    await push(backend, first, 'v1')
    await expect(push(backend, second, 'v1')).rejects.toMatchObject({
      message: 'the tag v1 exists and cannot be changed',
      detail: { tag: 'v1' },
    })
  })

  it('compares by the algorithm of the push', async () => {
    const { backend } = decorated(immutableTags())
    const digest = digestOf(first.content, 'sha512')
    const options = { mediaType, tags: ['v1'], digest }
    await backend.repository('app').manifests.put(first.content, options)
    await backend.repository('app').manifests.put(first.content, options)
    expect(algorithmOf(await backend.repository('app').tags.resolve('v1'))).toBe('sha512')
    await expectRefusal(push(backend, first, 'v1'), 'DENIED')
  })

  it('lets manifests without a tag pass', async () => {
    const { backend } = decorated(immutableTags())
    await push(backend, first)
    await push(backend, second)
    expect(await collect(backend.repository('app').manifests.list())).toHaveLength(2)
  })

  it('lets tags that do not match move, also in the same push', async () => {
    const { backend } = decorated(immutableTags({ match: 'v*' }))
    const { tags } = backend.repository('app')
    await push(backend, first, 'v1', 'latest')
    await push(backend, second, 'v2', 'latest')
    expect(await tags.resolve('latest')).toBe(second.digest)
    await push(backend, first, 'v1', 'latest')
    expect(await tags.resolve('latest')).toBe(first.digest)
    expect(await collect(tags.list())).toEqual(['latest', 'v1', 'v2'])
    await expectRefusal(push(backend, first, 'latest', 'v2'), 'DENIED')
  })

  it('takes a function for a match', async () => {
    const { backend } = decorated(immutableTags({ match: (tag) => tag !== 'latest' }))
    await push(backend, first, 'latest', 'x')
    await push(backend, second, 'latest')
    await expectRefusal(push(backend, second, 'x'), 'DENIED')
  })

  it('gives one success to fifty who create one tag with different content', async () => {
    const { backend } = decorated(immutableTags())
    const racers = Array.from({ length: 50 }, (_, n) => manifest(n))
    const results = await Promise.allSettled(racers.map((racer) => push(backend, racer, 'v1')))
    const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.digest] : []))
    expect(winners).toEqual([await backend.repository('app').tags.resolve('v1')])
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'DENIED' })
    }
  })

  it('gives success to all of fifty who create one tag with the same content', async () => {
    const { backend } = decorated(immutableTags())
    const results = await Promise.allSettled(Array.from({ length: 50 }, () => push(backend, first, 'v1')))
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([])
  })

  it('gives one success to fifty who set one tag', async () => {
    const { backend } = decorated(immutableTags())
    const racers = Array.from({ length: 50 }, (_, n) => manifest(n))
    for (const racer of racers) await push(backend, racer)
    const { tags } = backend.repository('app')
    const results = await Promise.allSettled(racers.map(({ digest }) => tags.set('v1', digest)))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it.each([
    ['created, where it must not exist', null, undefined, undefined],
    ['created, where it must exist', 'any', undefined, 412],
    ['created, where it must be elsewhere', second.digest, undefined, 412],
    ['pushed again, where it must not exist', null, first, 412],
    ['pushed again, where it must exist', 'any', first, undefined],
    ['pushed again, where it must be what it is', first.digest, first, undefined],
    ['pushed again, where it must be elsewhere', second.digest, first, 412],
    ['moved, where it must be what it is', second.digest, second, 403],
    ['moved, where it must exist', 'any', second, 403],
  ] as const)('heeds what the client expects of a tag: %s', async (_, expected, existing, status) => {
    for (const way of ['put', 'set'] as const) {
      const { plain, backend } = decorated(immutableTags())
      if (existing !== undefined) await push(plain, existing, 'v1')
      await push(plain, first)
      const { manifests, tags } = backend.repository('app')
      const result =
        way === 'put'
          ? manifests.put(first.content, { mediaType, tags: ['v1'], expected })
          : tags.set('v1', first.digest, { expected })
      if (status === undefined) await result
      else await expectRefusal(result, 'DENIED', status)
    }
  })

  describe('where the bytes do not tell their media type', () => {
    const content = bytes('not JSON')
    const digest = digestOf(content)
    const [asFirst, asSecond] = ['application/vnd.example.first', 'application/vnd.example.second']

    /** What `v1` is served as, by the storage itself. */
    async function servedAs(plain: Backend): Promise<string> {
      return (await plain.repository('app').manifests.get('v1')).descriptor.mediaType
    }

    it.each([
      ['the tag', { tags: ['v1'] }],
      ['another such tag', { tags: ['v2'] }],
      ['a tag that may move', { tags: ['latest'] }],
      ['the digest alone', { digest }],
      ['neither', {}],
    ])('refuses them as another one, pushed by %s', async (_, by) => {
      const { plain, backend } = decorated(immutableTags({ match: 'v*' }))
      const { manifests, tags } = backend.repository('app')
      await manifests.put(content, { mediaType: asFirst, tags: ['v1'] })
      await expect(manifests.put(content, { mediaType: asSecond, ...by })).rejects.toMatchObject({
        code: 'DENIED',
        status: 403,
        message: `the tag v1 points to this manifest as ${asFirst}, and cannot be changed`,
        detail: { tag: 'v1', mediaType: asFirst },
      })
      expect(await servedAs(plain)).toBe(asFirst)
      expect(await collect(tags.list())).toEqual(['v1'])
    })

    it('takes them as the same, in any case of letters', async () => {
      const { plain, backend } = decorated(immutableTags())
      const { manifests } = backend.repository('app')
      for (const mediaType of [asFirst, asFirst, asFirst.toUpperCase()]) {
        expect((await manifests.put(content, { mediaType, tags: ['v1'] })).digest).toBe(digest)
      }
      expect((await servedAs(plain)).toLowerCase()).toBe(asFirst)
    })

    it('takes them as another one where only tags that may move point to them', async () => {
      const { plain, backend } = decorated(immutableTags({ match: 'v*' }))
      const { manifests } = backend.repository('app')
      await manifests.put(content, { mediaType: asFirst, tags: ['latest'] })
      await manifests.put(first.content, { mediaType, tags: ['v0'] })
      await manifests.put(content, { mediaType: asSecond, tags: ['v1'] })
      expect(await servedAs(plain)).toBe(asSecond)
    })

    it('looks at the tags only where the manifest is stored as another type', async () => {
      const { plain } = decorated(immutableTags())
      let listed = 0
      const counting = decorate(plain, {
        tags: (tags) => ({
          resolve: (tag, context) => tags.resolve(tag, context),
          set: (tag, target, options) => tags.set(tag, target, options),
          delete: (tag, context) => tags.delete(tag, context),
          list: (options) => {
            listed++
            return tags.list(options)
          },
        }),
      })
      const { manifests } = immutableTags()(counting).repository('app')
      await manifests.put(content, { mediaType: asFirst, tags: ['v1'] })
      await manifests.put(content, { mediaType: asFirst, digest })
      await manifests.put(first.content, { mediaType })
      expect(listed).toBe(0)
      await expectRefusal(manifests.put(content, { mediaType: asSecond, digest }), 'DENIED')
      expect(listed).toBe(1)
    })
  })

  it('refuses to set a tag anew, but for where it points', async () => {
    const { backend } = decorated(immutableTags())
    await push(backend, first, 'v1')
    await push(backend, second)
    const { tags } = backend.repository('app')
    await tags.set('v1', first.digest)
    await expectRefusal(tags.set('v1', second.digest), 'DENIED', 403)
    await tags.set('v2', second.digest)
    await expectRefusal(tags.set('v3', manifest(3).digest), 'MANIFEST_UNKNOWN')
  })

  it('refuses to delete a tag, and knows one that does not exist', async () => {
    const { backend } = decorated(immutableTags({ match: 'v*' }))
    const { tags } = backend.repository('app')
    await push(backend, first, 'v1', 'latest')
    await expectRefusal(tags.delete('v1'), 'DENIED', 403)
    await expectRefusal(tags.delete('v2'), 'MANIFEST_UNKNOWN')
    await tags.delete('latest')
    expect(await collect(tags.list())).toEqual(['v1'])
  })

  it('refuses to delete a manifest that such a tag points to', async () => {
    const { backend } = decorated(immutableTags({ match: 'v*' }))
    const { manifests } = backend.repository('app')
    const [last, many] = [manifest(3), manifest(4)]
    await push(backend, first, 'v-0')
    for (let n = 10; n < 50; n++) await push(backend, many, `v-${n}`)
    await push(backend, last, 'v-99')
    await push(backend, second, 'latest')
    for (const held of [first, many, last]) await expectRefusal(manifests.delete(held.digest), 'DENIED', 403)
    expect(await manifests.delete(second.digest)).toEqual(['latest'])
    await expectRefusal(manifests.delete(manifest(5).digest), 'MANIFEST_UNKNOWN')
    await expectRefusal(backend.repository('nothing').manifests.delete(first.digest), 'MANIFEST_UNKNOWN')
  })

  it('refuses to delete a repository that has such a tag', async () => {
    const { backend } = decorated(immutableTags({ match: 'v*' }))
    await push(backend, first, 'latest')
    await push(backend, second, 'v1')
    await expectRefusal(backend.repository('app').delete(), 'DENIED', 403)
    await backend.repository('other').manifests.put(first.content, { mediaType, tags: ['latest'] })
    await backend.repository('other').delete()
    expect(await collect(backend.repositories())).toEqual(['app'])
    await expectRefusal(backend.repository('nothing').delete(), 'NAME_UNKNOWN')
  })

  it('leaves blobs and reads alone', async () => {
    const { backend } = decorated(immutableTags())
    const { config, content } = await pushImage(backend.repository('app'), ['one'], { tags: ['v1'] })
    expect((await backend.repository('app').manifests.get('v1')).content).toEqual(content)
    await backend.repository('app').blobs.delete(config.digest)
  })

  it('passes on a refusal of what it wraps', async () => {
    const { plain } = decorated(readOnly())
    const backend = immutableTags()(readOnly()(plain))
    await expectRefusal(push(backend, first, 'v1'), 'UNSUPPORTED')
  })
})
