import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import * as zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decorate } from '../../src/backend.ts'
import { image } from '../../src/image/builder.ts'
import { pull } from '../../src/image/pull.ts'
import { Registry } from '../../src/registry.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { collect } from '../support/images.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'
import { archive } from '../tar/support.ts'
import { blobOf, entriesOf, filesOf, jsonOf, pushByHand, pushIndex, registry } from './support.ts'

const temporaryDirectory = temporaryDirectories()
const AMD64 = { os: 'linux', architecture: 'amd64' }
const ARM64 = { os: 'linux', architecture: 'arm64' }
const platform = 'linux/amd64'

/** A repository of a registry of its own. */
function target() {
  const backend = registry()
  return { backend, repository: 'team/app', app: backend.repository('team/app') }
}

describe('image.scratch', () => {
  it('makes a manifest and a config, and nothing in them that differs from day to day', async () => {
    const { app } = target()
    const { digest, ...rest } = await image
      .scratch({ platform: 'linux/arm64/v8', author: 'ada' })
      .add({ 'hello.txt': 'hello' }, { to: '/srv' })
      .add({ 'more.txt': 'more' }, { comment: 'more of it' })
      .config({
        entrypoint: ['/bin/app'],
        cmd: ['--serve'],
        env: { B: '2', A: '1' },
        workdir: '/srv',
        user: '1000:1000',
      })
      .config({
        labels: { z: '1', a: '2' },
        exposedPorts: [8080, '53/udp', '80'],
        volumes: ['/data'],
        stopSignal: 'SIGQUIT',
      })
      .annotations({ 'org.example.z': '1', 'org.example.a': '2' })
      .push(app, { tags: ['v1', 'latest'] })
    expect(rest).toEqual({
      mediaType: MEDIA_TYPES.ociManifest,
      size: expect.any(Number),
      platform: { ...ARM64, variant: 'v8' },
    })
    expect([await app.tags.resolve('v1'), await app.tags.resolve('latest')]).toEqual([digest, digest])
    const { content, layers, manifest } = await pull({ repository: app, reference: digest })
    expect(JSON.parse(Buffer.from(content).toString())).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: manifest.config,
      layers: layers.map(({ descriptor }) => descriptor),
      annotations: { 'org.example.a': '2', 'org.example.z': '1' },
    })
    expect(layers.map(({ descriptor }) => descriptor.mediaType)).toEqual(
      Array(2).fill('application/vnd.oci.image.layer.v1.tar+gzip'),
    )
    if (manifest.config === undefined) throw new Error('no config')
    const history = { created: '1970-01-01T00:00:00Z', comment: 'wharfage' }
    expect((await blobOf(app, manifest.config)).toString()).toBe(
      JSON.stringify({
        created: '1970-01-01T00:00:00Z',
        author: 'ada',
        architecture: 'arm64',
        os: 'linux',
        variant: 'v8',
        config: {
          User: '1000:1000',
          Env: ['B=2', 'A=1'],
          Entrypoint: ['/bin/app'],
          Cmd: ['--serve'],
          WorkingDir: '/srv',
          ExposedPorts: { '53/udp': {}, '80/tcp': {}, '8080/tcp': {} },
          Volumes: { '/data': {} },
          Labels: { a: '2', z: '1' },
          StopSignal: 'SIGQUIT',
        },
        rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
        history: [
          { ...history, created_by: 'add to /srv' },
          { ...history, created_by: 'more of it' },
        ].map(({ created, created_by, comment }) => ({ created, created_by, comment })),
      }),
    )
  })

  it('makes the same image of the same input, and the same tars on every machine', async () => {
    const build = () =>
      image
        .scratch({ platform })
        .add({ 'b/file': 'b', a: 'a', 'b/link': { symlink: 'file' }, 'b/empty': { directory: true } }, { to: 'opt' })
        .add(archive({ name: 'c', content: 'c', mtime: 5, uid: 7 }))
    const [one, two] = [target(), target()]
    expect(await build().push(one.app)).toEqual(await build().push(two.app))
    // Nothing may ever change these: people compare images by them.
    const { config } = await pull({ repository: one.app, reference: (await build().push(one.app)).digest })
    expect(config.rootfs.diff_ids).toMatchInlineSnapshot(`
      [
        "sha256:b236c82df96e8675275e9d5cfe8543a1ae2b84b17e0ff4b31e6b92372abb53bf",
        "sha256:ee565212d460476a18331fef4e89768aebe5346970e7783a38cc69d44c27b93f",
      ]
    `)
    const { digest } = await image
      .scratch({ platform })
      .add({ a: 'a' })
      .push(one.app, { compression: 'none', tags: ['plain'] })
    expect(digest).toMatchInlineSnapshot(`"sha256:704112fb7b982c6f1873c152daf6c0c2fcac7db040bff6bb9158995ca0f3f27d"`)
  })

  it('is of a date when told so', async () => {
    const { app } = target()
    const created = new Date('2024-02-29T12:00:00Z')
    const { digest } = await image.scratch({ platform, created }).add({ a: 'a' }).push(app)
    const { config, layers } = await pull({ repository: app, reference: digest })
    expect([config.created, config.history?.[0]?.created]).toEqual(['2024-02-29T12:00:00Z', '2024-02-29T12:00:00Z'])
    expect((await entriesOf(layers[0])).map(({ mtime }) => mtime)).toEqual([created.getTime() / 1000])
  })

  it('leaves a builder as it was', async () => {
    const { app } = target()
    const start = image.scratch({ platform }).add({ a: 'a' })
    start
      .add({ b: 'b' })
      .config({ cmd: ['b'] })
      .annotations({ b: 'b' })
    const { digest } = await start.push(app)
    const { config, layers, manifest } = await pull({ repository: app, reference: digest })
    expect([layers.length, config.config, manifest.annotations]).toEqual([1, undefined, undefined])
  })

  it('can be empty', async () => {
    const { app } = target()
    const { digest } = await image.scratch({ platform }).push(app)
    expect(await pull({ repository: app, reference: digest })).toMatchObject({ layers: [], platform: AMD64 })
  })
})

describe('ImageBuilder.add', () => {
  it('takes entries of all kinds, parents first and hard links last', async () => {
    const { app } = target()
    const directory = await temporaryDirectory()
    await writeFile(join(directory, 'tool'), '#!', { mode: 0o750 })
    const own = { uid: 5, gid: 6, mode: 0o600, mtime: new Date(9_000) }
    const { digest } = await image
      .scratch({ platform })
      .add({
        'bin/alias': { hardlink: '/bin/tool' },
        'bin/tool': { file: join(directory, 'tool') },
        'etc/secret': { content: 'secret', ...own },
        'etc/bytes': Buffer.from([1, 2]),
        'etc/link': { symlink: '../bin/tool', uid: 5 },
        'var/empty': { directory: true, mode: 0o1777 },
        'var/stream': { stream: Readable.from([Buffer.from('st'), Buffer.from('ream')]), size: 6 },
        'var/opened': { stream: () => Buffer.from('opened'), size: 6 },
      })
      .push(app)
    const entries = await entriesOf((await pull({ repository: app, reference: digest })).layers[0])
    const root = { uid: 0, gid: 0, mtime: 0, size: 0, content: '' }
    const parent = { ...root, type: 'directory', mode: 0o755 }
    expect(entries).toEqual([
      { ...parent, name: 'bin/' },
      { ...root, name: 'bin/tool', type: 'file', mode: 0o755, size: 2, content: '#!' },
      { ...parent, name: 'etc/' },
      { ...root, name: 'etc/bytes', type: 'file', mode: 0o644, size: 2, content: '\u0001\u0002' },
      { ...root, name: 'etc/link', type: 'symlink', mode: 0o777, linkname: '../bin/tool', uid: 5 },
      { ...root, name: 'etc/secret', type: 'file', mode: 0o600, uid: 5, gid: 6, mtime: 9, size: 6, content: 'secret' },
      { ...parent, name: 'var/' },
      { ...parent, name: 'var/empty/', mode: 0o1777 },
      { ...root, name: 'var/opened', type: 'file', mode: 0o644, size: 6, content: 'opened' },
      { ...root, name: 'var/stream', type: 'file', mode: 0o644, size: 6, content: 'stream' },
      { ...root, name: 'bin/alias', type: 'hardlink', mode: 0o644, linkname: 'bin/tool' },
    ])
  })

  it('gives a whole layer owners, modes and a date', async () => {
    const { app } = target()
    const { digest } = await image
      .scratch({ platform })
      .add({ 'a/b': 'b' }, { to: '/opt/x/', uid: 1, gid: 2, mode: 0o400, directoryMode: 0o700, mtime: new Date(3_999) })
      .push(app)
    const entries = await entriesOf((await pull({ repository: app, reference: digest })).layers[0])
    const owned = { uid: 1, gid: 2, mtime: 3 }
    expect(entries).toMatchObject([
      ...['opt/', 'opt/x/', 'opt/x/a/'].map((name) => ({ name, mode: 0o700, ...owned })),
      { name: 'opt/x/a/b', mode: 0o400, ...owned },
    ])
  })

  it('gives a tar another place, and keeps what it says of its entries', async () => {
    const { app } = target()
    const xattrs = new Map([['SCHILY.xattr.user.a', 'b']])
    const tar = archive(
      { name: './', type: 'directory', mode: 0o700 },
      { name: './bin/', type: 'directory', mode: 0o711, uid: 4, uname: 'ada', gname: 'staff' },
      { name: './bin/tool', content: 'tool', mode: 0o4755, mtime: 77, pax: xattrs },
      { name: './bin/alias', type: 'hardlink', linkname: './bin/tool' },
      { name: './bin/link', type: 'symlink', linkname: '../etc' },
      { name: './.wh.gone', type: 'file' },
      { name: './null', type: 'character-device', major: 1, minor: 3 },
    )
    const expected = [
      { name: 'opt/bin/', mode: 0o711, uid: 4 },
      { name: 'opt/bin/tool', content: 'tool', mode: 0o4755, mtime: 77, pax: xattrs },
      { name: 'opt/bin/alias', type: 'hardlink', linkname: 'opt/bin/tool' },
      { name: 'opt/bin/link', type: 'symlink', linkname: '../etc' },
      { name: 'opt/.wh.gone' },
      { name: 'opt/null', type: 'character-device', major: 1, minor: 3 },
    ]
    const gzip = zlib.gzipSync(tar)
    for (const content of [tar, gzip, Readable.from([gzip]), () => gzip, async () => Readable.from([tar])]) {
      const { digest } = await image.scratch({ platform }).add(content, { to: '/opt' }).push(app)
      const entries = await entriesOf((await pull({ repository: app, reference: digest })).layers[0])
      expect(entries).toMatchObject(expected)
      expect(entries.map(({ uname, gname }) => uname ?? gname)).toEqual(Array(6).fill(undefined))
    }
    const { digest } = await image
      .scratch({ platform })
      .add(tar, { uid: 9, gid: 9, mode: 0o600, mtime: new Date(0) })
      .push(app)
    const entries = await entriesOf((await pull({ repository: app, reference: digest })).layers[0])
    expect(entries.map(({ name, uid, gid, mode, mtime }) => [name, uid, gid, mode, mtime])).toEqual([
      ['bin/', 9, 9, 0o711, 0],
      ['bin/tool', 9, 9, 0o600, 0],
      ['bin/alias', 9, 9, 0o600, 0],
      ['bin/link', 9, 9, 0o644, 0],
      ['.wh.gone', 9, 9, 0o600, 0],
      ['null', 9, 9, 0o600, 0],
    ])
  })

  it('refuses a tar that it cannot take over whole', async () => {
    const { app } = target()
    const push = (tar: Uint8Array) => image.scratch({ platform }).add(tar).push(app)
    await expect(push(archive({ name: '../motd' }))).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
    await expect(push(archive({ name: 'a', type: 'hardlink', linkname: '../../etc/passwd' }))).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
    })
    await expect(push(archive({ name: 'a', content: 'x' }).subarray(0, 520))).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
    })
    await expect(push(zlib.gzipSync(archive({ name: 'a' })).subarray(0, -30))).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
    })
    await expect(push(archive({ name: 'a\ufffd' }))).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  it('says that a stream has been read already', async () => {
    const { app } = target()
    const builder = image.scratch({ platform }).add(Readable.from([archive({ name: 'a' })]))
    await builder.push(app)
    await expect(builder.push(app)).rejects.toThrow(/a function that opens it/)
    const ended = Readable.from([archive({ name: 'a' })])
    await collect(ended)
    await expect(image.scratch({ platform }).add(ended).push(app)).rejects.toThrow(/a function that opens it/)
  })

  it.each([
    ['shorter', 5, 'less'],
    ['longer', 3, 'more'],
  ])('says when a stream is %s than it was said to be', async (_, size, than) => {
    const files = { a: { stream: () => Readable.from([Buffer.from('four')]), size } }
    await expect(image.scratch({ platform }).add(files).push(target().app)).rejects.toMatchObject({
      code: 'SIZE_INVALID',
      message: expect.stringContaining(than),
    })
  })

  it.each([
    ['a way out', { '../etc/passwd': '' }],
    ['the root', { '/': '' }],
    ['one path twice', { 'a/b': '', '/a//b': '' }],
    ['a file in a file', { a: '', 'a/b': '' }],
    ['a whiteout', { 'etc/.wh.motd': '' }],
    ['a zero byte', { 'a\0b': '' }],
    ['a number', { a: 1 }],
    ['nothing that it could be', { a: { mode: 0o644 } }],
    ['two things at once', { a: { content: '', symlink: 'b' } }],
    ['a stream of no known size', { a: { stream: Readable.from([]) } }],
    ['a link to what is not there', { a: { hardlink: 'b' } }],
    ['a link to a directory', { a: { hardlink: 'b' }, b: { directory: true } }],
    ['content of another kind', { a: { content: 5 } }],
  ])('refuses a tree with %s', (_, tree) => {
    expect(() => image.scratch().add(tree as never)).toThrow(TypeError)
  })

  it.each([
    [['a'], {}, /an array/],
    [5, {}, /the number 5/],
    [{ a: 'a' }, { into: '/app' }, /no option "into"/],
    [{ a: 'a' }, { to: '../app' }, /".."/],
    [{ a: 'a' }, { uid: -1 }, /"uid"/],
    [{ a: 'a' }, { platforms: ['linux'] }, /the string "linux" is no platform/],
  ])('refuses %j with %j', (addition, options, message) => {
    expect(() => image.scratch().add(addition as never, options as never)).toThrow(message)
  })
})

describe('ImageBuilder.config', () => {
  it.each([
    [{ cmd: 'node server.js' }, /"cmd" must be a list/],
    [{ entrypoint: [1] }, /"entrypoint"/],
    [{ env: ['A=b'] }, /"env"/],
    [{ env: { 'A=B': 'c' } }, /"env" has the name "A=B"/],
    [{ labels: { a: 1 } }, /"labels"/],
    [{ exposedPorts: ['http'] }, /"exposedPorts"/],
    [{ exposedPorts: [70_000] }, /"exposedPorts"/],
    [{ workdir: 5 }, /"workdir"/],
    [{ workDir: '/' }, /did you mean "workdir"/],
  ])('refuses %j', (options, message) => {
    expect(() => image.scratch().config(options as never)).toThrow(message)
  })
})

describe('ImageBuilder.push', () => {
  it('compresses as it is told', async () => {
    const { app } = target()
    const builder = image.scratch({ platform }).add({ a: 'a'.repeat(100_000) })
    const plain = await pull({ repository: app, reference: (await builder.push(app, { compression: 'none' })).digest })
    const gzip = await pull({ repository: app, reference: (await builder.push(app, { compressionLevel: 9 })).digest })
    expect(plain.config.rootfs).toEqual(gzip.config.rootfs)
    expect(plain.layers[0]?.descriptor).toMatchObject({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: plain.layers[0]?.diffId,
    })
    const blob = gzip.layers[0] && (await blobOf(app, gzip.layers[0].descriptor))
    // RFC 1952: no flags, no time, best compression, and no operating system.
    expect(blob?.subarray(0, 10).toString('hex')).toBe('1f8b08000000000002ff')
    const pushing = builder.push(app, { compression: 'zstd' })
    if (!('createZstdCompress' in zlib)) {
      await expect(pushing).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('22.15') })
      return
    }
    const zstd = await pull({ repository: app, reference: (await pushing).digest })
    expect(zstd.layers[0]?.descriptor.mediaType).toBe('application/vnd.oci.image.layer.v1.tar+zstd')
    expect(await filesOf(zstd.layers[0])).toEqual({ a: 'a'.repeat(100_000) })
  })

  it('refuses options before anything is read or sent', async () => {
    const { app } = target()
    const builder = image.scratch({ platform }).add(() => expect.unreachable())
    await expect(builder.push(app, { tags: ['-'] })).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
    await expect(builder.push(app, { tags: 'v1' } as never)).rejects.toThrow(TypeError)
    await expect(builder.push(app, { compression: 'xz' } as never)).rejects.toThrow(/'gzip', 'zstd', 'none'/)
    await expect(builder.push(app, { tag: 'v1' } as never)).rejects.toThrow(/did you mean "tags"/)
    expect(() => image.scratch({ created: new Date(Number.NaN) })).toThrow(/"created"/)
    expect(() => image.scratch({ platform: 'linux' })).toThrow(TypeError)
    expect(() => image.from('node')).toThrow(/"resolve"/)
  })

  it('fails with the error of what it reads, and leaves no tag', async () => {
    const { app } = target()
    const failing = async function* () {
      yield Buffer.from('x')
      throw new Error('the disk is on fire')
    }
    for (const compression of ['gzip', 'none'] as const) {
      const builder = image.scratch({ platform }).add({ a: { stream: failing, size: 1000 } })
      await expect(builder.push(app, { tags: ['v1'], compression })).rejects.toThrow('the disk is on fire')
    }
    await expect(app.tags.resolve('v1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
  })

  it('ends when its signal does, and lets go of what it reads', async () => {
    const { app } = target()
    for (const compression of ['gzip', 'none'] as const) {
      const abort = new AbortController()
      let closed = false
      const endless = async function* () {
        try {
          for (let i = 0; ; i++) {
            if (i === 20) abort.abort(new Error('enough'))
            yield Buffer.alloc(65_536, i)
          }
        } finally {
          closed = true
        }
      }
      const builder = image.scratch({ platform }).add({ a: { stream: endless, size: 2 ** 33 } })
      await expect(builder.push(app, { signal: abort.signal, compression })).rejects.toThrow('enough')
      expect(closed).toBe(true)
    }
  })
})

describe('image.from', () => {
  const BASE_TAR = archive({ name: 'bin/sh', content: 'sh' })
  const GZIP = zlib.gzipSync(BASE_TAR)
  const run = {
    Env: ['PATH=/bin', 'A=1'],
    Cmd: ['sh'],
    Entrypoint: ['/init'],
    Labels: { b: '1' },
    Healthcheck: { Test: ['CMD', 'true'] },
  }
  const config = {
    created: '2020-01-01T00:00:00Z',
    config: run,
    history: [{ created_by: 'base' }, { created_by: 'env', empty_layer: true }],
    'x-other': 1,
  }

  async function base(repository: string, backend = registry()) {
    const layers = [{ blob: GZIP, tar: BASE_TAR, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' }]
    const images = []
    for (const one of [AMD64, ARM64])
      images.push(await pushByHand(backend.repository(repository), { platform: one, layers, config }))
    const index = await pushIndex(backend.repository(repository), images, ['1'])
    return { backend, repository, reference: '1', images, index }
  }

  it('adds to what the base has', async () => {
    const source = await base('base/sh')
    const app = source.backend.repository('team/app')
    const { digest } = await image
      .from(source, { platforms: [platform] })
      .add({ 'app/server.js': 'serve()' })
      .config({ env: { A: '2', B: '3' }, labels: { a: '1' }, cmd: ['server.js'] })
      .push({ backend: source.backend, repository: 'team/app' }, { tags: ['v1'] })
    const built = await pull({ repository: app, reference: 'v1' })
    expect(built.descriptor.digest).toBe(digest)
    expect(built.manifest.annotations).toEqual({ 'org.opencontainers.image.base.digest': source.images[0]?.digest })
    expect(built.layers[0]?.descriptor).toEqual({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: digestOf(GZIP),
      size: GZIP.byteLength,
    })
    expect(await filesOf(built.layers[0])).toEqual({ 'bin/sh': 'sh' })
    expect(await filesOf(built.layers[1])).toEqual({ 'app/': '', 'app/server.js': 'serve()' })
    const history = [
      ...config.history,
      { created: '1970-01-01T00:00:00Z', created_by: 'add to /', comment: 'wharfage' },
    ]
    expect(built.config).toEqual({
      created: '1970-01-01T00:00:00Z',
      architecture: 'amd64',
      os: 'linux',
      config: { ...run, Env: ['PATH=/bin', 'A=2', 'B=3'], Cmd: ['server.js'], Labels: { a: '1', b: '1' } },
      rootfs: { type: 'layers', diff_ids: [digestOf(BASE_TAR), built.layers[1]?.diffId] },
      history,
      'x-other': 1,
    })
  })

  it('finds a base that is given as text', async () => {
    const { backend } = await base('library/sh')
    const hosts: string[] = []
    const resolve = (host: string) => {
      hosts.push(host)
      return backend
    }
    const builder = image.from('sh:1', { platforms: [platform], resolve }).add({ a: 'a' })
    const { digest } = await builder.push(backend.repository('team/app'))
    const { layers } = await pull({ repository: backend.repository('team/app'), reference: digest })
    expect([hosts, await filesOf(layers[0])]).toEqual([['docker.io'], { 'bin/sh': 'sh' }])
  })

  it('fails when a layer of the base is gone', async () => {
    const source = await base('base/sh')
    await source.backend.repository('base/sh').blobs.delete(digestOf(GZIP))
    const pushing = image.from(source, { platforms: [platform] }).push(target().app, { tags: ['v1'] })
    await expect(pushing).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  })

  it('drops a command that was meant for another entrypoint, and what is taken away', async () => {
    const source = await base('base/sh')
    const start = image.from(source, { platforms: [platform] })
    const runOf = async (builder: typeof start) => {
      const { digest } = await builder.push(source.backend.repository('team/app'))
      return (await pull({ repository: source.backend.repository('team/app'), reference: digest })).config.config
    }
    expect(await runOf(start.config({ entrypoint: ['/app'] }))).toEqual({
      ...run,
      Entrypoint: ['/app'],
      Cmd: undefined,
    })
    expect(await runOf(start.config({ entrypoint: ['/app'] }).config({ cmd: ['x'] }))).toMatchObject({
      Entrypoint: ['/app'],
      Cmd: ['x'],
    })
    const bare = await runOf(start.config({ entrypoint: null, cmd: null, env: { PATH: null }, labels: { b: null } }))
    expect(bare).toEqual({ Env: ['A=1'], Labels: {}, Healthcheck: run.Healthcheck })
  })

  it('builds for several platforms at once, with layers for some of them', async () => {
    const source = await base('base/sh')
    const app = source.backend.repository('team/app')
    for (const platforms of ['all', ['linux/amd64', 'linux/arm64']] as const) {
      const pushed = await image
        .from(source, { platforms })
        .add({ app: 'app' })
        .add({ native: 'arm' }, { platforms: ['linux/arm64'] })
        .annotations({ title: 'app' })
        .push({ backend: source.backend, repository: 'team/app' }, { tags: ['v1'] })
      expect(pushed.mediaType).toBe(MEDIA_TYPES.ociIndex)
      expect(await jsonOf(app, pushed)).toMatchObject({
        annotations: { title: 'app' },
        manifests: [{ platform: AMD64 }, { platform: ARM64 }],
      })
    }
    const amd64 = await pull({ repository: app, reference: 'v1' }, { platform: 'linux/amd64' })
    const arm64 = await pull({ repository: app, reference: 'v1' }, { platform: 'linux/arm64' })
    expect(amd64.layers.map(({ diffId }) => diffId)).toEqual(arm64.layers.slice(0, 2).map(({ diffId }) => diffId))
    expect(await filesOf(arm64.layers[2])).toEqual({ native: 'arm' })
    expect(arm64.manifest.annotations).toEqual({
      title: 'app',
      'org.opencontainers.image.base.digest': source.images[1]?.digest,
    })
    expect(await collect(app.tags.list())).toEqual(['v1'])
  })

  it('mounts what is in the same place, and copies what is not', async () => {
    const source = await base('base/sh')
    const events: string[] = []
    source.backend.on('blob.mounted', ({ repository, from }) => events.push(`mounted ${repository} from ${from}`))
    const builder = image.from(source, { platforms: [platform] })
    await builder.push({ backend: source.backend, repository: 'team/app' })
    await builder.push({ backend: source.backend, repository: 'team/app' })
    await builder.push(source.backend.repository('team/other'))
    expect(events).toEqual(['mounted team/app from base/sh', 'mounted team/other from base/sh'])
    const elsewhere = target()
    elsewhere.backend.on('blob.mounted', () => expect.unreachable())
    for (const to of [elsewhere, elsewhere.app]) {
      const { digest } = await builder.push(to)
      expect(await filesOf((await pull({ repository: elsewhere.app, reference: digest })).layers[0])).toEqual({
        'bin/sh': 'sh',
      })
    }
  })

  it('mounts between backends of one origin', async () => {
    const source = await base('base/sh')
    const mounted: string[] = []
    source.backend.on('blob.mounted', ({ repository }) => mounted.push(repository))
    const reach = (origin: string) => ({ ...decorate(source.backend, {}), origin })
    const builder = image.from({ ...source, backend: reach('https://one.example') }, { platforms: [platform] })
    await builder.push({ backend: reach('https://one.example'), repository: 'team/same' })
    await builder.push({ backend: reach('https://other.example'), repository: 'team/other' })
    expect(mounted).toEqual(['team/same'])
  })

  it('says which platforms there are', async () => {
    const source = await base('base/sh')
    await expect(image.from(source, { platforms: ['linux/s390x'] }).push(target().app)).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    })
    await expect(image.from({ ...source, reference: '2' }).push(target().app)).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    })
  })

  it('removes by whiteouts', async () => {
    const source = await base('base/sh')
    const app = source.backend.repository('team/app')
    const { digest } = await image
      .from(source, { platforms: [platform] })
      .remove('/etc/motd', 'bin', '/etc/motd/')
      .push(app)
    const [, layer] = (await pull({ repository: app, reference: digest })).layers
    expect(await entriesOf(layer)).toMatchObject([
      { name: '.wh.bin', type: 'file', size: 0 },
      { name: 'etc/.wh.motd', type: 'file', size: 0 },
    ])
    expect(() => image.scratch().remove('/')).toThrow(TypeError)
    expect(() => image.scratch().remove()).toThrow(TypeError)
    expect(() => image.scratch().remove('../x')).toThrow(TypeError)
  })

  it('makes no directory anew that any base has, unless it is named', async () => {
    const source = await base('base/sh')
    const app = source.backend.repository('team/app')
    const directory = await temporaryDirectory()
    await mkdir(join(directory, 'usr/bin'), { recursive: true })
    await mkdir(join(directory, 'usr/local/lib/app'), { recursive: true })
    await writeFile(join(directory, 'usr/bin/tool'), '')
    await symlink('tool', join(directory, 'usr/bin/alias'))
    const start = image.from(source, { platforms: [platform] })
    const { digest } = await start
      .add(directory)
      .add({ 'tmp/a': '', tmp: { directory: true, mode: 0o1777 }, 'app/b': '' })
      .push(app)
    const { layers } = await pull({ repository: app, reference: digest })
    expect((await entriesOf(layers[1])).map(({ name }) => name)).toEqual([
      'usr/bin/alias',
      'usr/bin/tool',
      'usr/local/lib/',
      'usr/local/lib/app/',
    ])
    expect((await entriesOf(layers[2])).map(({ name }) => name)).toEqual(['app/', 'app/b', 'tmp/', 'tmp/a'])
  })

  it('leaves alone a history that does not tell of each layer', async () => {
    const backend = registry()
    const layers = [{ blob: GZIP, tar: BASE_TAR }]
    await pushByHand(backend.repository('base'), { layers, tags: ['none'] })
    const { digest } = await image
      .from({ backend, repository: 'base', reference: 'none' })
      .add({ a: '' })
      .push(backend.repository('app'))
    expect((await pull({ repository: backend.repository('app'), reference: digest })).config.history).toBeUndefined()
  })

  it('leaves layers that may not be distributed where they are', async () => {
    const backend = registry()
    const foreign = {
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      digest: digestOf(GZIP),
      size: 5,
      urls: ['https://example.com/layer'],
    }
    const configBytes = Buffer.from(
      JSON.stringify({ ...AMD64, rootfs: { type: 'layers', diff_ids: [digestOf(BASE_TAR)] } }),
    )
    const base = backend.repository('base')
    const put = await base.blobs.put(configBytes)
    const mediaType = MEDIA_TYPES.dockerManifest
    const manifest = {
      schemaVersion: 2,
      mediaType,
      config: { ...put, mediaType: 'application/vnd.docker.container.image.v1+json' },
      layers: [foreign],
    }
    await base.manifests.put(Buffer.from(JSON.stringify(manifest)), { mediaType, tags: ['1'] })
    const lenient = new Registry({ backend: target().backend })
    const { digest } = await image.from({ backend, repository: 'base', reference: '1' }).push(lenient.repository('app'))
    expect((await pull({ repository: lenient.repository('app'), reference: digest })).layers[0]?.descriptor).toEqual({
      ...foreign,
      mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    })
  })
})
