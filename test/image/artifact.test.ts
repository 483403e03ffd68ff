import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { artifact, image, index, pull } from '../../src/image/index.ts'
import type { Descriptor } from '../../src/spec/descriptor.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, collect } from '../support/images.ts'
import { blobOf, jsonOf, pushByHand, registry } from './support.ts'

const SBOM = 'application/vnd.example.sbom'
const EMPTY = { mediaType: MEDIA_TYPES.ociEmpty, digest: digestOf(bytes('{}')), size: 2 }
const team = () => registry().repository('team/app')

describe('artifact', () => {
  it('pushes any bytes with what they are called', async () => {
    const app = team()
    const pushed = await artifact(app, {
      artifactType: SBOM,
      layers: [
        { content: 'text', title: 'a.txt', mediaType: 'text/plain' },
        { content: Buffer.from('bytes'), annotations: { z: '1', a: '2' } },
        { content: Readable.from([Buffer.from('a '), Buffer.from('stream')]) },
      ],
      annotations: { b: '1', a: '2' },
      tags: ['v1'],
    })
    const octets = MEDIA_TYPES.octetStream
    const manifest = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      artifactType: SBOM,
      config: EMPTY,
      layers: [
        {
          mediaType: 'text/plain',
          digest: digestOf(bytes('text')),
          size: 4,
          annotations: { 'org.opencontainers.image.title': 'a.txt' },
        },
        { mediaType: octets, digest: digestOf(bytes('bytes')), size: 5, annotations: { a: '2', z: '1' } },
        { mediaType: octets, digest: digestOf(bytes('a stream')), size: 8 },
      ],
      annotations: { a: '2', b: '1' },
    }
    const content = Buffer.from(JSON.stringify(manifest))
    expect(pushed).toEqual({
      mediaType: MEDIA_TYPES.ociManifest,
      digest: digestOf(content),
      size: content.byteLength,
      artifactType: SBOM,
    })
    expect(Buffer.from((await app.manifests.get('v1')).content).toString()).toBe(content.toString())
    expect((await blobOf(app, EMPTY)).toString()).toBe('{}')
  })

  it('has the empty blob for a layer where it has none', async () => {
    const app = team()
    expect(await jsonOf(app, await artifact(app, { artifactType: SBOM }))).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      artifactType: SBOM,
      config: EMPTY,
      layers: [EMPTY],
    })
  })

  it('may be told by its config', async () => {
    const app = team()
    const config = { content: '{"a":1}', mediaType: 'application/vnd.example.config+json' }
    const pushed = await artifact(app, { config, layers: [{ content: 'x' }] })
    expect(pushed.artifactType).toBe(config.mediaType)
    const manifest = await jsonOf(app, pushed)
    expect(manifest).toMatchObject({
      config: { mediaType: config.mediaType, digest: digestOf(bytes('{"a":1}')), size: 7 },
    })
    expect(manifest).not.toHaveProperty('artifactType')
  })

  it('is found as a referrer of its subject', async () => {
    const app = team()
    const subject = await pushByHand(app, { tags: ['v1'], platform: { os: 'linux', architecture: 'amd64' } })
    const pushed: Descriptor[] = []
    for (const one of ['v1', subject.digest, subject]) {
      const annotations = { n: String(pushed.length) }
      pushed.push(await artifact(app, { artifactType: SBOM, subject: one, annotations }))
    }
    const { mediaType, digest, size } = subject
    for (const one of pushed) expect(await jsonOf(app, one)).toMatchObject({ subject: { mediaType, digest, size } })
    expect(await jsonOf(app, { digest: pushed[2]?.digest ?? digest })).not.toHaveProperty('subject.platform')
    const referrers = await collect(app.manifests.referrers(digest, { artifactType: SBOM }))
    expect(referrers.map((one) => one.digest)).toEqual(pushed.map((one) => one.digest).sort())
    await expect(artifact(app, { artifactType: SBOM, subject: 'missing' })).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    })
  })

  it.each([
    [{}, /"artifactType"/],
    [{ config: { content: '{}', mediaType: MEDIA_TYPES.ociEmpty } }, /"artifactType"/],
    [{ artifactType: 'sbom' }, /"artifactType" must be a media type/],
    [{ artifactType: SBOM, layers: [{ content: 5 }] }, /the number 5/],
    [{ artifactType: SBOM, layers: [{ content: '', mediaType: 'text' }] }, /"mediaType"/],
    [{ artifactType: SBOM, annotations: { a: 1 } }, /"annotations"/],
    [{ artifactType: SBOM, layer: [] }, /did you mean "layers"/],
  ])('refuses %j', async (options, message) => {
    await expect(artifact(team(), options as never)).rejects.toThrow(message)
  })
})

describe('index', () => {
  it('lists images with their platforms, told or read', async () => {
    const app = team()
    const amd64 = await image.scratch({ platform: 'linux/amd64' }).add({ a: 'amd64' }).push(app)
    const arm64 = await image
      .scratch({ platform: 'linux/arm64' })
      .add({ a: 'arm64' })
      .push(app, { tags: ['arm'] })
    const arm = await pushByHand(app, { platform: { os: 'linux', architecture: 'arm', variant: 'v7' } })
    const sbom = await artifact(app, { artifactType: SBOM, tags: ['sbom'] })
    const { platform: _, ...untold } = arm
    const pushed = await index(app, {
      manifests: [amd64, 'arm', { ...untold, annotations: { a: 'b' } }, 'sbom'],
      annotations: { z: '1', a: '2' },
      tags: ['v1'],
    })
    expect(await jsonOf(app, pushed)).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [amd64, arm64, { ...arm, annotations: { a: 'b' } }, sbom],
      annotations: { a: '2', z: '1' },
    })
    expect((await pull({ repository: app, reference: 'v1' }, { platform: 'linux/arm64' })).descriptor.digest).toBe(
      arm64.digest,
    )
  })

  it('may be about something, and of a type', async () => {
    const app = team()
    const subject = await pushByHand(app, { tags: ['v1'] })
    const pushed = await index(app, { manifests: [], artifactType: SBOM, subject: 'v1' })
    expect(pushed).toMatchObject({ mediaType: MEDIA_TYPES.ociIndex, artifactType: SBOM })
    expect((await collect(app.manifests.referrers(subject.digest))).map(({ digest }) => digest)).toEqual([
      pushed.digest,
    ])
  })

  it('refuses what is not there, and no list', async () => {
    await expect(index(team(), { manifests: ['missing'] })).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    await expect(index(team(), {} as never)).rejects.toThrow(/"manifests"/)
  })
})
