import { describe, expect, it } from 'vitest'
import type { Repository } from '../../src/backend.ts'
import { copy } from '../../src/copy.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, collect, descriptorOf, json, pushImage } from '../support/images.ts'
import { childOf, holdings, platform, pushIndex, testRegistry } from './support.ts'

/** An index of three platforms, with BuildKit's attestation of the first. */
async function pushPlatforms(repository: Repository, tags: readonly string[] = ['multi']) {
  const amd64 = await pushImage(repository, ['amd64'])
  const arm64 = await pushImage(repository, ['arm64'])
  const armv7 = await pushImage(repository, ['armv7'])
  const attestation = await pushImage(repository, ['sbom of amd64'])
  const annotations = {
    'vnd.docker.reference.type': 'attestation-manifest',
    'vnd.docker.reference.digest': amd64.digest,
  }
  const index = await pushIndex(
    repository,
    [
      childOf(amd64, platform('linux/amd64')),
      childOf(arm64, platform('linux/arm64/v8')),
      childOf(armv7, platform('linux/arm/v7')),
      childOf(attestation, { ...platform('unknown/unknown'), annotations }),
    ],
    { tags },
  )
  return { amd64, arm64, armv7, attestation, index }
}

describe('copy of an index', () => {
  it('brings all its children, before it', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry('none') // refuses a parent that comes before its children
    await pushPlatforms(from.repository('a'))
    expect((await copy(from, to)).manifests).toEqual({ written: 5, skipped: 0 })
    expect(await holdings(to.repository('a'))).toEqual(await holdings(from.repository('a')))
  })

  it.each([
    [['linux/amd64'], ['amd64']],
    [['linux/arm64'], ['arm64']],
    [['linux/arm'], ['armv7']],
    [
      ['linux/arm/v7', { os: 'linux', architecture: 'arm64', variant: '' }],
      ['armv7', 'arm64'],
    ],
  ] as const)('brings the platforms %j alone, and keeps its digest', async (platforms, names) => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const images = await pushPlatforms(from.repository('a'))
    await copy({ backend: from, repository: 'a', reference: 'multi' }, to, { platforms })
    const { tags, manifests } = await holdings(to.repository('a'))
    expect(tags).toEqual(['multi'])
    expect(manifests).toEqual([images.index.digest, ...names.map((name) => images[name].digest)].sort())
    expect(await to.repository('a').tags.resolve('multi')).toBe(images.index.digest)
  })

  it('is refused by a target that takes no index without its children', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry('none')
    const { index } = await pushPlatforms(from.repository('a'))
    await expect(copy(from, to, { platforms: ['linux/amd64'] })).rejects.toMatchObject({
      code: 'MANIFEST_BLOB_UNKNOWN',
      message: `manifest ${index.digest} of a:multi: manifest references a manifest or blob unknown to registry`,
    })
    expect((await holdings(to.repository('a'))).tags).toEqual([])
  })

  it('becomes another one, of the chosen platforms, when it is to be narrowed', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry('none')
    const { amd64, index } = await pushPlatforms(from.repository('a'), [])
    const outer = await pushIndex(
      from.repository('a'),
      [childOf({ digest: index.digest, content: index.content }, { mediaType: MEDIA_TYPES.ociIndex })],
      { tags: ['outer'] },
    )
    const options = { platforms: ['linux/amd64'], index: 'narrow' } as const
    const { images } = await copy(from, to, options)
    expect(images[0]?.digest).not.toBe(outer.digest)
    const { manifests } = to.repository('a')
    const narrowed = JSON.parse(Buffer.from((await manifests.get('outer')).content).toString())
    const inner = narrowed.manifests[0]
    expect(narrowed).toEqual({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [inner] })
    expect(await manifests.stat(inner.digest)).toEqual(inner)
    expect(JSON.parse(Buffer.from((await manifests.get(inner.digest)).content).toString())).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [childOf(amd64, platform('linux/amd64'))],
    })
    expect(await copy(from, to, options)).toMatchObject({
      images,
      manifests: { written: 0, skipped: 3 },
      tags: { set: 0, skipped: 1 },
    })
  })

  it('stays as it is when narrowing leaves nothing out', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const image = await pushImage(from.repository('a'), ['one'])
    const { digest } = await pushIndex(from.repository('a'), [childOf(image, platform('linux/amd64'))], {
      tags: ['v1'],
    })
    const { images } = await copy(from, to, { platforms: ['linux/amd64'], index: 'narrow' })
    expect(images).toEqual([{ repository: 'a', digest, tags: ['v1'] }])
  })

  it('brings the attestations of the chosen platforms with the referrers', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const { amd64, attestation, index } = await pushPlatforms(from.repository('a'))
    await copy(from, to, { platforms: ['linux/amd64'], referrers: true })
    expect((await holdings(to.repository('a'))).manifests).toEqual(
      [amd64.digest, attestation.digest, index.digest].sort(),
    )
  })

  it('fails for a platform that it does not have, and says which ones there are', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    await pushPlatforms(from.repository('a'))
    await expect(copy(from, to, { platforms: ['linux/amd64', 'linux/riscv64'] })).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      message: 'a:multi: no image for linux/riscv64; there are linux/amd64, linux/arm64/v8, linux/arm/v7',
    })
    expect(await holdings(to.repository('a'))).toEqual({ tags: [], manifests: [], blobs: [] })
  })

  it('copies an image that is in no index whatever the platforms', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const { digest } = await pushImage(from.repository('a'), ['one'], { tags: ['v1'] })
    await copy(from, to, { platforms: ['linux/amd64'] })
    expect(await to.repository('a').tags.resolve('v1')).toBe(digest)
  })

  it('adds the platforms that an earlier copy left out', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    await pushPlatforms(from.repository('a'))
    await copy(from, to, { platforms: ['linux/amd64'] })
    expect((await copy(from, to)).manifests).toEqual({ written: 3, skipped: 2 })
    expect(await holdings(to.repository('a'))).toEqual(await holdings(from.repository('a')))
  })
})

describe('copy of an index of blobs', () => {
  it.each([
    ['application/vnd.oci.image.layer.v1.tar+gzip', 'application/vnd.buildkit.cacheconfig.v0'],
    ['application/x-unknown', 'application/x-unknown'],
  ])('brings what BuildKit caches, as %s', async (layerType, configType) => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry('none')
    const { blobs } = from.repository('cache')
    const layer = { ...(await blobs.put(bytes('layer'))), mediaType: layerType }
    const config = { ...(await blobs.put(bytes('config'))), mediaType: configType }
    await pushIndex(from.repository('cache'), [layer, config], { tags: ['main'] })
    expect((await copy(from, to, { platforms: ['linux/amd64'] })).blobs.moved).toBe(2)
    expect(await holdings(to.repository('cache'))).toEqual(await holdings(from.repository('cache')))
  })

  it('brings a manifest of a type that nobody knows, and what it mentions', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry('none')
    const { blobs, manifests } = from.repository('a')
    const blob = await blobs.put(bytes('blob'))
    const image = await pushImage(from.repository('a'), ['one'])
    const mediaType = 'application/vnd.example.bundle+json'
    const absent = descriptorOf(bytes('nowhere'))
    const content = json({ parts: [blob, image.digest, absent] })
    const bundle = await manifests.put(content, { mediaType })
    await pushIndex(from.repository('a'), [bundle], { tags: ['v1'] })
    await copy(from, to)
    expect(await holdings(to.repository('a'))).toEqual(await holdings(from.repository('a')))
    expect((await to.repository('a').manifests.stat(bundle.digest)).mediaType).toBe(mediaType)
  })
})

describe('copy of indexes within one another', () => {
  async function nest(repository: Repository, levels: number) {
    let child = childOf(await pushImage(repository, ['one']))
    for (let i = 0; i < levels; i++) {
      const { content: _, ...index } = await pushIndex(repository, [child], i === levels - 1 ? { tags: ['v1'] } : {})
      child = index
    }
    return child
  }

  it('goes eight levels down', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry('none')
    await nest(from.repository('a'), 8)
    expect((await copy(from, to)).manifests.written).toBe(9)
  })

  it('and no further', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry('none')
    await nest(from.repository('a'), 9)
    await expect(copy(from, to)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: expect.stringMatching(
        /^manifest sha256:\w+ of a:v1: more than 8 levels of manifests within one another$/,
      ),
    })
    expect(await collect(to.repositories())).toEqual([])
  })

  it('puts a child first that is met near the top and again further down', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry('none')
    const repository = from.repository('a')
    const image = childOf(await pushImage(repository, ['one']))
    const { content: _, ...inner } = await pushIndex(repository, [image])
    const { content: __, ...middle } = await pushIndex(repository, [inner, image])
    await pushIndex(repository, [inner, middle, image], { tags: ['v1'] })
    expect((await copy(from, to, { concurrency: 1 })).manifests.written).toBe(4)
  })

  it('reads each manifest once, and moves each blob once', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const repository = from.repository('a')
    const image = await pushImage(repository, ['one'], { tags: ['v1', 'v2', 'latest'] })
    const other = await pushImage(repository, ['one', 'two'])
    await pushIndex(repository, [childOf(image), childOf(other), childOf(image)], { tags: ['multi'] })
    const { blobs, manifests } = await copy(from, to)
    expect(blobs.moved).toBe(4)
    expect(manifests.written).toBe(3)
    expect(digestOf(image.content)).toBe(image.digest)
  })
})
