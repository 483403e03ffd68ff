import { describe, expect, it } from 'vitest'
import type { Backend } from '../../src/backend.ts'
import type { CopyResult } from '../../src/copy/progress.ts'
import { copy } from '../../src/copy.ts'
import { filesystem } from '../../src/drivers/filesystem.ts'
import { RegistryError } from '../../src/errors.ts'
import { Registry } from '../../src/registry.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, descriptorOf, json, pushImage, readBlob } from '../support/images.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'
import { childOf, contentsOf, holdings, overlay, platform, pushIndex, testRegistry, withBlobs } from './support.ts'

const directory = temporaryDirectories()

function at(backend: Backend, repository: string, reference?: string) {
  return { backend, repository, ...(reference !== undefined && { reference }) }
}

function result(fields: Partial<CopyResult>): CopyResult {
  return {
    dryRun: false,
    images: [],
    blobs: { moved: 0, mounted: 0, skipped: 0, foreign: 0 },
    bytes: { moved: 0, mounted: 0, skipped: 0 },
    manifests: { written: 0, skipped: 0 },
    tags: { set: 0, skipped: 0 },
    ...fields,
  }
}

describe('copy of an image', () => {
  it('brings the same bytes under the same tag, and says what it did', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const image = await pushImage(from.repository('a'), ['one', 'three'], { tags: ['v1'] })
    const moved = image.config.size + 8
    expect(await copy(at(from, 'a', 'v1'), at(to, 'team/b'))).toEqual(
      result({
        images: [{ repository: 'team/b', digest: image.digest, tags: ['v1'] }],
        blobs: { moved: 3, mounted: 0, skipped: 0, foreign: 0 },
        bytes: { moved, mounted: 0, skipped: 0 },
        manifests: { written: 1, skipped: 0 },
        tags: { set: 1, skipped: 0 },
      }),
    )
    const copied = await to.repository('team/b').manifests.get('v1')
    expect(Buffer.from(copied.content)).toEqual(image.content)
    expect(copied.descriptor).toEqual(childOf(image))
    expect(await readBlob(to.repository('team/b'), image.layers[1]?.digest ?? 'sha256:')).toBe('three')
  })

  it('does nothing the second time', async () => {
    const { registry: from } = testRegistry()
    const { registry: to, driver } = testRegistry()
    const image = await pushImage(from.repository('a'), ['one'], { tags: ['v1'] })
    await copy(at(from, 'a', 'v1'), to)
    const before = await contentsOf(driver)
    expect(await copy(at(from, 'a', 'v1'), to)).toEqual(
      result({
        images: [{ repository: 'a', digest: image.digest, tags: ['v1'] }],
        manifests: { written: 0, skipped: 1 },
        tags: { set: 0, skipped: 1 },
      }),
    )
    expect(await contentsOf(driver)).toEqual(before)
  })

  it('asks for the blobs of an image that is there when it is to recheck', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry('all')
    const image = await pushImage(from.repository('a'), ['one'], { tags: ['v1'] })
    await copy(at(from, 'a', 'v1'), to)
    await to.repository('a').blobs.delete(image.config.digest)
    expect((await copy(at(from, 'a', 'v1'), to)).blobs).toMatchObject({ moved: 0, skipped: 0 })
    expect((await copy(at(from, 'a', 'v1'), to, { recheck: true })).blobs).toMatchObject({ moved: 1, skipped: 1 })
  })

  it('tags it as the target says, and one named by its digest only then', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const { digest } = await pushImage(from.repository('a'), ['one'], { tags: ['v1'] })
    expect((await copy(at(from, 'a', digest), at(to, 'a'))).images).toEqual([{ repository: 'a', digest, tags: [] }])
    expect(await holdings(to.repository('a'))).toMatchObject({ tags: [], manifests: [digest] })
    await copy(at(from, 'a', digest), at(to, 'a', 'by-digest'))
    await copy(at(from, 'a', 'v1'), at(to, 'a', 'by-tag'))
    await copy(at(from, 'a', 'v1'), at(to, 'a', digest))
    expect((await holdings(to.repository('a'))).tags).toEqual(['by-digest', 'by-tag'])
    const other = digestOf(bytes('other'))
    await expect(copy(at(from, 'a', 'v1'), at(to, 'a', other))).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
      message: `a:v1: its digest is ${digest}, the target is to have ${other}`,
    })
  })

  it('takes repositories, in one registry as well', async () => {
    const { registry } = testRegistry()
    const { digest } = await pushImage(registry.repository('a'), ['one'], { tags: ['v1', 'v2'] })
    const { blobs, tags } = await copy(registry.repository('a'), registry.repository('b'))
    expect({ blobs, tags }).toEqual({
      blobs: { moved: 2, mounted: 0, skipped: 0, foreign: 0 },
      tags: { set: 2, skipped: 0 },
    })
    await copy(at(registry, 'a', 'v1'), at(registry, 'a', 'v3'))
    expect((await holdings(registry.repository('a'))).tags).toEqual(['v1', 'v2', 'v3'])
    expect(await registry.repository('b').tags.resolve('v2')).toBe(digest)
  })

  it('keeps sha512 digests, media types of Docker, and those that the bytes do not tell', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const { blobs, manifests } = from.repository('a')
    const layer = bytes('layer')
    const config = await blobs.put(json({}))
    const descriptor = { ...descriptorOf(layer), digest: digestOf(layer, 'sha512') }
    await blobs.put(layer, { digest: descriptor.digest })
    const docker = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.dockerManifest, config, layers: [descriptor] })
    const untold = json({ schemaVersion: 2, config, layers: [] })
    const opaque = bytes('something else')
    await manifests.put(docker, { mediaType: MEDIA_TYPES.dockerManifest, tags: ['docker'] })
    await manifests.put(untold, { mediaType: MEDIA_TYPES.ociManifest, tags: ['untold'] })
    await manifests.put(opaque, { mediaType: 'application/vnd.example', tags: ['opaque'] })
    await copy(from, to)
    for (const tag of ['docker', 'untold', 'opaque']) {
      expect(await to.repository('a').manifests.get(tag)).toEqual(await manifests.get(tag))
    }
    expect(await readBlob(to.repository('a'), descriptor.digest)).toBe('layer')
  })

  it('copies from a directory, a blob larger than goes in one call too', async () => {
    await using from = new Registry({ storage: filesystem(await directory(), { durability: 'none' }) })
    await using to = new Registry({ storage: filesystem(await directory(), { durability: 'none' }) })
    const image = await pushImage(from.repository('a'), ['x'.repeat(5 * 1024 * 1024), ''], { tags: ['v1'] })
    expect((await copy(from, to)).bytes.moved).toBe(image.config.size + 5 * 1024 * 1024)
    expect(await holdings(to.repository('a'))).toEqual(await holdings(from.repository('a')))
  })
})

describe('copy as a promise', () => {
  it('can be caught, and followed up, as any other', async () => {
    const { registry } = testRegistry()
    const failing = () => copy(at(registry, 'none', 'v1'), at(registry, 'team/b'))
    expect(await failing().catch((error: unknown) => RegistryError.is(error, 'MANIFEST_UNKNOWN'))).toBe(true)
    let isOver = false
    const followed = failing().finally(() => {
      isOver = true
    })
    await expect(followed).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    expect(isOver).toBe(true)
  })
})

describe('copy of many', () => {
  it('takes the tags that match', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    await pushImage(from.repository('a'), ['one'], { tags: ['v1', 'v1.1', 'latest'] })
    await pushImage(from.repository('a'), ['two'], { tags: ['v2'] })
    const { images, manifests } = await copy(at(from, 'a'), to, { tags: ['v*.*', 'v2'] })
    expect(images.map(({ tags }) => tags)).toEqual([['v1.1'], ['v2']])
    expect(manifests).toEqual({ written: 2, skipped: 0 })
    expect((await holdings(to.repository('a'))).tags).toEqual(['v1.1', 'v2'])
  })

  it('takes the repositories that match, and mounts within the target what several have', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    for (const name of ['other', 'team/a', 'team/b']) {
      await pushImage(from.repository(name), ['shared', name], { tags: ['v1'] })
    }
    const { images, blobs, bytes: moved } = await copy(from, to, { repositories: 'team/*' })
    expect(images.map(({ repository }) => repository)).toEqual(['team/a', 'team/b'])
    expect(blobs).toEqual({ moved: 5, mounted: 1, skipped: 0, foreign: 0 })
    expect(moved.mounted).toBe('shared'.length)
    expect(await holdings(to.repository('other'))).toEqual({ tags: [], manifests: [], blobs: [] })
    expect(await readBlob(to.repository('team/b'), digestOf(bytes('shared')))).toBe('shared')
  })

  it('calls repositories what it is told to, and makes no two of them one', async () => {
    const { registry: from } = testRegistry()
    const { registry: to, driver } = testRegistry()
    for (const name of ['a/app', 'b/app', 'b/web']) await pushImage(from.repository(name), [name], { tags: ['v1'] })
    const empty = await contentsOf(driver)
    const rename = (name: string) => name.slice(2)
    const message = 'a/app and b/app would both be app in the target: copy one at a time, and name its repository there'
    await expect(copy(from, to, { rename })).rejects.toMatchObject({ code: 'NAME_INVALID', message })
    expect(await contentsOf(driver)).toEqual(empty)
    const { images } = await copy(from, to, { repositories: 'b/*', rename })
    expect(images.map(({ repository }) => repository)).toEqual(['app', 'web'])
    expect((await copy(at(from, 'a/app'), to, { rename: () => 'one' })).images[0]?.repository).toBe('one')
  })

  it('fails with NAME_UNKNOWN for a repository that is not there', async () => {
    const { registry } = testRegistry()
    await expect(copy(at(registry, 'a'), at(registry, 'b'))).rejects.toMatchObject({ code: 'NAME_UNKNOWN' })
  })
})

describe('copy within one place', () => {
  it('mounts, in the same backend and in another of the same origin', async () => {
    const { registry } = testRegistry()
    const image = await pushImage(registry.repository('a'), ['one'], { tags: ['v1'] })
    const origin = 'https://registry.example'
    const one = overlay<Backend>(registry, { origin })
    const other = overlay<Backend>(registry, { origin })
    for (const [from, to, name] of [
      [registry, registry, 'b'],
      [one, other, 'c'],
    ] as const) {
      const { blobs, bytes: counts } = await copy(at(from, 'a', 'v1'), at(to, name))
      expect(blobs).toEqual({ moved: 0, mounted: 2, skipped: 0, foreign: 0 })
      expect(counts).toEqual({ moved: 0, mounted: image.config.size + 3, skipped: 0 })
      expect(await holdings(registry.repository(name))).toEqual(await holdings(registry.repository('a')))
    }
  })

  it.each(['BLOB_UNKNOWN', 'UNSUPPORTED', 'DENIED'] as const)('moves what cannot be mounted: %s', async (code) => {
    const { registry } = testRegistry()
    await pushImage(registry.repository('a'), ['one'], { tags: ['v1'] })
    const backend = withBlobs(() => ({ mount: () => Promise.reject(new RegistryError(code)) }))(registry)
    const { blobs } = await copy(at(backend, 'a', 'v1'), at(backend, 'b'))
    expect(blobs).toEqual({ moved: 2, mounted: 0, skipped: 0, foreign: 0 })
  })

  it('does not mount from another registry', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    await pushImage(from.repository('a'), ['one'], { tags: ['v1'] })
    const target = withBlobs(() => ({ mount: () => Promise.reject(new Error('mounted')) }))(to)
    expect((await copy(at(from, 'a', 'v1'), at(target, 'b'))).blobs.moved).toBe(2)
  })
})

describe('copy of what is there in part', () => {
  it('skips the blobs that the target has, and says that it relies on them', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    await pushImage(from.repository('a'), ['one', 'two'], { tags: ['v1'] })
    await to.repository('a').blobs.put(bytes('one'))
    const asked: (boolean | undefined)[] = []
    const target = withBlobs((blobs) => ({
      stat: (digest, options) => {
        asked.push(options?.reliedUpon)
        return blobs.stat(digest, options)
      },
    }))(to)
    const { blobs, bytes: counts } = await copy(at(from, 'a', 'v1'), target)
    expect(blobs).toEqual({ moved: 2, mounted: 0, skipped: 1, foreign: 0 })
    expect(counts.skipped).toBe(3)
    expect(asked).toEqual([true, true, true])
  })

  it('leaves out layers that must not be handed on, and those only to be had elsewhere, unless they are asked for', async () => {
    const { registry: from } = testRegistry('all')
    const { registry: to } = testRegistry()
    const { blobs, manifests } = from.repository('a')
    const config = await blobs.put(json({}))
    const foreign = {
      ...(await blobs.put(bytes('windows'))),
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    }
    const elsewhere = { ...descriptorOf(bytes('elsewhere')), urls: ['https://cdn.example/layer'] }
    const here = { ...(await blobs.put(bytes('here'))), urls: ['https://cdn.example/other'] }
    const image = json({ schemaVersion: 2, config, layers: [foreign, elsewhere, here] })
    await manifests.put(image, { mediaType: MEDIA_TYPES.ociManifest, tags: ['v1'] })
    expect((await copy(at(from, 'a', 'v1'), to)).blobs).toEqual({ moved: 2, mounted: 0, skipped: 0, foreign: 2 })
    const again = await copy(at(from, 'a', 'v1'), to, { foreignLayers: true })
    expect(again.blobs).toEqual({ moved: 1, mounted: 0, skipped: 2, foreign: 1 })
    expect(await readBlob(to.repository('a'), foreign.digest)).toBe('windows')
  })
})

describe('copy, dry', () => {
  it('tells what there is to do, and writes to neither side', async () => {
    const { registry: from, driver: source } = testRegistry()
    const { registry: to, driver: target } = testRegistry()
    const image = await pushImage(from.repository('a'), ['one', 'two'], { tags: ['v1', 'v2'] })
    await pushIndex(from.repository('a'), [childOf(image, platform('linux/amd64'))], { tags: ['multi'] })
    await to.repository('a').blobs.put(bytes('one'))
    const before = [await contentsOf(source), await contentsOf(target)]
    const planned = await copy(from, to, { dryRun: true, referrers: true })
    expect([await contentsOf(source), await contentsOf(target)]).toEqual(before)
    const done = await copy(from, to, { referrers: true })
    expect(planned).toEqual({ ...done, dryRun: true })
    expect(done.blobs).toEqual({ moved: 2, mounted: 0, skipped: 1, foreign: 0 })
    expect(done.tags).toEqual({ set: 3, skipped: 0 })
  })

  it('does not say that it relies on a blob', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    await pushImage(from.repository('a'), ['one'], { tags: ['v1'] })
    const target = withBlobs((blobs) => ({
      stat: (digest, options) => {
        expect(options?.reliedUpon).toBe(false)
        return blobs.stat(digest, options)
      },
    }))(to)
    expect((await copy(from, target, { dryRun: true })).blobs.moved).toBe(2)
  })
})

describe('copy() called wrongly', () => {
  const { registry } = testRegistry()
  it.each([
    [
      () => copy('docker.io/alpine' as never, registry),
      'the source of copy() must be { backend, repository, reference }, a repository, or a backend, not the string "docker.io/alpine"',
    ],
    [
      () => copy(registry, {} as never),
      'the target of copy() must be { backend, repository, reference }, a repository, or a backend, not a plain object',
    ],
    [
      () => copy({ backend: registry, reference: 'v1' }, registry),
      'the reference the string "v1" needs the name of a repository beside it',
    ],
    [
      () => copy(registry, registry, { platform: 'linux/amd64' } as never),
      'copy() has no option "platform": did you mean "platforms"?',
    ],
    [
      () => copy(registry, registry, { platforms: [] }),
      'an empty list of platforms copies nothing: leave it out for all',
    ],
    [
      () => copy(registry, registry, { platforms: ['amd64'] }),
      'the string "amd64" is no platform: expected OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, linux/arm64 say',
    ],
    [
      () => copy(registry, registry, { concurrency: 0 }),
      'the option "concurrency" must be 1 or more, not the number 0',
    ],
    [
      () => copy(registry, registry, { index: 'drop' as never }),
      `the option "index" must be one of 'keep', 'narrow', not the string "drop"`,
    ],
    [
      () => copy(at(registry, 'a', 'v1'), registry, { tags: 'v*' }),
      'the option "tags" chooses among all tags: leave out the reference of the source',
    ],
    [
      () => copy(at(registry, 'a'), registry, { repositories: 'v*' }),
      'the option "repositories" chooses among all repositories: leave out the one of the source',
    ],
    [
      () => copy(registry, at(registry, 'a')),
      'many repositories cannot be copied into one: leave out the repository of the target, or name one in the source',
    ],
    [
      () => copy(registry, at(registry, 'a'), { rename: (name) => name }),
      'the option "rename" names the repositories of the target: leave out the one that it has',
    ],
    [
      () => copy(at(registry, 'a'), at(registry, 'a', 'v1')),
      'many images cannot be copied to one reference: leave out the one of the target',
    ],
  ])('throws at once: %#', (call, message) => {
    expect(call).toThrow(new TypeError(message))
  })
})
