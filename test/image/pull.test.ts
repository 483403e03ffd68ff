import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Blobs, decorate, type Repository } from '../../src/backend.ts'
import { streamBody } from '../../src/bytes.ts'
import { image } from '../../src/image/builder.ts'
import { pull } from '../../src/image/pull.ts'
import { imageSource } from '../../src/image/source.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, descriptorOf, json } from '../support/images.ts'
import { archive, inPieces } from '../tar/support.ts'
import { entriesOf, filesOf, pushByHand, pushIndex, registry } from './support.ts'

const TAR = archive({ name: 'etc/', type: 'directory', mode: 0o755 }, { name: 'etc/motd', content: 'hello' })
const GZIP = zlib.gzipSync(TAR)
const ZSTD_MAGIC = Buffer.from('28b52ffd', 'hex')
const [AMD64, ARM64, ARMV7] = [
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: 'arm64', variant: 'v8' },
  { os: 'linux', architecture: 'arm', variant: 'v7' },
]

function team(): Repository {
  return registry().repository('team/app')
}

/** A repository whose blobs are kept by something that cannot be trusted. */
function withBlobs(repository: Repository, overrides: (inner: Blobs) => Partial<Blobs>): Repository {
  const backend = { repository: () => repository, repositories: () => Readable.from([]) }
  const blobs = (inner: Blobs): Blobs => {
    const changed = overrides(inner)
    return new Proxy(inner, {
      get: (target, name: keyof Blobs) => {
        const own = changed[name] ?? target[name]
        return typeof own === 'function' ? own.bind(target) : own
      },
    })
  }
  return decorate(backend, { blobs }).repository('team/app')
}

/** Opens other bytes for one of the blobs. */
const spoiling = (repository: Repository, digest: string, content: Uint8Array) =>
  withBlobs(repository, (inner) => ({
    open: async (asked, options) => {
      const reader = await inner.open(asked, options)
      if (asked !== digest) return reader
      await reader.body[Symbol.asyncDispose]()
      return { ...reader, body: streamBody(Readable.from([content], { objectMode: false }), content.byteLength) }
    },
  }))

async function read(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('pull', () => {
  it('reads manifest and config, and layers when they are asked for', async () => {
    const repository = team()
    const config = { config: { Cmd: ['sh'], Env: null }, 'x-unknown': { kept: true } }
    const layers = [{ blob: GZIP, tar: TAR }, { blob: TAR }]
    const { digest } = await pushByHand(repository, { layers, config, tags: ['v1'] })
    const pulled = await pull({ repository, reference: 'v1' })
    expect(digestOf(pulled.content)).toBe(digest)
    expect(pulled.descriptor).toEqual({ mediaType: MEDIA_TYPES.ociManifest, digest, size: pulled.content.byteLength })
    expect(pulled.platform).toEqual(AMD64)
    expect(pulled.index).toBeUndefined()
    expect(pulled.config).toEqual({
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['sh'] },
      rootfs: { type: 'layers', diff_ids: [digestOf(TAR), digestOf(TAR)] },
      'x-unknown': { kept: true },
    })
    expect(pulled.layers.map(({ descriptor, diffId }) => [descriptor.digest, diffId])).toEqual([
      [digestOf(GZIP), digestOf(TAR)],
      [digestOf(TAR), digestOf(TAR)],
    ])
    for (const layer of pulled.layers) {
      expect(await filesOf(layer)).toEqual({ 'etc/': '', 'etc/motd': 'hello' })
      expect(await read(await layer.uncompressed())).toEqual(TAR)
    }
    expect(pulled.layers[0] && (await read(await pulled.layers[0].open()))).toEqual(GZIP)
  })

  it('takes a digest, a backend with a name, and text with a way to resolve it', async () => {
    const backend = registry()
    const { digest } = await pushByHand(backend.repository('library/ubuntu'), { tags: ['latest'] })
    const resolve = (host: string) => {
      expect(host).toBe('docker.io')
      return backend
    }
    const sources = [
      { backend, repository: 'library/ubuntu', reference: digest },
      { repository: backend.repository('library/ubuntu'), reference: 'latest' },
      imageSource('ubuntu', resolve),
    ]
    for (const source of sources) expect((await pull(source)).descriptor.digest).toBe(digest)
    expect((await pull(`ubuntu@${digest}`, { resolve })).descriptor.digest).toBe(digest)
    await expect(pull('ubuntu')).rejects.toThrow(/"resolve"/)
    await expect(pull({ repository: 'ubuntu', reference: 'latest' } as never)).rejects.toThrow(TypeError)
    await expect(pull({ repository: backend.repository('library/ubuntu') } as never)).rejects.toThrow(TypeError)
    const options = { platfrom: 'linux/arm64' } as never
    await expect(pull(`ubuntu@${digest}`, options)).rejects.toThrow(/did you mean "platform"/)
  })

  describe('of an index', () => {
    it('takes the image for the platform, through indexes within it', async () => {
      const repository = team()
      const attestation = {
        ...(await pushByHand(repository, { config: { author: 'x' } })),
        platform: { os: 'unknown', architecture: 'unknown' },
      }
      const images = []
      for (const platform of [AMD64, ARM64, ARMV7])
        if (platform) images.push(await pushByHand(repository, { platform }))
      const inner = await pushIndex(repository, [attestation, ...images])
      const outer = await pushIndex(repository, [inner], ['v1'])
      for (const [name, at] of [
        ['linux/arm64', 1],
        ['linux/arm/v8', 2],
        ['linux/amd64', 0],
      ] as const) {
        const { descriptor, index, platform } = await pull({ repository, reference: 'v1' }, { platform: name })
        expect([descriptor.digest, index?.descriptor.digest]).toEqual([images[at]?.digest, outer.digest])
        expect(platform).toEqual(images[at]?.platform)
      }
      await expect(pull({ repository, reference: 'v1' }, { platform: 'linux/s390x' })).rejects.toMatchObject({
        code: 'MANIFEST_UNKNOWN',
        message: 'there is no image for linux/s390x: there is linux/amd64, linux/arm64/v8, linux/arm/v7',
      })
    })

    it('follows no more than four within one another', async () => {
      const repository = team()
      let inner = await pushByHand(repository, {})
      for (let i = 0; i < 4; i++) inner = await pushIndex(repository, [inner])
      expect(await pull({ repository, reference: inner.digest })).toMatchObject({ platform: AMD64 })
      inner = await pushIndex(repository, [inner])
      await expect(pull({ repository, reference: inner.digest })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    })
  })

  it('takes an image without an index as it is, unless a platform is asked for that it is not for', async () => {
    const repository = team()
    const platform = { os: 'plan9', architecture: 'mips' }
    await pushByHand(repository, { platform, tags: ['v1'] })
    expect((await pull({ repository, reference: 'v1' })).platform).toEqual(platform)
    await expect(pull({ repository, reference: 'v1' }, { platform: 'linux/amd64' })).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      message: 'the image is for plan9/mips, not for linux/amd64',
    })
  })

  it('says what is no image', async () => {
    const repository = team()
    await pushByHand(repository, { configType: MEDIA_TYPES.ociEmpty, tags: ['artifact'] })
    await repository.manifests.put(bytes('?'), { mediaType: 'application/vnd.example', tags: ['other'] })
    for (const reference of ['artifact', 'other']) {
      await expect(pull({ repository, reference })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    }
    await expect(pull({ repository, reference: 'missing' })).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    await expect(pull({ repository, reference: '-' })).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
  })

  it.each([
    ['no rootfs', { rootfs: null }],
    ['another rootfs', { rootfs: { type: 'disk' } }],
    ['a digest that is none', { rootfs: { type: 'layers', diff_ids: ['sha256:0'] } }],
    ['fewer layers than the manifest', { rootfs: { type: 'layers', diff_ids: [] } }],
    ['an environment that is no list', { config: { Env: 'A=b' } }],
    ['labels that are no text', { config: { Labels: { a: 1 } } }],
    ['ports in a list', { config: { ExposedPorts: ['80/tcp'] } }],
    ['something else in place of its config', { config: [] }],
    ['an architecture that is none', { architecture: 1 }],
    ['a history that is none', { history: ['first'] }],
  ])('refuses a config with %s', async (_, config) => {
    const repository = team()
    await pushByHand(repository, { layers: [{ blob: TAR }], config, tags: ['v1'] })
    await expect(pull({ repository, reference: 'v1' })).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
  })

  it('reads no config of more than 4 MiB', async () => {
    const repository = team()
    await pushByHand(repository, { config: { author: 'a'.repeat(4 * 1024 * 1024) }, tags: ['v1'] })
    await expect(pull({ repository, reference: 'v1' })).rejects.toMatchObject({ code: 'SIZE_INVALID' })
  })

  it('ends when its signal does', async () => {
    const repository = team()
    await pushByHand(repository, { layers: [{ blob: TAR }], tags: ['v1'] })
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(pull({ repository, reference: 'v1' }, { signal })).rejects.toThrow()
    const { layers } = await pull({ repository, reference: 'v1' })
    await expect((async () => layers[0]?.open({ signal }).then(read))()).rejects.toThrow()
  })
})

describe('pull from what cannot be trusted', () => {
  it('checks the manifest against its digest', async () => {
    const repository = team()
    const { digest } = await pushByHand(repository, { tags: ['v1'] })
    const lying = decorate(
      { repository: () => repository, repositories: () => Readable.from([]) },
      {
        manifests: (inner) =>
          Object.create(inner, { get: { value: async () => ({ ...(await inner.get(digest)), content: json({}) }) } }),
      },
    ).repository('team/app')
    await expect(pull({ repository: lying, reference: 'v1' })).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
    await expect(pull({ repository: lying, reference: digest })).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
  })

  it('checks the config against its digest and size', async () => {
    const repository = team()
    const { digest } = await pushByHand(repository, { tags: ['v1'] })
    const { config } = (await pull({ repository, reference: digest })).manifest
    const other = Buffer.alloc(config?.size ?? 0, ' ')
    const source = (content: Uint8Array) => ({
      repository: spoiling(repository, config?.digest ?? '', content),
      reference: 'v1',
    })
    await expect(pull(source(other))).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
    await expect(pull(source(Buffer.alloc(other.byteLength + 1)))).rejects.toMatchObject({ code: 'SIZE_INVALID' })
    await expect(pull(source(other.subarray(1)))).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
  })

  it.each([
    ['other bytes', Buffer.alloc(GZIP.byteLength), 'DIGEST_INVALID'],
    ['fewer bytes', GZIP.subarray(1), 'DIGEST_INVALID'],
    ['more bytes', Buffer.concat([GZIP, Buffer.alloc(1)]), 'SIZE_INVALID'],
  ])('fails a layer of %s, and nothing when nobody reads it', async (_, content, code) => {
    const inner = team()
    await pushByHand(inner, { layers: [{ blob: GZIP, tar: TAR }], tags: ['v1'] })
    const repository = spoiling(inner, digestOf(GZIP), content)
    const [layer] = (await pull({ repository, reference: 'v1' })).layers
    if (layer === undefined) throw new Error('no layer')
    await expect(layer.open().then(read)).rejects.toMatchObject({ code })
    const unread = await layer.open()
    unread.destroy()
    await finished(unread).catch(() => {})
  })

  it('checks the tar against the diff id', async () => {
    const repository = team()
    await pushByHand(repository, { layers: [{ blob: GZIP, tar: bytes('another') }], tags: ['v1'] })
    const [layer] = (await pull({ repository, reference: 'v1' })).layers
    await expect(layer?.uncompressed().then(read)).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
    await expect(entriesOf(layer)).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
    expect(await layer?.open().then(read)).toEqual(GZIP)
  })

  it('stops a decompression bomb at its limit', async () => {
    const repository = team()
    const zeros = Buffer.alloc(64 * 1024 * 1024)
    await pushByHand(repository, { layers: [{ blob: zlib.gzipSync(zeros), tar: zeros }], tags: ['v1'] })
    const source = { repository, reference: 'v1' }
    const [bomb] = (await pull(source, { maxLayerBytes: 1024 * 1024 })).layers
    let received = 0
    const reading = async () => {
      for await (const chunk of (await bomb?.uncompressed()) ?? []) received += chunk.byteLength
    }
    await expect(reading()).rejects.toMatchObject({
      code: 'SIZE_INVALID',
      message: expect.stringContaining('"maxLayerBytes"'),
    })
    expect(received).toBeLessThanOrEqual(1024 * 1024)
    await expect(entriesOf(bomb)).rejects.toMatchObject({ code: 'SIZE_INVALID' })
    const [whole] = (await pull(source, { maxLayerBytes: zeros.byteLength })).layers
    expect(await entriesOf(whole)).toEqual([])
  })

  it('lets go of a blob whose layer is not read to its end', async () => {
    const inner = team()
    const large = archive({ content: 'x'.repeat(2 * 1024 * 1024) })
    await pushByHand(inner, { layers: [{ blob: large }], tags: ['v1'] })
    const opened: Readable[] = []
    const repository = withBlobs(inner, (blobs) => ({
      open: async (digest, options) => {
        const reader = await blobs.open(digest, options)
        const stream = Readable.from(inPieces(await read(reader.body.stream()), 65_536), { objectMode: false })
        opened.push(stream)
        return { ...reader, body: streamBody(stream, reader.body.size) }
      },
    }))
    const [layer] = (await pull({ repository, reference: 'v1' })).layers
    if (layer === undefined) throw new Error('no layer')
    for await (const _ of layer.entries()) break
    ;(await layer.open()).destroy()
    ;(await layer.uncompressed()).destroy()
    for await (const _ of await layer.uncompressed()) break
    for (const stream of opened) await finished(stream).catch(() => {})
    expect(opened.map(({ destroyed }) => destroyed)).toEqual([true, true, true, true, true])
    expect(opened.filter(({ readableEnded }) => readableEnded)).toHaveLength(1) // the config's
  })
})

describe('ImageLayer.uncompressed', () => {
  it.each([
    ['gzip', GZIP, 'application/vnd.docker.image.rootfs.diff.tar.gzip'],
    [
      'gzip in two members',
      Buffer.concat([zlib.gzipSync(TAR.subarray(0, 700)), zlib.gzipSync(TAR.subarray(700))]),
      'x/gzip',
    ],
    ['gzip that calls itself plain', GZIP, 'application/vnd.oci.image.layer.v1.tar'],
    ['a plain tar that calls itself gzip', TAR, 'application/vnd.oci.image.layer.v1.tar+gzip'],
  ])('reads %s', async (_, blob, mediaType) => {
    const repository = team()
    await pushByHand(repository, { layers: [{ blob, tar: TAR, mediaType }], tags: ['v1'] })
    const [layer] = (await pull({ repository, reference: 'v1' })).layers
    expect(await layer?.uncompressed().then(read)).toEqual(TAR)
  })

  it.each([
    ['cut off', GZIP.subarray(0, -20)],
    ['damaged', Buffer.concat([GZIP.subarray(0, 20), Buffer.alloc(GZIP.byteLength - 20, 0xff)])],
  ])('says that gzip is %s', async (_, blob) => {
    const repository = team()
    await pushByHand(repository, { layers: [{ blob, tar: TAR }], tags: ['v1'] })
    const [layer] = (await pull({ repository, reference: 'v1' })).layers
    await expect(layer?.uncompressed().then(read)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      cause: expect.anything(),
    })
  })

  it('reads zstd where Node has it, and says so where it has not', async () => {
    const { zstdCompressSync } = zlib as { zstdCompressSync?(content: Uint8Array): Buffer }
    const blob = zstdCompressSync?.(TAR) ?? Buffer.concat([ZSTD_MAGIC, bytes('compressed')])
    const repository = team()
    await pushByHand(repository, { layers: [{ blob, tar: TAR }], tags: ['v1'] })
    const [layer] = (await pull({ repository, reference: 'v1' })).layers
    const reading = layer?.uncompressed().then(read)
    if (zstdCompressSync !== undefined) expect(await reading).toEqual(TAR)
    else await expect(reading).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('22.15') })
  })

  it('reads layers of nothing', async () => {
    const repository = team()
    const layers = [new Uint8Array(), bytes('ab'), zlib.gzipSync('')].map((blob, i) => ({
      blob,
      ...(i === 2 && { tar: new Uint8Array() }),
    }))
    await pushByHand(repository, { layers, tags: ['v1'] })
    const pulled = await pull({ repository, reference: 'v1' })
    const contents = []
    for (const layer of pulled.layers) contents.push((await read(await layer.uncompressed())).toString())
    expect(contents).toEqual(['', 'ab', ''])
    expect(pulled.manifest.layers[0]).toEqual(descriptorOf(new Uint8Array(), 'application/vnd.oci.image.layer.v1.tar'))
  })
})

describe('a place that is none', () => {
  const backend = registry()

  it('is told by what would be one', async () => {
    await expect(pull({ backend, repo: 'a', reference: 'v1' } as never)).rejects.toThrow(
      'expected { backend, repository, reference }, the repository by its name, not undefined',
    )
    await expect(image.scratch().push('host/a:v1' as never)).rejects.toThrow(
      'expected { backend, repository }, not the string',
    )
    await expect(image.scratch().push({ backend, repository: 'a', reference: 'v1' } as never)).rejects.toThrow(
      "a target has no reference: its tags are an option, push(target, { tags: ['v1'] })",
    )
  })
})
