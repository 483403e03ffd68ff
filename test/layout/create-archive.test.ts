import { createWriteStream } from 'node:fs'
import { readdir, readFile, readlink, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { unpackTar } from 'modern-tar'
import { describe, expect, it } from 'vitest'
import { type CreateArchiveOptions, createArchive, openArchive } from '../../src/layout/index.ts'
import { digestOf, hexOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { seededBytes } from '../../src/testing/seeded.ts'
import { bytes, collect, json, pushImage, readBlob } from '../support/images.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

const newDirectory = temporaryDirectories()
const DOCKER: CreateArchiveOptions = { format: 'docker' }

describe('an archive that was written', () => {
  it('is a tar of exactly a layout', async () => {
    const path = join(await newDirectory(), 'image.tar')
    const archive = await createArchive(path, { format: 'oci' })
    const image = await pushImage(archive.repository('image'), ['a', 'b'], { tags: ['v1'] })
    await archive.finish()
    const files = await filesOf(path)
    const blobs = [...image.layers, image.config, image].map(({ digest }) => `blobs/sha256/${hexOf(digest)}`)
    expect([...files.keys()].sort()).toEqual(['blobs/', 'blobs/sha256/', ...blobs, 'index.json', 'oci-layout'].sort())
    // Last, so that what is cut short has none.
    expect([...files.keys()].slice(-2)).toEqual(['oci-layout', 'index.json'])
    expect(files.get('oci-layout')).toBe('{"imageLayoutVersion":"1.0.0"}')
    expect(JSON.parse(files.get('index.json') ?? '')).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [
        {
          mediaType: MEDIA_TYPES.ociManifest,
          digest: image.digest,
          size: image.content.byteLength,
          annotations: { 'org.opencontainers.image.ref.name': 'v1' },
        },
      ],
    })
    expect(files.get(`blobs/sha256/${hexOf(image.digest)}`)).toBe(Buffer.from(image.content).toString())
  })

  it('has for docker a list with the names of every image, and the same layout', async () => {
    const path = join(await newDirectory(), 'image.tar')
    const archive = await createArchive(path, DOCKER)
    const alpine = await pushImage(archive.repository('docker.io/library/alpine'), ['a'], { tags: ['3', 'latest'] })
    const app = await pushImage(archive.repository('localhost:5000/team/app'), ['a', 'b'], { tags: ['v1'] })
    const none = await pushImage(archive.repository('image'), ['c'])
    await pushImage(archive.repository('image'), ['signature'], {
      subject: { mediaType: MEDIA_TYPES.ociManifest, digest: app.digest, size: app.content.byteLength },
    })
    await archive.finish()
    const files = await filesOf(path)
    const itemOf = (image: typeof app, tags: readonly string[] | null) => ({
      Config: `blobs/sha256/${hexOf(image.config.digest)}`,
      RepoTags: tags,
      Layers: image.layers.map(({ digest }) => `blobs/sha256/${hexOf(digest)}`),
    })
    expect(JSON.parse(files.get('manifest.json') ?? '')).toEqual([
      itemOf(alpine, ['alpine:3', 'alpine:latest']),
      itemOf(app, ['localhost:5000/team/app:v1']),
      itemOf(none, null),
    ])
    const { manifests } = JSON.parse(files.get('index.json') ?? '')
    expect(manifests.map(({ annotations }: { annotations: object }) => annotations).slice(0, 3)).toEqual([
      { 'io.containerd.image.name': 'docker.io/library/alpine:3', 'org.opencontainers.image.ref.name': '3' },
      { 'io.containerd.image.name': 'docker.io/library/alpine:latest', 'org.opencontainers.image.ref.name': 'latest' },
      { 'io.containerd.image.name': 'localhost:5000/team/app:v1', 'org.opencontainers.image.ref.name': 'v1' },
    ])
    await using read = await openArchive(path)
    expect(await collect(read.repositories())).toEqual(['alpine', 'image', 'localhost:5000/team/app'])
    expect(await read.repository('alpine').tags.resolve('latest')).toBe(alpine.digest)
    expect((await collect(read.repository('image').manifests.list())).length).toBe(2)
  })

  it.each([
    [{ os: 'linux', architecture: 'arm64' }, 1],
    [{ os: 'linux', architecture: 'amd64' }, 0],
    [{ os: 'plan9', architecture: 'mips' }, 0],
  ])('lists of several platforms the one for %j', async (platform, chosen) => {
    const path = join(await newDirectory(), 'image.tar')
    const archive = await createArchive(path, { format: 'docker', platform })
    const repository = archive.repository('team/app')
    const attestation = await pushImage(repository, ['attestation'])
    const images = [await pushImage(repository, ['a']), await pushImage(repository, ['b'])]
    const children = [attestation, ...images].map(({ digest, content }, index) => ({
      ...{ mediaType: MEDIA_TYPES.ociManifest, digest, size: content.byteLength },
      platform: [
        { os: 'unknown', architecture: 'unknown' },
        { os: 'linux', architecture: 'amd64' },
        { os: 'linux', architecture: 'arm64' },
      ][index],
    }))
    const index = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: children })
    await repository.manifests.put(index, { mediaType: MEDIA_TYPES.ociIndex, tags: ['v1'] })
    await archive.finish()
    expect(JSON.parse((await filesOf(path)).get('manifest.json') ?? '')).toEqual([
      {
        Config: `blobs/sha256/${hexOf(images[chosen]?.config.digest ?? digestOf(bytes('')))}`,
        RepoTags: ['team/app:v1'],
        Layers: images[chosen]?.layers.map(({ digest }) => `blobs/sha256/${hexOf(digest)}`),
      },
    ])
    await using read = await openArchive(path)
    expect(await collect(read.repository('team/app').tags.list())).toEqual(['v1'])
    expect(await read.repository('team/app').tags.resolve('v1')).toBe(digestOf(index))
    expect((await collect(read.repository('team/app').manifests.list())).length).toBe(4)
  })

  it('goes to a stream front to back, which it ends', async () => {
    const directory = await newDirectory()
    const sink = new PassThrough()
    const received = buffer(sink)
    const archive = await createArchive(sink, { ...DOCKER, temporaryDirectory: directory })
    const { digest } = await pushImage(archive.repository('team/app'), ['a'], { tags: ['v1'] })
    expect(sink.readableLength).toBe(0)
    await archive.finish()
    await using read = await openArchive(await received)
    expect(await read.repository('team/app').tags.resolve('v1')).toBe(digest)
    expect(await readdir(directory)).toEqual([])
  })

  it('is readable while it is written', async () => {
    await using archive = await createArchive(join(await newDirectory(), 'image.tar'), DOCKER)
    const repository = archive.repository('team/app')
    const { digest } = await pushImage(repository, ['layer'], { tags: ['v1'] })
    expect(await readBlob(repository, digestOf(bytes('layer')))).toBe('layer')
    expect((await repository.manifests.get('v1')).descriptor.digest).toBe(digest)
  })

  it('holds every blob whole, whatever its size, its order, and what failed in between', async () => {
    const path = join(await newDirectory(), 'image.tar')
    const archive = await createArchive(path, { format: 'oci' })
    const { blobs } = archive.repository('image')
    const contents = [0, 1, 511, 512, 513, 100_000, 1_000_000, 3_000_001].map((size, seed) => seededBytes(size, seed))
    await Promise.all([
      ...contents.map(async (content, index) => {
        const size = index % 3 === 0 ? {} : { size: content.byteLength }
        await blobs.put(Readable.from(chunks(content)), { digest: digestOf(content), ...size })
      }),
      // In several sizes, some of which leave a gap that the others fit in.
      ...[512, 100_000, 77, 200_000].map((size) =>
        expect(blobs.put(seededBytes(size, 99), { size, digest: digestOf(bytes('other')) })).rejects.toMatchObject({
          code: 'DIGEST_INVALID',
        }),
      ),
      expect(blobs.put(seededBytes(100, 1), { size: 99 })).rejects.toMatchObject({ code: 'SIZE_INVALID' }),
      expect(blobs.put(seededBytes(98, 1), { size: 99 })).rejects.toMatchObject({ code: 'SIZE_INVALID' }),
      blobs.put(bytes('long digest'), { algorithm: 'sha512', size: 11 }),
      blobs.put(bytes('twice'), { size: 5 }),
      blobs.put(bytes('twice'), { size: 5 }),
      blobs.put(bytes('twice')),
    ])
    await blobs.delete(digestOf(contents[5] ?? bytes('')))
    await archive.finish()
    const kept = contents.filter((_, index) => index !== 5)
    const all = [
      ...kept.map((content) => digestOf(content)),
      digestOf(bytes('long digest'), 'sha512'),
      digestOf(bytes('twice')),
    ]
    await using read = await openArchive(path)
    expect(await collect(read.repository('image').blobs.list())).toEqual(all.sort())
    for (const digest of all) await readBlob(read.repository('image'), digest)
    // Nothing is left of what failed: entries, metadata, the end.
    const files = await filesOf(path)
    expect(files.size).toBe(all.length + 4)
    const padded = [...files.values()].reduce(
      (sum, text) => sum + 512 + Math.ceil(Buffer.byteLength(text, 'latin1') / 512) * 512,
      0,
    )
    expect((await readFile(path)).byteLength).toBe(padded + 1024 + 1024)
  })

  it('goes where a symbolic link leads, and leaves the link', async () => {
    const directory = await newDirectory()
    await writeFile(join(directory, 'target.tar'), 'the one before')
    await symlink('target.tar', join(directory, 'link.tar'))
    await (await createArchive(join(directory, 'link.tar'), DOCKER)).finish()
    expect(await readlink(join(directory, 'link.tar'))).toBe('target.tar')
    expect((await filesOf(join(directory, 'target.tar'))).has('index.json')).toBe(true)
  })

  it('is the same file for the same images, pushed in the same order', async () => {
    const directory = await newDirectory()
    for (const name of ['one', 'two']) {
      const archive = await createArchive(join(directory, name), DOCKER)
      await pushImage(archive.repository('team/app'), ['a', 'b'], { tags: ['v1'] })
      await archive.finish()
    }
    expect(await readFile(join(directory, 'one'))).toEqual(await readFile(join(directory, 'two')))
  })
})

describe('an archive that is not finished', () => {
  it('was never there', async () => {
    const directory = await newDirectory()
    const path = join(directory, 'image.tar')
    await writeFile(path, 'the one before')
    const archive = await createArchive(path, DOCKER)
    const repository = archive.repository('team/app')
    await pushImage(repository, ['a'], { tags: ['v1'] })
    const upload = await repository.blobs.startUpload({ size: 10 })
    await upload.append(bytes('half'))
    expect(await readFile(path, 'utf8')).toBe('the one before')
    await archive.close()
    expect(await readdir(directory)).toEqual(['image.tar'])
    expect(await readFile(path, 'utf8')).toBe('the one before')
    await expect(archive.finish()).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(repository.blobs.put(bytes('a'))).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(await readFile(path, 'utf8')).toBe('the one before')
  })

  it('sends nothing to a stream', async () => {
    const directory = await newDirectory()
    const sink = new PassThrough()
    const archive = await createArchive(sink, { ...DOCKER, temporaryDirectory: directory })
    await pushImage(archive.repository('team/app'), ['a'], { tags: ['v1'] })
    await archive.close()
    expect([sink.readableLength, sink.destroyed]).toEqual([0, false])
  })

  it('is taken back when finishing is aborted or fails', async () => {
    const directory = await newDirectory()
    const aborted = await createArchive(join(directory, 'a.tar'), DOCKER)
    await expect(aborted.finish({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
    const sink = createWriteStream('/dev/full')
    const full = await createArchive(sink, { ...DOCKER, temporaryDirectory: directory })
    await pushImage(full.repository('team/app'), ['a'], { tags: ['v1'] })
    await expect(full.finish()).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await readdir(directory)).toEqual([])
  })

  it('waits for no source that has stopped', async () => {
    const directory = await newDirectory()
    const archive = await createArchive(join(directory, 'a.tar'), DOCKER)
    const pushed = archive.repository('team/app').blobs.put(new Readable({ read() {} }), { size: 5 })
    const refused = expect(pushed).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
    await new Promise((resolve) => setImmediate(resolve))
    await archive.close()
    await refused
    expect(await readdir(directory)).toEqual([])
  })

  it('leaves a temporary file where its process was killed, which the next one removes after a day', async () => {
    const directory = await newDirectory()
    const path = join(directory, 'image.tar')
    const left = '.image.tar.wharfage-0'
    await writeFile(join(directory, left), '')
    await (await createArchive(path, DOCKER)).close()
    expect(await readdir(directory)).toEqual([left])
    const yesterday = new Date(Date.now() - 25 * 60 * 60 * 1000)
    await utimes(join(directory, left), yesterday, yesterday)
    await (await createArchive(path, DOCKER)).close()
    expect(await readdir(directory)).toEqual([])
  })
})

describe('createArchive', () => {
  it('says what is wrong with its arguments', async () => {
    const directory = await newDirectory()
    await expect(createArchive(join(directory, 'none', 'a.tar'), DOCKER)).rejects.toMatchObject({
      code: 'NAME_UNKNOWN',
    })
    await expect(createArchive(join(directory, 'a.tar'), {} as CreateArchiveOptions)).rejects.toThrow(
      "'oci' or 'docker'",
    )
    await expect(createArchive(7 as unknown as string, DOCKER)).rejects.toThrow('not the number 7')
    await expect(createArchive(directory, DOCKER)).rejects.toThrow('layoutDirectory() writes a layout in one')
    await expect(createArchive('/dev/null', DOCKER)).rejects.toThrow('hand in a stream')
    const nowhere = { ...DOCKER, temporaryDirectory: join(directory, 'none') }
    await expect(createArchive(new PassThrough(), nowhere)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const typo = { format: 'tar' } as unknown as CreateArchiveOptions
    await expect(createArchive(join(directory, 'a.tar'), typo)).rejects.toThrow('one of')
    expect(await readdir(directory)).toEqual([])
  })
})

/** As another program's tar reads it. */
async function filesOf(path: string): Promise<Map<string, string>> {
  const entries = await unpackTar(await readFile(path))
  return new Map(entries.map(({ header, data }) => [header.name, Buffer.from(data ?? []).toString('latin1')]))
}

function chunks(content: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let at = 0; at < content.byteLength; at += 70_000) parts.push(content.subarray(at, at + 70_000))
  return parts
}
