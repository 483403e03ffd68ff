import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { RegistryError } from '../../src/errors.ts'
import { type LayoutBackend, layoutDirectory, openArchive } from '../../src/layout/index.ts'
import { formatEntry } from '../../src/layout/tar-header.ts'
import { type Digest, digestOf, hexOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, collect, descriptorOf, json, pushImage, readBlob } from '../support/images.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'
import { type TarPart, tarOf } from './tars.ts'

const newDirectory = temporaryDirectories()
const LAYOUT = { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' }
const LAYER_A = bytes('layer a')
const LAYER_B = bytes('layer b')
const CONFIG = json({ os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(LAYER_A), digestOf(LAYER_B)] } })

/** As Docker up to 24 wrote it: a folder for each layer, those that are the same linked. */
const OLD_DOCKER: readonly TarPart[] = [
  { path: `${'1'.repeat(64)}/`, folder: true },
  { path: `${'1'.repeat(64)}/VERSION`, content: '1.0' },
  { path: `${'1'.repeat(64)}/json`, content: '{}' },
  { path: `${'1'.repeat(64)}/layer.tar`, content: LAYER_A },
  { path: `${'2'.repeat(64)}/layer.tar`, content: LAYER_B },
  { path: `${'3'.repeat(64)}/layer.tar`, link: `../${'1'.repeat(64)}/layer.tar` },
  { path: `${hexOf(digestOf(CONFIG))}.json`, content: CONFIG },
  {
    path: 'manifest.json',
    content: json([
      {
        Config: `${hexOf(digestOf(CONFIG))}.json`,
        RepoTags: ['alpine:3', 'localhost:5000/team/app:v1'],
        Layers: [`${'3'.repeat(64)}/layer.tar`, `${'2'.repeat(64)}/layer.tar`],
      },
    ]),
  },
  { path: 'repositories', content: json({ alpine: { 3: '2'.repeat(64) } }) },
]

/** As Docker from 25 on: a layout with the same list beside it. */
function newDocker(layers: readonly Uint8Array[], fields: { readonly tags?: readonly string[] } = {}): TarPart[] {
  const manifest = imageOf(CONFIG, layers)
  const annotations = {
    'io.containerd.image.name': 'docker.io/library/alpine:3',
    'org.opencontainers.image.ref.name': '3',
  }
  const manifests = [{ ...descriptorOf(manifest, MEDIA_TYPES.ociManifest), annotations }]
  const paths = [LAYER_A, LAYER_B].map(blobPath)
  return [
    ...[CONFIG, LAYER_A, LAYER_B, manifest].map((content) => ({ path: blobPath(content), content })),
    { path: 'index.json', content: json({ schemaVersion: 2, manifests }) },
    {
      path: 'manifest.json',
      content: json([{ Config: blobPath(CONFIG), RepoTags: fields.tags ?? ['alpine:3'], Layers: paths }]),
    },
    LAYOUT,
  ]
}

describe('an archive of a layout', () => {
  it('is read by name, tag and digest, from a path, bytes and streams', async () => {
    const content = tarOf(newDocker([LAYER_A, LAYER_B]))
    const path = join(await newDirectory(), 'image.tar')
    await writeFile(path, content)
    const sources = [path, content, Readable.from([content]), createReadStream(path, { highWaterMark: 3 })]
    for (const source of sources) {
      await using archive = await openArchive(source)
      expect(await contentOf(archive)).toEqual({ alpine: { 3: digestOf(imageOf(CONFIG, [LAYER_A, LAYER_B])) } })
      const repository = archive.repository('alpine')
      expect(await readBlob(repository, digestOf(LAYER_A))).toBe('layer a')
      const part = await repository.blobs.open(digestOf(LAYER_B), { range: { start: 2, end: 5 } })
      expect(Buffer.concat(await collect<Buffer>(part.body.stream())).toString()).toBe('yer')
    }
  })

  it.each([
    ['gzip', (tar: Buffer) => gzipSync(tar)],
    [
      'gzip in two members',
      (tar: Buffer) => Buffer.concat([gzipSync(tar.subarray(0, 999)), gzipSync(tar.subarray(999))]),
    ],
  ])('is read through %s, from a path and a stream', async (_, compress) => {
    const content = compress(tarOf(newDocker([LAYER_A, LAYER_B])))
    const directory = await newDirectory()
    await writeFile(join(directory, 'image.tgz'), content)
    for (const source of [join(directory, 'image.tgz'), Readable.from([content])]) {
      await using archive = await openArchive(source, { temporaryDirectory: directory })
      expect(await readBlob(archive.repository('alpine'), digestOf(LAYER_A))).toBe('layer a')
      expect(await readdir(directory)).toEqual(['image.tgz'])
    }
  })

  it.each(['v7', 'ustar', 'gnu', 'oldgnu', 'pax'])('is read as GNU tar writes it in the format %s', async (format) => {
    const directory = await newDirectory()
    const layout = join(directory, 'layout')
    const { digest } = await pushImage(layoutDirectory(layout).repository('team/app'), ['a', 'b'], { tags: ['v1'] })
    const path = join(directory, 'image.tar')
    await promisify(execFile)('tar', [`--format=${format}`, '-cf', path, '-C', layout, '.'])
    await using archive = await openArchive(path)
    expect(await contentOf(archive)).toEqual({ 'team/app': { v1: digest } })
    expect(await readBlob(archive.repository('team/app'), digestOf(bytes('a')))).toBe('a')
  })

  it('leaves nothing where it was spooled, whatever fails', async () => {
    const directory = await newDirectory()
    const options = { temporaryDirectory: directory }
    const content = tarOf(newDocker([LAYER_A, LAYER_B]))
    await expect(openArchive(Readable.from([content]), { ...options, maxBytes: 1000 })).rejects.toMatchObject({
      code: 'SIZE_INVALID',
    })
    await expect(openArchive(gzipSync(content).subarray(0, 300), options)).rejects.toThrow('damaged or cut short')
    await expect(openArchive(Readable.from([bytes('no tar, no tar')]), options)).rejects.toThrow('no tar archive')
    await expect(openArchive(broken(), options)).rejects.toThrow('the source broke')
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(openArchive(Readable.from([content]), { ...options, signal })).rejects.toThrow('enough')
    expect(await readdir(directory)).toEqual([])
  })

  it('refuses to be written to, and is closed under readers', async () => {
    const archive = await openArchive(tarOf(newDocker([LAYER_A, LAYER_B])))
    const { blobs, tags, manifests } = archive.repository('alpine')
    const digest = await tags.resolve('3')
    await expect(blobs.put(bytes('a'))).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(blobs.delete(digestOf(LAYER_A))).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(tags.set('4', digest)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(manifests.delete(digest)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    const { body } = await blobs.open(digestOf(LAYER_A))
    await archive.close()
    await archive.close()
    await expect(collect(body.stream())).rejects.toThrow('disposed')
  })

  it('calls the default repository after the only one that has a name', async () => {
    const named = newDocker([LAYER_A, LAYER_B])
    await using archive = await openArchive(tarOf(named))
    expect(archive.defaultRepository).toBe('alpine')
    await using other = await openArchive(tarOf(named), { repository: 'mine' })
    expect(other.defaultRepository).toBe('mine')
    expect(await collect(other.repositories())).toEqual(['alpine'])
  })

  it('adds the names that only manifest.json has', async () => {
    await using archive = await openArchive(tarOf(newDocker([LAYER_A, LAYER_B], { tags: ['alpine:3', 'a/b:c'] })))
    const digest = digestOf(imageOf(CONFIG, [LAYER_A, LAYER_B]))
    expect(await contentOf(archive)).toEqual({ alpine: { 3: digest }, 'a/b': { c: digest } })
  })

  it('has the layers that Docker 25.0 left out of its manifests', async () => {
    await using archive = await openArchive(tarOf(newDocker([])))
    const manifest = await archive.repository('alpine').manifests.get('3')
    expect(JSON.parse(Buffer.from(manifest.content).toString()).layers).toEqual(
      [LAYER_A, LAYER_B].map((layer) => descriptorOf(layer, 'application/vnd.oci.image.layer.v1.tar')),
    )
    expect(await contentOf(archive)).toEqual({ alpine: { 3: manifest.descriptor.digest } })
  })

  it('does not take the word of an archive for its content', async () => {
    const parts = newDocker([LAYER_A, LAYER_B]).map((part) =>
      'content' in part && part.content === LAYER_A ? { ...part, content: 'layer x' } : part,
    )
    await using archive = await openArchive(tarOf(parts))
    await expect(readBlob(archive.repository('alpine'), digestOf(LAYER_A))).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    })
  })
})

describe('an archive of an old docker save', () => {
  it('gets a manifest, the same each time', async () => {
    const manifest = imageOf(CONFIG, [LAYER_A, LAYER_B])
    for (const parts of [OLD_DOCKER, [...OLD_DOCKER].reverse()]) {
      await using archive = await openArchive(tarOf(parts))
      expect(await contentOf(archive)).toEqual({
        alpine: { 3: digestOf(manifest) },
        'localhost:5000/team/app': { v1: digestOf(manifest) },
      })
      const repository = archive.repository('alpine')
      expect(await repository.manifests.get('3')).toEqual({
        descriptor: descriptorOf(manifest, MEDIA_TYPES.ociManifest),
        content: manifest,
      })
      expect(await readBlob(repository, digestOf(LAYER_A))).toBe('layer a')
      expect(await readBlob(repository, digestOf(CONFIG))).toBe(Buffer.from(CONFIG).toString())
    }
  })

  it('may have compressed layers, whose digests are then their own', async () => {
    const layer = gzipSync(LAYER_A)
    const config = json({ rootfs: { diff_ids: [digestOf(LAYER_A)] } })
    const items = json([{ Config: 'config.json', RepoTags: null, Layers: ['a.tar.gz'] }])
    const parts = [
      { path: './a.tar.gz', content: layer },
      { path: 'config.json', content: config },
      { path: 'manifest.json', content: items },
    ]
    await using archive = await openArchive(tarOf(parts))
    const { manifests, blobs } = archive.repository('image')
    const [digest] = await collect(manifests.list())
    const { layers } = JSON.parse(Buffer.from((await manifests.get(digest ?? '')).content).toString())
    expect(layers).toEqual([descriptorOf(layer, 'application/vnd.oci.image.layer.v1.tar+gzip')])
    expect((await blobs.stat(digestOf(layer))).size).toBe(layer.byteLength)
  })

  it('may have a layer whose first file has a name like the beginning of bzip2', async () => {
    const layer = tarOf([{ path: 'BZhang', content: 'a name' }])
    const config = json({ rootfs: { diff_ids: [digestOf(layer)] } })
    const items = json([{ Config: 'config.json', RepoTags: ['a:1'], Layers: ['layer.tar'] }])
    const parts = [
      { path: 'layer.tar', content: layer },
      { path: 'config.json', content: config },
      { path: 'manifest.json', content: items },
    ]
    await using archive = await openArchive(tarOf(parts))
    expect((await archive.repository('a').blobs.stat(digestOf(layer))).size).toBe(layer.byteLength)
  })

  it('is verified against the digests in its config', async () => {
    const parts = OLD_DOCKER.map((part) =>
      'content' in part && part.content === LAYER_B ? { ...part, content: 'layer x' } : part,
    )
    await using archive = await openArchive(tarOf(parts))
    await expect(readBlob(archive.repository('alpine'), digestOf(LAYER_B))).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    })
  })
})

describe('what is no archive', () => {
  const file = (path: string, content: string | Uint8Array): TarPart => ({ path, content })
  const items = (fields: object) => [
    file('config.json', json({ rootfs: { diff_ids: [digestOf(LAYER_A)] } })),
    file('a.tar', LAYER_A),
    file('manifest.json', json([{ Config: 'config.json', RepoTags: [], Layers: ['a.tar'], ...fields }])),
  ]
  const header = formatEntry({ path: 'blobs/sha256/big', size: 5000 })

  it.each<[string, Uint8Array, string]>([
    ['nothing', bytes(''), 'no tar archive: it is empty'],
    ['text', Buffer.alloc(2000, 'text'), 'no tar archive: it does not begin with a header'],
    ['a few bytes', bytes('abc'), 'no tar archive: it has 3 bytes'],
    [
      'half a header',
      Buffer.concat([tarOf([file('a', 'b')]).subarray(0, 1024), Buffer.alloc(100)]),
      'cut short: it ends at byte 1124, within a header',
    ],
    ['an empty tar', tarOf([]), 'manifest.json is in the archive, but nothing'],
    [
      'a file system',
      tarOf(['etc', 'bin', 'usr', 'var', 'lib', 'x'].map((name) => file(`${name}/f`, ''))),
      'but etc/f, bin/f, usr/f, var/f, lib/f, …',
    ],
    ['a folder too many', tarOf([file('image/oci-layout', '{}')]), 'tar -C image -cf … .'],
    ['Docker 1.9', tarOf([file('repositories', '{}')]), 'before Docker 1.10'],
    ['no index', tarOf([LAYOUT]), 'neither oci-layout and index.json nor manifest.json'],
    ['a broken index', tarOf([LAYOUT, file('index.json', '{]')]), 'index.json: not JSON'],
    [
      'another version',
      tarOf([file('oci-layout', '{"imageLayoutVersion":"3"}'), file('index.json', '{"manifests":[]}')]),
      '"imageLayoutVersion" is "3"',
    ],
    ['an object for a list', tarOf([file('manifest.json', '{}')]), 'manifest.json should be a list of images'],
    ['an image without config', tarOf(items({ Config: 1 })), 'the image 0 has no Config'],
    ['a missing config', tarOf(items({ Config: 'x' })), 'names a config x, which is not in the archive'],
    ['layers that are no list', tarOf(items({ Layers: 'a.tar' })), 'has no Layers, a list of paths'],
    ['names that are no list', tarOf(items({ RepoTags: 'a' })), 'RepoTags that are no list'],
    ['a missing layer', tarOf(items({ Layers: ['b.tar'] })), 'names a layer b.tar, which is not in the archive'],
    ['too few layers', tarOf(items({ Layers: [] })), 'names 0 layers of an image, its config config.json has 1'],
    [
      'a config of something else',
      tarOf([...items({}).slice(1), file('config.json', '{"rootfs":7}')]),
      'no rootfs.diff_ids',
    ],
    ['a config that leads out', tarOf(items({ Config: '../../etc/passwd' })), 'leads out of the archive'],
    [
      'an entry that leads out',
      tarOf([file('../../etc/cron.d/evil', '')]),
      'an entry "../../etc/cron.d/evil", which leads out',
    ],
    ['an entry from the root', tarOf([file('/etc/passwd', '')]), 'an entry "/etc/passwd", which leads out'],
    ['an entry that leads out in the end', tarOf([file('a/../../b', '')]), 'an entry "a/../../b", which leads out'],
    [
      'a link out',
      tarOf([...items({ Layers: ['l'] }), { path: 'l', link: '../../etc/passwd' }]),
      'l leads out of the archive',
    ],
    [
      'a link to the root',
      tarOf([...items({ Layers: ['l'] }), { path: 'l', link: '/etc/passwd' }]),
      'l leads out of the archive',
    ],
    [
      'a link to itself',
      tarOf([...items({ Layers: ['l'] }), { path: 'l', link: 'm' }, { path: 'm', link: 'l' }]),
      'l is a link that leads back to itself',
    ],
    [
      'a link to nothing',
      tarOf([...items({ Layers: ['l'] }), { path: 'l', link: 'nowhere' }]),
      'names a layer l, which is not in the archive',
    ],
    [
      'two lists',
      tarOf([...items({}), ...items({ RepoTags: ['evil:1'] })]),
      'the archive has manifest.json more than once',
    ],
    [
      'two indexes',
      tarOf([LAYOUT, file('index.json', '{"manifests":[]}'), file('./index.json', '{"manifests":[]}')]),
      'the archive has index.json more than once',
    ],
    [
      'less than it says',
      Buffer.concat([header, Buffer.alloc(1000)]),
      'in the middle of blobs/sha256/big: 1000 of its 5000 bytes are there',
    ],
    [
      'a damaged header',
      Buffer.concat([tarOf([file('a', 'b')]).subarray(0, 1024), Buffer.alloc(512, 1)]),
      'byte 1024 should begin a header',
    ],
    ['an endless name', Buffer.concat([extended('L', 2 ** 30), Buffer.alloc(512)]), 'more than 1 MiB'],
    ['a sparse layer', tarOf([...items({ Layers: ['s'] }), { raw: sparse('s') }]), 's is a sparse file'],
    ['zstd', Buffer.from('28b52ffd000000000000', 'hex'), 'zstd'],
    ['xz', Buffer.from('fd377a585a0000000000', 'hex'), 'compressed with xz: decompress it first (xz -d)'],
    ['bzip2', Buffer.from('425a68393141592653', 'hex'), 'compressed with bzip2: decompress it first (bzip2 -d)'],
    [
      'half of a gzip',
      gzipSync(tarOf(OLD_DOCKER)).subarray(0, 200),
      'the gzip around the archive is damaged or cut short',
    ],
  ])('is told by what was found: %s', async (_, content, message) => {
    const path = join(await newDirectory(), 'x.tar')
    await writeFile(path, content)
    for (const source of [path, content]) {
      const error: RegistryError = await openArchive(source).then(
        () => expect.unreachable(),
        (thrown) => thrown,
      )
      expect(error).toMatchObject({ code: 'MANIFEST_INVALID', status: 500 })
      expect(error.message).toContain(message)
      expect(error.message).toContain(source === path ? path : 'the stream')
    }
  })

  it('is told from what is missing, and from a directory', async () => {
    const directory = await newDirectory()
    await expect(openArchive(join(directory, 'none.tar'))).rejects.toMatchObject({ code: 'NAME_UNKNOWN' })
    await mkdir(join(directory, 'layout'))
    await expect(openArchive(join(directory, 'layout'))).rejects.toThrow('layoutDirectory() reads a layout in one')
    await expect(openArchive(7 as unknown as string)).rejects.toThrow(TypeError)
  })

  it('holds no memory for what it only passes over', async () => {
    // A file of 8 GiB and more, by a hole: its data is never read.
    const path = join(await newDirectory(), 'large.tar')
    const size = 9 * 1024 ** 3
    const { open } = await import('node:fs/promises')
    const file = await open(path, 'w')
    const head = formatEntry({ path: `blobs/sha256/${'0'.repeat(64)}`, size })
    await file.write(head, 0, head.byteLength, 0)
    const rest = tarOf([LAYOUT, { path: 'index.json', content: '{"manifests":[]}' }])
    await file.write(rest, 0, rest.byteLength, head.byteLength + size)
    await file.close()
    await using archive = await openArchive(path)
    expect((await archive.repository('image').blobs.stat(`sha256:${'0'.repeat(64)}`)).size).toBe(size)
    const part = await archive.repository('image').blobs.open(`sha256:${'0'.repeat(64)}`, {
      range: { start: size - 3, end: size },
    })
    expect(Buffer.concat(await collect<Buffer>(part.body.stream()))).toEqual(Buffer.alloc(3))
  })

  it('may have long names in the ways of GNU and POSIX', async () => {
    const long = `${'folder/'.repeat(20)}layer.tar`
    const gnu = Buffer.concat([
      extended('L', long.length + 1),
      padded(`${long}\0`),
      tarOf([file('short', LAYER_A)]).subarray(0, 1024),
    ])
    for (const part of [{ raw: gnu }, file(long, LAYER_A)]) {
      await using archive = await openArchive(tarOf([...items({ Layers: [long] }), part]))
      expect(await readBlob(archive.repository('image'), digestOf(LAYER_A))).toBe('layer a')
    }
  })
})

function blobPath(content: Uint8Array): string {
  return `blobs/sha256/${hexOf(digestOf(content))}`
}

function imageOf(config: Uint8Array, layers: readonly Uint8Array[]): Buffer {
  return Buffer.from(
    json({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: descriptorOf(config, MEDIA_TYPES.ociConfig),
      layers: layers.map((layer) => descriptorOf(layer, 'application/vnd.oci.image.layer.v1.tar')),
    }),
  )
}

async function contentOf(archive: LayoutBackend): Promise<Record<string, Record<string, Digest>>> {
  const content: Record<string, Record<string, Digest>> = {}
  for await (const name of archive.repositories()) {
    const tags: Record<string, Digest> = {}
    for await (const tag of archive.repository(name).tags.list())
      tags[tag] = await archive.repository(name).tags.resolve(tag)
    content[name] = tags
  }
  return content
}

/** A header of another type, its checksum right. */
function extended(type: string, size: number): Buffer {
  const block = formatEntry({ path: '././@LongLink', size: 0 })
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
  block.write(type, 156, 'latin1')
  block.fill(' ', 148, 156)
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'latin1',
  )
  return block
}

function sparse(path: string): Buffer {
  const block = extended('S', 0)
  block.fill(0, 0, 100)
  block.write(path, 0)
  block.fill(' ', 148, 156)
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'latin1',
  )
  return block
}

function padded(text: string): Buffer {
  const content = Buffer.from(text)
  return Buffer.concat([content, Buffer.alloc(512 - (content.byteLength % 512))])
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield tarOf(OLD_DOCKER).subarray(0, 700)
  throw new Error('the source broke')
}
