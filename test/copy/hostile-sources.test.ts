import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { type Backend, decorate, type Manifests } from '../../src/backend.ts'
import { bytesBody, streamBody } from '../../src/bytes.ts'
import { copy } from '../../src/copy.ts'
import { RegistryError } from '../../src/errors.ts'
import { type Digest, digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, descriptorOf, json, pushImage } from '../support/images.ts'
import { childOf, holdings, overlay, pushIndex, testRegistry, withBlobs } from './support.ts'

/** A copy that must fail and leave nothing that could be pulled. */
async function failing(source: Backend, reference = 'v1') {
  const { registry: to } = testRegistry('all')
  const error: unknown = await copy({ backend: source, repository: 'a', reference }, to).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  const { tags, manifests } = await holdings(to.repository('a'))
  expect({ tags, manifests }).toEqual({ tags: [], manifests: [] })
  return error
}

function withManifests(inner: Backend, change: (manifests: Manifests) => Partial<Manifests>): Backend {
  return decorate(inner, { manifests: (manifests) => overlay(manifests, change(manifests)) })
}

async function image() {
  const { registry } = testRegistry('all')
  const pushed = await pushImage(registry.repository('a'), ['layer'], { tags: ['v1'] })
  return { registry, pushed, layer: digestOf(bytes('layer')) }
}

describe('copy from a source that sends', () => {
  it('other bytes of a blob: DIGEST_INVALID', async () => {
    const { registry, layer } = await image()
    const source = withBlobs((blobs) => ({
      open: async (digest, options) => {
        const reader = await blobs.open(digest, options)
        return digest === layer ? { ...reader, body: bytesBody(bytes('lager')) } : reader
      },
    }))(registry)
    expect(await failing(source)).toMatchObject({
      code: 'DIGEST_INVALID',
      message: `blob ${layer} of a:v1: provided digest did not match uploaded content`,
      detail: { digest: layer, image: 'a:v1', expected: layer, received: digestOf(bytes('lager')) },
    })
  })

  it('a blob that ends too early: DIGEST_INVALID', async () => {
    const { registry, layer } = await image()
    const source = withBlobs((blobs) => ({
      open: async (digest, options) => {
        const reader = await blobs.open(digest, options)
        return digest === layer ? { ...reader, body: bytesBody(bytes('lay')) } : reader
      },
    }))(registry)
    expect(await failing(source)).toMatchObject({ code: 'DIGEST_INVALID', detail: { digest: layer } })
  })

  it('a blob without an end: SIZE_INVALID, as soon as it is too long', async () => {
    const { registry, layer } = await image()
    let sent = 0
    const endless = new Readable({
      read() {
        sent++
        this.push(bytes('layer'))
      },
    })
    const source = withBlobs((blobs) => ({
      open: async (digest, options) => {
        const reader = await blobs.open(digest, options)
        return digest === layer ? { ...reader, body: streamBody(endless, 5) } : reader
      },
    }))(registry)
    expect(await failing(source)).toMatchObject({
      code: 'SIZE_INVALID',
      message: expect.stringMatching(`^blob ${layer} of a:v1: the source sent \\d+ bytes, its manifest says 5$`),
    })
    expect(endless.destroyed).toBe(true)
    expect(sent).toBeLessThan(20_000)
  })

  it('a blob of another size than the manifest says: SIZE_INVALID, before it moves', async () => {
    const { registry } = testRegistry('all')
    const { blobs, manifests } = registry.repository('a')
    const config = await blobs.put(json({}))
    const layer = { ...(await blobs.put(bytes('layer'))), size: 50 }
    await manifests.put(json({ schemaVersion: 2, config, layers: [layer] }), {
      mediaType: MEDIA_TYPES.ociManifest,
      tags: ['v1'],
    })
    expect(await failing(registry)).toMatchObject({
      code: 'SIZE_INVALID',
      message: `blob ${layer.digest} of a:v1: the source has 5 bytes, its manifest says 50`,
    })
    const { registry: to } = testRegistry()
    await to.repository('a').blobs.put(bytes('layer'))
    await expect(copy(registry, to)).rejects.toMatchObject({
      message: `blob ${layer.digest} of a:v1: the target has 5 bytes, its manifest says 50`,
    })
  })

  it('two sizes for one blob: SIZE_INVALID', async () => {
    const { registry } = testRegistry('all')
    const { blobs, manifests } = registry.repository('a')
    const config = await blobs.put(json({}))
    const layers = [config, { ...config, size: 7 }]
    await manifests.put(json({ schemaVersion: 2, config, layers }), {
      mediaType: MEDIA_TYPES.ociManifest,
      tags: ['v1'],
    })
    expect(await failing(registry)).toMatchObject({
      code: 'SIZE_INVALID',
      message: `blob ${config.digest} of a:v1: a:v1 says 2 bytes, its manifest says 7`,
    })
  })

  it('other bytes of a manifest: DIGEST_INVALID', async () => {
    const { registry, pushed } = await image()
    const source = withManifests(registry, (manifests) => ({
      get: async (reference) => ({ ...(await manifests.get(reference)), content: bytes('{}') }),
    }))
    expect(await failing(source)).toMatchObject({
      code: 'DIGEST_INVALID',
      message: `manifest ${pushed.digest} of a:v1: its bytes have the digest ${digestOf(bytes('{}'))}`,
    })
  })

  it('what is no manifest: MANIFEST_INVALID', async () => {
    const { registry } = testRegistry()
    const content = bytes('{"schemaVersion":2,"layers":')
    const digest = digestOf(content)
    const descriptor = { ...descriptorOf(content), mediaType: MEDIA_TYPES.ociManifest }
    const source = withManifests(registry, () => ({
      stat: () => Promise.resolve(descriptor),
      get: () => Promise.resolve({ descriptor, content }),
    }))
    expect(await failing(source)).toMatchObject({
      code: 'MANIFEST_INVALID',
      message: `manifest ${digest} of a:v1: not JSON`,
    })
  })

  it('a manifest of 5 MiB: MANIFEST_INVALID, without reading one that is announced so', async () => {
    const { registry } = await image()
    const content = bytes(' '.repeat(5 * 1024 * 1024))
    const descriptor = descriptorOf(content, MEDIA_TYPES.ociManifest)
    const message = `manifest ${descriptor.digest} of a:v1: 5242880 bytes are too many for a manifest: at most 4194304`
    let read = 0
    for (const size of [content.byteLength, 100]) {
      const source = withManifests(registry, () => ({
        stat: () => Promise.resolve({ ...descriptor, size }),
        get: async () => {
          read++
          return { descriptor, content }
        },
      }))
      expect(await failing(source)).toMatchObject({ code: 'MANIFEST_INVALID', message })
    }
    expect(read).toBe(1)
  })

  it('a manifest of another size than its index says: SIZE_INVALID', async () => {
    const { registry, pushed } = await image()
    await pushIndex(registry.repository('a'), [{ ...childOf(pushed), size: 10 }], { tags: ['v2'] })
    expect(await failing(registry, 'v2')).toMatchObject({
      code: 'SIZE_INVALID',
      message: `manifest ${pushed.digest} of a:v2: it has ${pushed.content.byteLength} bytes, where 10 were announced`,
    })
  })
})

describe('copy from a source that lacks', () => {
  it('a blob: BLOB_UNKNOWN', async () => {
    const { registry, layer } = await image()
    await registry.repository('a').blobs.delete(layer)
    expect(await failing(registry)).toMatchObject({
      code: 'BLOB_UNKNOWN',
      message: `blob ${layer} of a:v1: blob unknown to registry`,
    })
  })

  it.each([MEDIA_TYPES.ociManifest, 'application/x-unknown'])(
    'a child of type %s: MANIFEST_UNKNOWN',
    async (mediaType) => {
      const { registry } = await image()
      const child = descriptorOf(bytes('nowhere'), mediaType)
      const index = await pushIndex(registry.repository('a'), [child], { tags: ['v2'] })
      const why =
        mediaType === MEDIA_TYPES.ociManifest
          ? 'manifest unknown to registry'
          : `${index.digest} names it, but the source has neither a manifest nor a blob of this digest`
      expect(await failing(registry, 'v2')).toMatchObject({
        code: 'MANIFEST_UNKNOWN',
        message: `manifest ${child.digest} of a:v2: ${why}`,
      })
    },
  )

  it('a referrer that it lists: MANIFEST_UNKNOWN', async () => {
    const { registry } = await image()
    const missing = descriptorOf(bytes('signature'), MEDIA_TYPES.ociManifest)
    const source = withManifests(registry, () => ({
      referrers: async function* () {
        yield missing
      },
    }))
    const { registry: to } = testRegistry()
    await expect(copy(source, to, { referrers: true })).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      message: `manifest ${missing.digest} of a:v1: manifest unknown to registry`,
    })
  })

  it('the tag: MANIFEST_UNKNOWN', async () => {
    const { registry } = await image()
    expect(await failing(registry, 'v7')).toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      message: 'a:v7: manifest unknown to registry',
    })
  })

  it('an answer: what cannot be told is not taken for absent', async () => {
    const { registry } = await image()
    const source = withManifests(registry, (manifests) => ({
      stat: (reference: Digest | string) =>
        reference.endsWith('.sig') ? Promise.reject(new RegistryError('UNAVAILABLE')) : manifests.stat(reference),
    }))
    const { registry: to } = testRegistry()
    await expect(
      copy({ backend: source, repository: 'a', reference: 'v1' }, to, { referrers: true }),
    ).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/^a:sha256-\w+\.sig: service unavailable$/),
    })
  })
})

describe('copy from a source that goes in circles', () => {
  it('lists manifests as referrers of one another, and comes to an end', async () => {
    const { registry } = testRegistry()
    const one = childOf(await pushImage(registry.repository('a'), ['one'], { tags: ['v1'] }))
    const two = childOf(await pushImage(registry.repository('a'), ['two']))
    const source = withManifests(registry, () => ({
      referrers: async function* (subject) {
        yield subject === one.digest ? two : one
      },
    }))
    const { registry: to } = testRegistry()
    expect((await copy(source, to, { referrers: true })).manifests.written).toBe(2)
  })

  it('goes eight attachments deep and no further', async () => {
    const { registry } = testRegistry()
    const repository = registry.repository('a')
    const chain = [childOf(await pushImage(repository, ['image'], { tags: ['v1'] }))]
    for (const subject of chain) {
      if (chain.length === 10) break
      chain.push(childOf(await pushImage(repository, [`after ${chain.length}`], { subject })))
    }
    const { registry: to } = testRegistry()
    await expect(copy(registry, to, { referrers: true })).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: `manifest ${chain[9]?.digest} of a:v1: more than 8 levels of manifests within one another`,
    })
    await registry.repository('a').manifests.delete(chain[9]?.digest ?? 'sha256:')
    expect((await copy(registry, to, { referrers: true })).manifests.written).toBe(9)
  })
})
