import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { unpackTar } from 'modern-tar'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import { parseManifest } from '../../src/spec/manifest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { artifact, image, index, type SymbolicImage } from '../../src/testing/index.ts'

const text = (content: Uint8Array | undefined) => Buffer.from(content ?? []).toString()

const json = (content: Uint8Array | undefined) => JSON.parse(text(content))

async function filesOf(tar: Uint8Array | undefined): Promise<Record<string, string>> {
  // Its types want a buffer that is not shared.
  const entries = await unpackTar(Uint8Array.from(tar ?? []))
  return Object.fromEntries(entries.map(({ header, data }) => [header.name, text(data)]))
}

function layersOf({ layers, blobs }: SymbolicImage): (Uint8Array | undefined)[] {
  return layers.map(({ digest }) => blobs.get(digest))
}

describe('image', () => {
  it('makes tars of texts and of files, and takes bytes as they are', async () => {
    const made = image({
      layers: ['a', 'not a name!', { 'etc/motd': 'hello', bin: Buffer.from([1]) }, Buffer.from('raw')],
    })
    const [a, other, files, raw] = layersOf(made)
    expect(await filesOf(a)).toEqual({ a: 'a' })
    expect(await filesOf(other)).toEqual({ [digestOf(Buffer.from('not a name!')).slice(7, 19)]: 'not a name!' })
    expect(await filesOf(files)).toEqual({ 'etc/motd': 'hello', bin: '\u0001' })
    expect(text(raw)).toBe('raw')
  })

  it('is an image of OCI: its config names the layers, and its descriptors fit', () => {
    const made = image({
      layers: ['a', 'b'],
      config: { Cmd: ['/a'] },
      platform: 'linux/arm64/v8',
      annotations: { k: 'v' },
    })
    const { config, layers, blobs, content } = made
    expect(json(blobs.get(config?.digest ?? made.digest))).toEqual({
      architecture: 'arm64',
      os: 'linux',
      variant: 'v8',
      config: { Cmd: ['/a'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    })
    for (const { digest, size } of layers)
      expect([digestOf(blobs.get(digest) ?? content), blobs.get(digest)?.byteLength]).toEqual([digest, size])
    expect(json(content)).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: { mediaType: MEDIA_TYPES.ociConfig, digest: config?.digest, size: config?.size },
      layers,
      annotations: { k: 'v' },
    })
    expect(made.descriptor).toEqual({
      mediaType: MEDIA_TYPES.ociManifest,
      digest: digestOf(content),
      size: content.byteLength,
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
    })
  })

  it('is the same bytes each time, and equal layers are one', () => {
    expect(image({ layers: ['a', 'b'] }).digest).toBe(
      'sha256:ab3de45403b80eb69202408ca5cf9f12742b9e5f65c8bea65120e1b43d969410',
    )
    expect(image({ layers: ['a'] }).layers).toEqual(image({ layers: ['a', 'b'] }).layers.slice(0, 1))
  })

  it('compresses in form alone, with the digest of what is inside in the config', async () => {
    const made = image({ layers: ['a'], gzip: true })
    const [layer] = layersOf(made)
    const inside = gunzipSync(layer ?? '')
    expect(await filesOf(inside)).toEqual({ a: 'a' })
    expect(json(made.blobs.get(made.config?.digest ?? made.digest)).rootfs.diff_ids).toEqual([digestOf(inside)])
    expect(made.layers[0]).toMatchObject({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: 'sha256:2ee3a8ae1ee88e7ce44f31d766cd1b0cf8637cb26c9c73a132e7a9527dbfb542',
    })
  })

  it('has the media types of Docker, if wanted', () => {
    const { mediaType, config, layers } = image({ layers: ['a'], format: 'docker' })
    expect([mediaType, config?.mediaType, layers[0]?.mediaType]).toEqual([
      MEDIA_TYPES.dockerManifest,
      'application/vnd.docker.container.image.v1+json',
      'application/vnd.docker.image.rootfs.diff.tar',
    ])
    expect(index([], { format: 'docker' }).mediaType).toBe(MEDIA_TYPES.dockerList)
  })

  it('says what is wrong with its options', () => {
    expect(() => image({ platform: 'arm64' })).toThrow(
      'the string "arm64" is no platform: expected OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, linux/arm64 say',
    )
    expect(() => image({ layer: ['a'] } as object)).toThrow('image() has no option "layer": did you mean "layers"?')
    expect(() => image({ layers: [{ ['x'.repeat(101)]: '' }] })).toThrow('of 1 to 100 bytes')
    expect(() => index(image() as never)).toThrow('index() takes a list of images, not a plain object')
  })

  it('reads as a manifest whatever it is made of', () => {
    const layer = fc.oneof(fc.string(), fc.uint8Array(), fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), fc.string()))
    fc.assert(
      fc.property(fc.array(layer, { maxLength: 4 }), fc.boolean(), (layers, gzip) => {
        const { content, mediaType, blobs, layers: described } = image({ layers, gzip })
        expect(parseManifest(content, mediaType).kind).toBe('image')
        expect(described.map(({ digest }) => blobs.get(digest)?.byteLength)).toEqual(described.map(({ size }) => size))
      }),
    )
  })
})

describe('index', () => {
  it('lists images with their platforms', () => {
    const images = [image({ layers: ['a'] }), image({ layers: ['a'], platform: 'linux/arm64' })]
    const made = index(images, { annotations: { k: 'v' } })
    expect(json(made.content)).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: images.map(({ descriptor }) => descriptor),
      annotations: { k: 'v' },
    })
    expect(made.images).toEqual(images)
    expect(images.map(({ descriptor }) => descriptor.platform?.architecture)).toEqual(['amd64', 'arm64'])
  })
})

describe('artifact', () => {
  it('holds texts by their titles, and names its subject without its platform', () => {
    const subject = image()
    const made = artifact({ type: 'text/x-sbom', content: { 'a.txt': 'A' }, mediaType: 'text/plain', subject })
    const { digest, size, mediaType } = subject.descriptor
    expect(json(made.content)).toMatchObject({
      artifactType: 'text/x-sbom',
      config: { mediaType: MEDIA_TYPES.ociEmpty, size: 2 },
      layers: [{ mediaType: 'text/plain', size: 1, annotations: { 'org.opencontainers.image.title': 'a.txt' } }],
      subject: { digest, size, mediaType },
    })
    expect(made.subject).toEqual({ digest, size, mediaType })
    expect(made.descriptor.artifactType).toBe('text/x-sbom')
  })

  it('is of one layer at least', () => {
    const [layer] = artifact({ type: 'text/x' }).layers
    expect(layer).toMatchObject({ mediaType: MEDIA_TYPES.ociEmpty, size: 2 })
    expect(layersOf(artifact({ type: 'text/x', content: 'A' })).map(text)).toEqual(['A'])
  })
})
