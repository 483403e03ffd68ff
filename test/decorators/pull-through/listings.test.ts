import { describe, expect, it } from 'vitest'
import { RegistryError } from '../../../src/errors.ts'
import { collect, pushImage } from '../../support/images.ts'
import { expectRefusal } from '../support.ts'
import { type CacheOptions, DOWN, newCache } from './support.ts'

async function withTags(options: CacheOptions = {}) {
  const cache = newCache(options)
  const there = cache.upstream.registry.repository('app')
  const image = await pushImage(there, ['layer'], { tags: ['a', 'b', 'c'] })
  const here = cache.backend.repository('hub/app')
  return { ...cache, there, here, image }
}

describe('the list of tags', () => {
  it('is the upstream’s', async () => {
    const { here, upstream } = await withTags()
    await here.manifests.get('b')
    expect(await collect(here.tags.list())).toEqual(['a', 'b', 'c'])
    expect(await collect(here.tags.list({ after: 'a', limit: 1 }))).toEqual(['b', 'c'])
    expect(upstream.count('tags.list')).toBe(2)
  })

  it('is of those that are here while the upstream cannot tell', async () => {
    const { here, upstream } = await withTags()
    await here.manifests.get('b')
    upstream.failure = DOWN
    expect(await collect(here.tags.list())).toEqual(['b'])
  })

  it('is of nothing that does not exist, and "cannot tell" is not that', async () => {
    const { backend, upstream } = await withTags()
    await expectRefusal(collect(backend.repository('hub/none').tags.list()), 'NAME_UNKNOWN', 404)
    upstream.failure = DOWN
    await expectRefusal(collect(backend.repository('hub/other').tags.list()), 'UNAVAILABLE', 503)
    upstream.failure = new RegistryError('DENIED')
    await expectRefusal(collect(backend.repository('hub/app').tags.list()), 'DENIED', 403)
  })
})

describe('referrers', () => {
  it('are those of both sides, each once, in order', async () => {
    const { here, there, image, upstream } = await withTags()
    const subject = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: image.digest,
      size: image.content.byteLength,
    }
    const pushed = await Promise.all(
      ['sbom', 'signature', 'attestation'].map((text) =>
        pushImage(there, [text], { subject, artifactType: `x/${text}` }),
      ),
    )
    const all = pushed.map(({ digest }) => digest).sort()
    await here.manifests.get(all[1] ?? '')
    expect((await collect(here.manifests.referrers(image.digest))).map(({ digest }) => digest)).toEqual(all)
    const [second] = await collect(here.manifests.referrers(image.digest, { after: all[0] ?? '' }))
    expect(second?.digest).toBe(all[1])
    const ofType = await collect(here.manifests.referrers(image.digest, { artifactType: 'x/sbom' }))
    expect(ofType.map(({ artifactType }) => artifactType)).toEqual(['x/sbom'])
    upstream.failure = DOWN
    expect((await collect(here.manifests.referrers(image.digest))).map(({ digest }) => digest)).toEqual([all[1]])
  })

  it('are not "none" while the upstream cannot tell, and none are here', async () => {
    const { here, image, upstream } = await withTags()
    await here.manifests.get('a')
    expect(await collect(here.manifests.referrers(image.digest))).toEqual([])
    upstream.failure = DOWN
    await expectRefusal(collect(here.manifests.referrers(image.digest)), 'UNAVAILABLE', 503)
  })

  it('are none of a repository that is nowhere', async () => {
    const { backend, image } = await withTags()
    expect(await collect(backend.repository('hub/none').manifests.referrers(image.digest))).toEqual([])
  })
})

describe('the catalog', () => {
  it('is of what is here', async () => {
    const { backend, here } = await withTags()
    expect(await collect(backend.repositories())).toEqual([])
    await here.manifests.get('a')
    await pushImage(backend.repository('team/app'), ['ours'], { tags: ['v1'] })
    expect(await collect(backend.repositories())).toEqual(['hub/app', 'team/app'])
  })

  it('lists blobs and manifests that are here', async () => {
    const { here, image } = await withTags()
    expect(await collect(here.manifests.list())).toEqual([])
    await here.manifests.get('a')
    expect(await collect(here.manifests.list())).toEqual([image.digest])
    expect(await collect(here.blobs.list())).toEqual([])
  })
})
