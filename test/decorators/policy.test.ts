import { describe, expect, it } from 'vitest'
import { type PolicyOptions, policy } from '../../src/decorators/policy.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, collect, json, pushImage } from '../support/images.ts'
import { decorated, expectRefusal } from './support.ts'

const { ociManifest, ociIndex, ociConfig, ociEmpty } = MEDIA_TYPES
const UNKNOWN_TYPE = 'application/vnd.example.thing'

interface Fields {
  readonly mediaType?: string
  readonly config?: Readonly<Record<string, unknown>>
  readonly layer?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

/** Pushes a manifest whose blobs are there through a policy. */
async function push(options: PolicyOptions, { config = {}, layer = {}, mediaType = ociManifest, ...fields }: Fields) {
  const { plain, backend } = decorated(policy(options))
  const { blobs } = plain.repository('app')
  const content = json({
    schemaVersion: 2,
    mediaType,
    config: { ...(await blobs.put(bytes('{}'))), mediaType: ociConfig, ...config },
    layers: [{ ...(await blobs.put(bytes('layer'))), ...layer }],
    ...fields,
  })
  return backend.repository('app').manifests.put(content, { mediaType, tags: ['v1'] })
}

async function pushIndex(options: PolicyOptions, platforms: readonly (object | undefined)[], fields: object = {}) {
  const { plain, backend } = decorated(policy(options))
  const child = await pushImage(plain.repository('app'), [])
  const manifests = platforms.map((platform) => ({
    mediaType: ociManifest,
    digest: child.digest,
    size: child.content.byteLength,
    platform,
  }))
  const content = json({ schemaVersion: 2, mediaType: ociIndex, manifests, ...fields })
  return backend.repository('app').manifests.put(content, { mediaType: ociIndex })
}

function platform(name: string): object {
  const [os, architecture, variant] = name.split('/')
  return { os, architecture, variant }
}

describe('policy', () => {
  it('checks nothing that it is not told to', async () => {
    await push({}, { layer: { urls: ['ftp://example.com'] }, artifactType: 'a/b' })
    await pushIndex({}, [undefined])
  })

  it('stores nothing of what it refuses', async () => {
    const { plain, backend } = decorated(policy({ mediaTypes: [] }))
    const { content } = await pushImage(plain.repository('other'), [])
    const { manifests } = backend.repository('app')
    await expectRefusal(manifests.put(content, { mediaType: ociManifest, tags: ['v1'] }), 'DENIED', 403)
    expect(await collect(plain.repository('app').manifests.list())).toEqual([])
  })

  it('leaves malformed manifests MANIFEST_INVALID', async () => {
    await expectRefusal(push({ mediaTypes: '**' }, { schemaVersion: 1 }), 'MANIFEST_INVALID', 400)
  })

  it('does not look at other operations', async () => {
    const { plain, backend } = decorated(policy({ mediaTypes: [], urls: {}, platforms: ['x/y'] }))
    const { digest } = await pushImage(plain.repository('app'), [], { tags: ['v1'] })
    const { manifests, tags } = backend.repository('app')
    expect((await manifests.get('v1')).descriptor.digest).toBe(digest)
    await tags.set('v2', digest)
    expect(await manifests.delete(digest)).toEqual(['v1', 'v2'])
  })
})

describe('policy for media types', () => {
  it.each([
    [ociManifest, [ociManifest], true],
    [ociManifest, [ociIndex, ociManifest], true],
    [ociManifest, ['application/vnd.oci.*'], true],
    [ociManifest, [ociIndex], false],
    [UNKNOWN_TYPE, ['application/vnd.oci.*'], false],
    [UNKNOWN_TYPE, [UNKNOWN_TYPE], true],
  ])('takes %s by %j: %s', async (mediaType, mediaTypes, accepted) => {
    const pushed = push({ mediaTypes }, { mediaType })
    if (accepted) expect((await pushed).mediaType).toBe(mediaType)
    else await expectRefusal(pushed, 'DENIED', 403)
  })

  it.each([
    [{ artifactType: 'application/vnd.example.sbom' }, true],
    [{ config: { mediaType: 'application/vnd.example.sbom' } }, true],
    [{}, false],
    [{ config: { mediaType: ociEmpty } }, false],
    [{ artifactType: 'application/vnd.example.other', config: { mediaType: 'application/vnd.example.sbom' } }, false],
    [{ mediaType: UNKNOWN_TYPE }, false],
  ])('takes %j by its artifact type: %s', async (fields, accepted) => {
    const pushed = push({ artifactTypes: '*/*.sbom' }, fields)
    if (accepted) expect((await pushed).size).toBeGreaterThan(0)
    else await expectRefusal(pushed, 'DENIED', 403)
  })

  it('lets an index be what its children are, unless it says more', async () => {
    await pushIndex({ artifactTypes: '*/*.sbom' }, [undefined])
    await expectRefusal(pushIndex({ artifactTypes: '*/*.sbom' }, [], { artifactType: 'a/b' }), 'DENIED')
  })
})

describe('policy for URLs', () => {
  const allow = ['https://layers.example.com/**', 'http://mirror.example.com/**']
  it.each([
    [{ allow }, ['https://layers.example.com/a/b'], true],
    [{ allow }, ['http://mirror.example.com/'], true],
    [{ allow }, ['https://layers.example.com/a?b=c'], true],
    [{ allow }, [], true],
    [{ allow }, ['https://evil.example.com/a'], false],
    [{ allow }, ['https://layers.example.com/a', 'https://evil.example.com/a'], false],
    [{ allow }, ['http://layers.example.com/a'], false],
    [{ allow }, ['https://layers.example.com.evil.example/a'], false],
    [{ allow }, ['https://layers.example.com@evil.example/a'], false],
    [{ allow }, ['HTTPS://LAYERS.EXAMPLE.COM/a'], false],
    [{ allow: ['**'] }, ['https://user:password@example.com/'], false],
    [{ allow: ['**'] }, ['https://user@example.com/'], false],
    [{ allow: ['**'] }, ['https://example.com/#fragment'], false],
    [{ allow: ['**'] }, ['https://example.com/#'], false],
    [{ allow: ['**'] }, ['ftp://example.com/'], false],
    [{ allow: ['**'] }, ['file:///etc/passwd'], false],
    [{ allow: ['**'] }, ['javascript:alert(1)'], false],
    [{ allow: ['**'] }, ['//example.com/a'], false],
    [{ allow: ['**'] }, ['/a'], false],
    [{ allow: ['**'] }, [''], false],
    [{ allow: ['**'] }, ['https://'], false],
    [{ allow: ['**'] }, ['https://example.com/'], true],
    [{ allow: ['**'], deny: ['https://evil.example/**'] }, ['https://evil.example/a'], false],
    [{ allow: ['**'], deny: ['https://evil.example/**'] }, ['HTTPS://EVIL.example/a'], false],
    [{ allow: ['**'], deny: ['https://evil.example/**'] }, ['https://evil.example:443/a'], false],
    [{ allow: ['**'], deny: ['https://evil.example/**'] }, ['https:\\\\evil.example\\a'], false],
    [{ allow: ['**'], deny: ['https://evil.example/**'] }, ['https://good.example/a'], true],
    [{ allow: ['https://a.example/x/**'] }, ['https://a.example/x/../y'], false],
    [{ deny: ['https://evil.example/**'] }, ['https://good.example/a'], false],
    [{}, ['https://layers.example.com/a'], false],
    [{ allow: (url: string) => url.endsWith('/a') }, ['https://example.com/a'], true],
  ])('with %j takes layers from %j: %s', async (urls, from, accepted) => {
    const pushed = push({ urls }, { layer: { urls: from } })
    if (accepted) expect((await pushed).mediaType).toBe(ociManifest)
    else await expectRefusal(pushed, 'DENIED', 403)
  })

  it('looks at every descriptor', async () => {
    const urls = ['https://evil.example']
    const subject = { mediaType: ociManifest, digest: `sha256:${'a'.repeat(64)}`, size: 1 }
    await expectRefusal(push({ urls: {} }, { config: { urls } }), 'DENIED')
    await expectRefusal(push({ urls: {} }, { subject: { ...subject, urls } }), 'DENIED')
    await expectRefusal(pushIndex({ urls: {} }, [], { manifests: [{ ...subject, urls }] }), 'DENIED')
  })
})

describe('policy for platforms', () => {
  const required = ['linux/amd64', 'linux/arm64']
  it.each([
    [required, ['linux/amd64', 'linux/arm64'], true],
    [required, ['linux/arm64', 'windows/amd64', 'linux/amd64'], true],
    [required, ['linux/amd64', 'linux/arm64/v8', 'unknown/unknown'], true],
    [required, ['linux/amd64'], false],
    [required, ['amd64/linux', 'arm64/linux'], false],
    [required, ['unknown/unknown'], false],
    [['linux/arm/v7'], ['linux/arm/v7'], true],
    [['linux/arm/v7'], ['linux/arm/v6'], false],
    [['linux/arm/v7'], ['linux/arm'], false],
    [[], ['linux/s390x'], true],
  ])('that requires %j takes an index of %j: %s', async (platforms, listed, accepted) => {
    const pushed = pushIndex({ platforms }, listed.map(platform))
    if (accepted) expect((await pushed).mediaType).toBe(ociIndex)
    else await expectRefusal(pushed, 'DENIED', 403)
  })

  it('names what is missing', async () => {
    await expect(
      pushIndex({ platforms: [...required, 'linux/s390x'] }, [platform('linux/arm64')]),
    ).rejects.toMatchObject({
      message: 'the index lacks linux/amd64, linux/s390x',
      detail: { missing: ['linux/amd64', 'linux/s390x'] },
    })
  })

  it('requires none of an index whose children have none, nor of an image', async () => {
    await pushIndex({ platforms: required }, [undefined, undefined])
    await pushIndex({ platforms: required }, [])
    await push({ platforms: required }, {})
  })
})
