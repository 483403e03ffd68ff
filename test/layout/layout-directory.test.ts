import { mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Backend } from '../../src/backend.ts'
import type { RegistryError } from '../../src/errors.ts'
import { layoutDirectory } from '../../src/layout/index.ts'
import type { Descriptor } from '../../src/spec/descriptor.ts'
import { type Digest, digestOf, hexOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, collect, descriptorOf, json, pushImage, readBlob } from '../support/images.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

const newDirectory = temporaryDirectories()
const SBOM = 'application/vnd.example.sbom'

describe('a layout directory that cannot be made', () => {
  it.each([
    ['below what makes no directories', '/proc/layout/below', '/proc/layout cannot be made (ENOENT)'],
    ['below a file', `${import.meta.filename}/layout`, 'is no directory'],
    ['in place of a file', import.meta.filename, 'is no directory'],
  ])('is UNAVAILABLE: %s', async (_what, path, message) => {
    const { blobs } = layoutDirectory(path).repository('image')
    await expect(blobs.put(bytes('a'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(message),
    })
  })
})

describe('a new layout directory', () => {
  it('is made once by all who write to it at the same time', async () => {
    const path = join(await newDirectory(), 'layout')
    const { blobs } = layoutDirectory(path).repository('image')
    const contents = Array.from({ length: 16 }, (_, i) => bytes(`blob ${i}`))
    await Promise.all(contents.map((content) => blobs.put(content)))
    expect(await collect(blobs.list())).toEqual(contents.map((content) => digestOf(content)).sort())
  })
})

describe('a layout directory that was written', () => {
  it('has exactly the files of the image specification', async () => {
    const path = await newDirectory()
    const { digest, content, config, layers } = await pushImage(layoutDirectory(path).repository('image'), ['a', 'b'], {
      tags: ['v1'],
    })
    const blobs = [digest, config.digest, ...layers.map((layer) => layer.digest)]
    expect(await filesOf(path)).toEqual(
      [...blobs.map((blob) => `blobs/sha256/${hexOf(blob)}`), 'index.json', 'oci-layout'].sort(),
    )
    expect(await readFile(join(path, 'oci-layout'), 'utf8')).toBe('{"imageLayoutVersion":"1.0.0"}')
    expect(await indexOf(path)).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [
        {
          mediaType: MEDIA_TYPES.ociManifest,
          digest,
          size: content.byteLength,
          annotations: { 'org.opencontainers.image.ref.name': 'v1' },
        },
      ],
    })
    expect(await readFile(join(path, 'blobs/sha256', hexOf(digest)))).toEqual(Buffer.from(content))
  })

  it('names every repository but the default one in full', async () => {
    const path = await newDirectory()
    const layout = layoutDirectory(path, { repository: 'own' })
    await pushImage(layout.repository('own'), ['a'], { tags: ['v1'] })
    await pushImage(layout.repository('alpine'), ['a'], { tags: ['v1'] })
    await pushImage(layout.repository('team/app'), ['a'], { tags: ['v2'] })
    const { digest } = await pushImage(layout.repository('localhost:5000/app'), ['b'])
    expect(await annotationsOf(path)).toEqual([
      { 'org.opencontainers.image.ref.name': 'v1' },
      { 'io.containerd.image.name': 'docker.io/library/alpine:v1', 'org.opencontainers.image.ref.name': 'v1' },
      { 'io.containerd.image.name': 'docker.io/team/app:v2', 'org.opencontainers.image.ref.name': 'v2' },
      { 'io.containerd.image.name': `localhost:5000/app@${digest}` },
    ])
    expect(await collect(layoutDirectory(path, { repository: 'own' }).repositories())).toEqual([
      ...['alpine', 'localhost:5000/app', 'own', 'team/app'],
    ])
  })

  it('writes names of a registry of its own, and reads them back without it', async () => {
    const path = await newDirectory()
    const registry = 'registry.internal:5000'
    await pushImage(layoutDirectory(path, { registry }).repository('team/app'), ['a'], { tags: ['v1'] })
    expect(await annotationsOf(path)).toEqual([
      {
        'io.containerd.image.name': 'registry.internal:5000/team/app:v1',
        'org.opencontainers.image.ref.name': 'v1',
      },
    ])
    expect(await collect(layoutDirectory(path, { registry }).repositories())).toEqual(['team/app'])
    expect(await collect(layoutDirectory(path).repositories())).toEqual(['registry.internal:5000/team/app'])
  })

  it('lists an image of several platforms once, and each platform by its digest', async () => {
    const path = await newDirectory()
    const repository = layoutDirectory(path).repository('image')
    const { digest, children } = await pushIndex(repository.manifests, repository, ['multi'])
    expect((await indexOf(path)).manifests.map((one) => one.digest)).toEqual([digest])
    expect(await collect(repository.manifests.list())).toEqual([digest, ...children].sort())
    for (const child of children) expect((await repository.manifests.get(child)).descriptor.digest).toBe(child)
  })

  it('keeps the platforms when their index is deleted', async () => {
    const path = await newDirectory()
    const repository = layoutDirectory(path).repository('image')
    const { digest, children } = await pushIndex(repository.manifests, repository, ['multi'])
    expect(await repository.manifests.delete(digest)).toEqual(['multi'])
    expect(await collect(repository.manifests.list())).toEqual([...children].sort())
    expect((await indexOf(path)).manifests.map((one) => one.digest).sort()).toEqual([...children].sort())
    expect(await filesOf(path)).not.toContain(`blobs/sha256/${hexOf(digest)}`)
  })

  it('keeps a manifest whose tag was moved or deleted', async () => {
    const path = await newDirectory()
    const repository = layoutDirectory(path).repository('image')
    const first = await pushImage(repository, ['a'], { tags: ['v1', 'latest'] })
    const second = await pushImage(repository, ['b'], { tags: ['latest'] })
    await repository.tags.delete('v1')
    expect(await collect(repository.tags.list())).toEqual(['latest'])
    expect(await collect(repository.manifests.list())).toEqual([first.digest, second.digest].sort())
    expect(await annotationsOf(path)).toEqual([{ 'org.opencontainers.image.ref.name': 'latest' }, undefined])
    await repository.tags.set('v1', first.digest)
    expect(await annotationsOf(path)).toEqual([
      { 'org.opencontainers.image.ref.name': 'latest' },
      { 'org.opencontainers.image.ref.name': 'v1' },
    ])
  })

  it('lists a referrer without a tag, as oras does, and finds it', async () => {
    const path = await newDirectory()
    const repository = layoutDirectory(path).repository('image')
    const { digest, content } = await pushImage(repository, ['a'], { tags: ['v1'] })
    const subject = { mediaType: MEDIA_TYPES.ociManifest, digest, size: content.byteLength }
    const referrer = await pushImage(repository, ['sbom'], { subject, artifactType: SBOM, annotations: { a: 'b' } })
    expect((await indexOf(path)).manifests[1]).toEqual({
      mediaType: MEDIA_TYPES.ociManifest,
      digest: referrer.digest,
      size: referrer.content.byteLength,
      artifactType: SBOM,
    })
    expect(await collect(repository.manifests.referrers(digest))).toEqual([
      {
        mediaType: MEDIA_TYPES.ociManifest,
        digest: referrer.digest,
        size: referrer.content.byteLength,
        artifactType: SBOM,
        annotations: { a: 'b' },
      },
    ])
    expect(await collect(repository.manifests.referrers(digest, { artifactType: 'a/b' }))).toEqual([])
  })

  it('has nothing but finished files after uploads that failed, were aborted, or were left', async () => {
    const path = await newDirectory()
    const layout = layoutDirectory(path)
    const { blobs } = layout.repository('image')
    const abort = new AbortController()
    const wrong = digestOf(bytes('other'))
    await expect(blobs.put(bytes('text'), { digest: wrong })).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
    await expect(blobs.put(bytes('text'), { size: 3 })).rejects.toMatchObject({ code: 'SIZE_INVALID' })
    await expect(blobs.put(failing())).rejects.toThrow('the source broke')
    await expect(blobs.put(aborting(abort), { signal: abort.signal })).rejects.toThrow('enough')
    const left = await blobs.startUpload()
    await left.append(bytes('half'))
    expect((await readdir(path)).length).toBe(3)
    await layout.close()
    expect(await filesOf(path)).toEqual(['oci-layout'])
    await expect(blobs.resumeUpload(left.id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
  })

  it('is complete when many write to it at once, through one object or several', async () => {
    const path = await newDirectory()
    const layouts = [layoutDirectory(path), layoutDirectory(path), layoutDirectory(path)]
    const tags = Array.from({ length: 30 }, (_, index) => `v${index}`)
    await Promise.all(
      tags.map((tag, index) => {
        const layout = layouts[index % layouts.length] ?? layoutDirectory(path)
        return pushImage(layout.repository('image'), ['shared', tag], { tags: [tag] })
      }),
    )
    expect(await collect(layoutDirectory(path).repository('image').tags.list())).toEqual([...tags].sort())
    expect((await readdir(path)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
  })

  it('breaks the lock of a process that was killed, and removes its temporary files', async () => {
    const path = await newDirectory()
    await pushImage(layoutDirectory(path).repository('image'), ['a'], { tags: ['v1'] })
    const yesterday = new Date(Date.now() - 25 * 60 * 60 * 1000)
    for (const name of ['.wharfage-lock', '.wharfage-left']) {
      await writeFile(join(path, name), '')
      await utimes(join(path, name), yesterday, yesterday)
    }
    await pushImage(layoutDirectory(path).repository('image'), ['a'], { tags: ['v2'] })
    expect((await readdir(path)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
  })

  it('is made anew when it was taken away', async () => {
    const path = join(await newDirectory(), 'layout')
    const repository = layoutDirectory(path).repository('image')
    await pushImage(repository, ['a'], { tags: ['v1'] })
    await rm(path, { recursive: true })
    await expect(collect(repository.tags.list())).rejects.toMatchObject({ code: 'NAME_UNKNOWN' })
    const { digest } = await pushImage(repository, ['a'], { tags: ['v2'] })
    expect(await layoutDirectory(path, { create: false }).repository('image').tags.resolve('v2')).toBe(digest)
  })

  it('has a tag once, though another program wrote it twice', async () => {
    const path = await newDirectory()
    const annotations = { 'org.opencontainers.image.ref.name': 'v1' }
    const { digest } = await foreignLayout(path, { annotations })
    const index = await indexOf(path)
    await writeFile(join(path, 'index.json'), JSON.stringify({ manifests: [...index.manifests, ...index.manifests] }))
    const repository = layoutDirectory(path).repository('image')
    expect(await collect(repository.tags.list())).toEqual(['v1'])
    await repository.tags.set('v1', digest)
    expect(await annotationsOf(path)).toEqual([annotations])
    await repository.tags.delete('v1')
    expect(await annotationsOf(path)).toEqual([undefined])
  })

  it('keeps what others wrote into index.json and it does not know', async () => {
    const path = await newDirectory()
    const { digest, size, mediaType } = await foreignLayout(path, {
      annotations: { 'org.opencontainers.image.ref.name': 'v1', 'com.example': 'kept' },
      platform: { os: 'linux', architecture: 'arm64', 'os.version': '1' },
      'x-unknown': 1,
    })
    await layoutDirectory(path).repository('image').tags.set('v2', digest)
    const entry = { mediaType, digest, size, platform: { os: 'linux', architecture: 'arm64', 'os.version': '1' } }
    expect(await indexOf(path)).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      annotations: { of: 'the index' },
      manifests: ['v1', 'v2'].map((tag) => ({
        ...entry,
        'x-unknown': 1,
        annotations: { 'org.opencontainers.image.ref.name': tag, 'com.example': 'kept' },
      })),
    })
  })
})

describe('a layout directory that others wrote', () => {
  it.each<[string, Readonly<Record<string, string>> | undefined, string, readonly string[]]>([
    ['skopeo: a tag', { 'org.opencontainers.image.ref.name': 'v1' }, 'image', ['v1']],
    ['crane: nothing', undefined, 'image', []],
    ['oras, skopeo: a reference', { 'org.opencontainers.image.ref.name': 'ghcr.io/a/b:v1' }, 'ghcr.io/a/b', ['v1']],
    ['a name with a tag', { 'org.opencontainers.image.ref.name': 'alpine:3' }, 'alpine', ['3']],
    ['what is neither', { 'org.opencontainers.image.ref.name': 'my image!' }, 'image', []],
    [
      'docker save, BuildKit, ctr',
      { 'io.containerd.image.name': 'docker.io/library/alpine:3', 'org.opencontainers.image.ref.name': '3' },
      'alpine',
      ['3'],
    ],
    ['ctr: a digest', { 'io.containerd.image.name': `ghcr.io/a/b@${digestOf(bytes('x'))}` }, 'ghcr.io/a/b', []],
    ['a port', { 'io.containerd.image.name': 'localhost:5000/a:v1' }, 'localhost:5000/a', ['v1']],
    [
      'an odd name and a tag',
      { 'io.containerd.image.name': 'Ünicode', 'org.opencontainers.image.ref.name': 'v1' },
      'image',
      ['v1'],
    ],
  ])('has names from %s', async (_, annotations, repository, tags) => {
    const path = await newDirectory()
    const { digest } = await foreignLayout(path, annotations === undefined ? {} : { annotations })
    const layout = layoutDirectory(path, { create: false })
    expect(await collect(layout.repositories())).toEqual([repository])
    expect(await collect(layout.repository(repository).tags.list())).toEqual(tags)
    expect(await collect(layout.repository(repository).manifests.list())).toEqual([digest])
    for (const tag of tags) expect(await layout.repository(repository).tags.resolve(tag)).toBe(digest)
  })

  it.each([['alpine'], ['library/alpine'], ['docker.io/alpine'], ['docker.io/library/alpine']])(
    'is asked for docker.io/library/alpine as %s',
    async (name) => {
      const path = await newDirectory()
      const annotations = { 'io.containerd.image.name': 'docker.io/library/alpine:3' }
      const { digest } = await foreignLayout(path, { annotations })
      expect(await layoutDirectory(path).repository(name).tags.resolve('3')).toBe(digest)
    },
  )

  it('is read again when it changes', async () => {
    const path = await newDirectory()
    const layout = layoutDirectory(path)
    await foreignLayout(path, { annotations: { 'org.opencontainers.image.ref.name': 'v1' } })
    expect(await collect(layout.repository('image').tags.list())).toEqual(['v1'])
    await foreignLayout(path, { annotations: { 'org.opencontainers.image.ref.name': 'v2-longer' } })
    expect(await collect(layout.repository('image').tags.list())).toEqual(['v2-longer'])
  })

  it('tells of referrers by the tag that regctl keeps', async () => {
    const path = await newDirectory()
    const repository = layoutDirectory(path).repository('image')
    const { digest } = await pushImage(repository, ['a'], { tags: ['v1'] })
    const other = await pushImage(repository, ['signature'], { artifactType: SBOM })
    const manifests = [{ mediaType: MEDIA_TYPES.ociManifest, digest: other.digest, size: other.content.byteLength }]
    const index = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests })
    const tags = [`sha256-${hexOf(digest)}`]
    await repository.manifests.put(index, { mediaType: MEDIA_TYPES.ociIndex, tags })
    expect((await collect(repository.manifests.referrers(digest))).map((one) => one.digest)).toEqual([other.digest])
  })

  it('fails a damaged blob at its end, and not where it is told not to look', async () => {
    const path = await newDirectory()
    const repository = layoutDirectory(path).repository('image')
    for (const size of [5, 100_000, 3_000_000]) {
      const { digest } = await repository.blobs.put(Buffer.alloc(size, 'a'))
      await writeFile(join(path, 'blobs/sha256', hexOf(digest)), Buffer.alloc(size, 'b'))
      await expect(readBlob(repository, digest)).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
      await expect(sendBlob(repository, digest)).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
      const unchecked = await repository.blobs.open(digest, { verify: false })
      expect(Buffer.concat(await collect<Buffer>(unchecked.body.stream())).byteLength).toBe(size)
      const part = await repository.blobs.open(digest, { range: { start: 1, end: 3 } })
      expect(Buffer.concat(await collect<Buffer>(part.body.stream())).toString()).toBe('bb')
    }
    const empty = await repository.blobs.put(new Uint8Array())
    expect(await readBlob(repository, empty.digest)).toBe('')
    const image = await pushImage(repository, ['a'], { tags: ['v1'] })
    await writeFile(join(path, 'blobs/sha256', hexOf(image.digest)), Buffer.alloc(image.content.byteLength, ' '))
    await expect(repository.manifests.get('v1')).rejects.toMatchObject({ code: 'DIGEST_INVALID', status: 500 })
  })

  it('leads nowhere by symbolic links', async () => {
    const path = await newDirectory()
    const repository = layoutDirectory(path).repository('image')
    const { digest } = await repository.blobs.put(bytes('text'))
    const blob = join(path, 'blobs/sha256', hexOf(digest))
    await rm(blob)
    await symlink('/etc/hostname', blob)
    await expect(repository.blobs.open(digest)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(repository.blobs.stat(digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  })
})

describe('what is no layout directory', () => {
  it.each<[string, Readonly<Record<string, string>>, string]>([
    ['other files', { 'a.txt': '', 'b.txt': '' }, 'it has no file oci-layout, but a.txt, b.txt'],
    [
      'many other files',
      { a: '', b: '', c: '', d: '', e: '', f: '' },
      'it has no file oci-layout, but a, b, c, d, e, …',
    ],
    [
      'another version',
      { 'oci-layout': '{"imageLayoutVersion":"2.0"}' },
      '"imageLayoutVersion" is "2.0", where "1.0.0"',
    ],
    ['no version', { 'oci-layout': '{}' }, '"imageLayoutVersion" is missing, where "1.0.0"'],
    ['no JSON', { 'oci-layout': '{' }, '/oci-layout: not JSON'],
    ['no index', { 'oci-layout': LAYOUT() }, ' has no index.json'],
    ['a broken index', { 'oci-layout': LAYOUT(), 'index.json': '[' }, '/index.json: not JSON'],
    ['a list', { 'oci-layout': LAYOUT(), 'index.json': '[]' }, '/index.json should be a JSON object'],
    ['no manifests', { 'oci-layout': LAYOUT(), 'index.json': '{}' }, '"manifests" should be a list of descriptors'],
    [
      'a broken descriptor',
      { 'oci-layout': LAYOUT(), 'index.json': '{"manifests":[{"mediaType":"a/b","digest":"x"}]}' },
      '/index.json: manifests[0].digest: expected sha256:<64 hex digits>',
    ],
  ])('is told by what was found: %s', async (_, files, message) => {
    const path = await newDirectory()
    for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content)
    const layout = layoutDirectory(path, { create: false })
    const error: RegistryError = await layout
      .repository('image')
      .manifests.get('v1')
      .catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'MANIFEST_INVALID', status: 500 })
    expect(error.message).toContain(path)
    expect(error.message).toContain(message)
  })

  it('is never written to', async () => {
    const path = await newDirectory()
    await writeFile(join(path, 'precious.txt'), '')
    const { blobs } = layoutDirectory(path).repository('image')
    await expect(blobs.put(bytes('a'))).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
    expect(await readdir(path)).toEqual(['precious.txt'])
  })

  it('is a layout yet to be made where it is missing or empty, unless one must be there', async () => {
    const path = join(await newDirectory(), 'deep', 'layout')
    const strict = layoutDirectory(path, { create: false })
    await expect(collect(strict.repositories())).rejects.toThrow('there is no such directory')
    const layout = layoutDirectory(path)
    expect(await collect(layout.repositories())).toEqual([])
    await expect(layout.repository('a').blobs.stat(digestOf(bytes('a')))).rejects.toMatchObject({
      code: 'BLOB_UNKNOWN',
    })
    await expect(collect(layout.repository('a').tags.list())).rejects.toMatchObject({ code: 'NAME_UNKNOWN' })
    await mkdir(path, { recursive: true })
    await expect(collect(strict.repositories())).rejects.toThrow('it is empty')
    await pushImage(layout.repository('a'), ['a'], { tags: ['v1'] })
    expect(await collect(strict.repositories())).toEqual(['a'])
  })

  it('is told from one that cannot be read', async () => {
    const path = join(await newDirectory(), 'file')
    await writeFile(path, '')
    await expect(collect(layoutDirectory(path).repositories())).rejects.toThrow()
  })
})

function LAYOUT(): string {
  return '{"imageLayoutVersion":"1.0.0"}'
}

async function filesOf(path: string): Promise<string[]> {
  const names = await readdir(path, { recursive: true })
  const kinds = await Promise.all(names.map(async (name) => (await stat(join(path, name))).isFile()))
  return names.filter((_, index) => kinds[index]).sort()
}

interface IndexJson {
  readonly manifests: readonly (Descriptor & { readonly annotations?: Readonly<Record<string, string>> })[]
}

async function indexOf(path: string): Promise<IndexJson> {
  return JSON.parse(await readFile(join(path, 'index.json'), 'utf8')) as IndexJson
}

async function annotationsOf(path: string): Promise<unknown[]> {
  return (await indexOf(path)).manifests.map(({ annotations }) => annotations)
}

/** Written by hand, with one image. */
async function foreignLayout(path: string, fields: Readonly<Record<string, unknown>>): Promise<Descriptor> {
  const config = bytes('{}')
  const manifest = json({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: descriptorOf(config, MEDIA_TYPES.ociConfig),
    layers: [],
  })
  await mkdir(join(path, 'blobs/sha256'), { recursive: true })
  for (const blob of [config, manifest]) await writeFile(join(path, 'blobs/sha256', hexOf(digestOf(blob))), blob)
  const descriptor = descriptorOf(manifest, MEDIA_TYPES.ociManifest)
  const index = { schemaVersion: 2, annotations: { of: 'the index' }, manifests: [{ ...descriptor, ...fields }] }
  await writeFile(join(path, 'index.json'), JSON.stringify(index))
  await writeFile(join(path, 'oci-layout'), LAYOUT())
  return descriptor
}

async function pushIndex(
  manifests: ReturnType<Backend['repository']>['manifests'],
  repository: ReturnType<Backend['repository']>,
  tags: readonly string[],
): Promise<{ readonly digest: Digest; readonly children: readonly Digest[] }> {
  const images = [await pushImage(repository, ['shared', 'a']), await pushImage(repository, ['shared', 'b'])]
  const children = images.map(({ digest, content }, index) => ({
    ...{ mediaType: MEDIA_TYPES.ociManifest, digest, size: content.byteLength },
    platform: { os: 'linux', architecture: ['amd64', 'arm64'][index] },
  }))
  const content = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: children })
  const { digest } = await manifests.put(content, { mediaType: MEDIA_TYPES.ociIndex, tags })
  return { digest, children: images.map((image) => image.digest) }
}

async function sendBlob(repository: ReturnType<Backend['repository']>, digest: Digest): Promise<void> {
  const { PassThrough } = await import('node:stream')
  const { body } = await repository.blobs.open(digest)
  const sink = new PassThrough()
  sink.resume()
  await body.sendTo(sink)
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield bytes('half')
  throw new Error('the source broke')
}

function aborting(abort: AbortController): Readable {
  return Readable.from(
    (async function* () {
      yield bytes('half')
      abort.abort(new Error('enough'))
      yield bytes('more')
    })(),
  )
}
