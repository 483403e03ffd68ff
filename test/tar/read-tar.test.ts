import { readFile, rename, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packTar } from 'modern-tar'
import { describe, expect, it } from 'vitest'
import { readTar } from '../../src/tar/read-tar.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'
import { archive, FILE, inPieces, patched, readArchive, run } from './support.ts'

const temporaryDirectory = temporaryDirectories()
const SIMPLE = archive({ content: 'hello' }, { name: 'other', content: 'x'.repeat(600) })

/** A header as other writers make them, with whatever type. */
function rawEntry(type: string, content: string | Uint8Array, name = '././@LongLink'): Buffer {
  const bytes = Buffer.from(content as Uint8Array) // Buffer.from takes both
  const header = patched(archive({ name, size: bytes.byteLength }), 156, type).subarray(0, 512)
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.byteLength % 512)) % 512)])
}

const pax = (records: Readonly<Record<string, string>>) =>
  rawEntry('x', Buffer.concat(Object.entries(records).map(([key, value]) => record(key, value))))

function record(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`)
  const digits = String(rest.byteLength + 2).length
  return Buffer.concat([Buffer.from(String(rest.byteLength + digits)), rest])
}

describe('readTar', () => {
  it.each([1, 7, 511, 512, 513, 4096])('reads entries and contents in pieces of %i bytes', async (pieceBytes) => {
    expect(await readArchive(SIMPLE, pieceBytes)).toEqual([
      { ...FILE, size: 5, content: 'hello' },
      { ...FILE, name: 'other', size: 600, content: 'x'.repeat(600) },
    ])
  })

  it('reads over what nobody read, and to the end of the source', async () => {
    const names = []
    const source = inPieces(Buffer.concat([SIMPLE, Buffer.alloc(9_728)]), 1_000)
    for await (const { header } of readTar(source)) names.push(header.name)
    expect(names).toEqual(['file', 'other'])
    expect(await source.next()).toEqual({ done: true, value: undefined })
  })

  it('refuses to give a content once the next entry was asked for', async () => {
    const entries = readTar(SIMPLE)
    const first = await entries.next()
    if (first.done) throw new Error('no entry')
    await entries.next()
    await expect(first.value.bytes()).rejects.toThrow(TypeError)
  })

  it('lets go of its source when the reader stops early', async () => {
    let closed = false
    async function* source() {
      try {
        yield SIMPLE
        yield SIMPLE
      } finally {
        closed = true
      }
    }
    for await (const _ of readTar(source())) break
    expect(closed).toBe(true)
  })

  it('gives no more of a content at once than was asked for', async () => {
    for await (const entry of readTar(SIMPLE)) {
      if (entry.header.name === 'file') expect(Buffer.from(await entry.bytes(5)).toString()).toBe('hello')
      else await expect(entry.bytes(599)).rejects.toMatchObject({ code: 'SIZE_INVALID' })
    }
  })

  it('takes an archive without an end, with half an end, and an empty one', async () => {
    expect(await readArchive(SIMPLE.subarray(0, -1024))).toHaveLength(2)
    expect(await readArchive(SIMPLE.subarray(0, -512))).toHaveLength(2)
    expect(await readArchive(Buffer.alloc(0))).toEqual([])
    expect(await readArchive(Buffer.alloc(1024))).toEqual([])
  })

  it('joins the prefix of ustar, and leaves it alone where it is none', async () => {
    const long = `${'d'.repeat(90)}/${'f'.repeat(90)}`
    const packed = archive({ name: long })
    expect(await readArchive(packed)).toMatchObject([{ name: long }])
    const gnu = patched(packed, 257, 'ustar  \0')
    expect(await readArchive(gnu)).toMatchObject([{ name: 'f'.repeat(90) }])
  })

  it('reads a directory of the days before POSIX', async () => {
    const old = patched(archive({ name: 'dir/' }), 257, '\0\0\0\0\0\0\0\0')
    expect(await readArchive(patched(old, 156, '\0'))).toMatchObject([{ name: 'dir/', type: 'directory', size: 0 }])
  })

  it.each([
    ['a size', [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5], 124, { size: 5, content: 'hello' }],
    [
      'a date before 1970',
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe],
      136,
      { mtime: -2 },
    ],
    ['a user', [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], 108, { uid: 0xffffffff }],
  ])('reads %s in base 256', async (_, bytes, at, expected) => {
    expect(await readArchive(patched(archive({ content: 'hello' }), at, Uint8Array.from(bytes)))).toMatchObject([
      expected,
    ])
  })

  it('takes the checksum of machines on which a byte has a sign', async () => {
    const name = patched(archive({}), 0, Uint8Array.of(0xc3, 0xa4), true)
    const sum = name
      .subarray(0, 512)
      .reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte > 127 ? byte - 256 : byte), 0)
    const signed = patched(name, 148, `${sum.toString(8).padStart(6, '0')}\0 `, true)
    expect(await readArchive(signed)).toMatchObject([{ name: 'äle' }])
  })

  describe('with extensions', () => {
    it('applies pax records to the next entry alone', async () => {
      const records = {
        path: 'ü/'.repeat(90),
        size: '5',
        uid: '3000000',
        mtime: '-1.5',
        'SCHILY.xattr.user.a': 'b\n=c',
        comment: '',
      }
      const { path, ...rest } = records
      const content = Buffer.concat([
        pax({ ...rest, path: `${path}file` }),
        archive({ size: 0, content: '' }).subarray(0, 512),
        Buffer.from('hello'),
        Buffer.alloc(507),
        SIMPLE,
      ])
      expect(await readArchive(content)).toEqual([
        {
          ...FILE,
          name: `${path}file`,
          size: 5,
          uid: 3_000_000,
          mtime: -1.5,
          content: 'hello',
          pax: new Map([
            ['SCHILY.xattr.user.a', 'b\n=c'],
            ['comment', ''],
          ]),
        },
        expect.objectContaining({ name: 'file', uid: 0 }),
        expect.objectContaining({ name: 'other' }),
      ])
    })

    it('applies global records to all that follow, unless their own say otherwise', async () => {
      const global = rawEntry('g', Buffer.concat([record('uid', '7'), record('comment', 'all')]))
      const entries = await readArchive(Buffer.concat([global, pax({ uid: '8' }), SIMPLE]))
      expect(entries).toMatchObject([{ uid: 8 }, { uid: 7 }])
      expect(entries[1]?.pax).toEqual(new Map([['comment', 'all']]))
      expect(await readArchive(Buffer.concat([global, pax({ uid: '' }), SIMPLE]))).toMatchObject([
        { uid: 0 },
        { uid: 7 },
      ])
    })

    it("reads GNU's long names, which pax records override", async () => {
      const names = [rawEntry('L', `${'l'.repeat(300)}\0`), rawEntry('K', `${'k'.repeat(300)}\0`)]
      const link = archive({ type: 'symlink', name: 'short', linkname: 'short' })
      const long = { name: 'l'.repeat(300), linkname: 'k'.repeat(300) }
      expect(await readArchive(Buffer.concat([...names, link]))).toMatchObject([long])
      expect(await readArchive(Buffer.concat([pax({ path: 'p' }), ...names, link]))).toMatchObject([
        { ...long, name: 'p' },
      ])
      expect(await readArchive(Buffer.concat([...names, pax({ path: 'p' }), link]))).toMatchObject([
        { ...long, name: 'p' },
      ])
    })

    it.each([
      ['without a length', 'path=x\n'],
      ['with a length that is none', '0x9 path=x\n'],
      ['with a negative length', '-9 path=x\n'],
      ['that is longer than its header', '99 path=x\n'],
      ['that is shorter than it says', '8 path=x\n'],
      ['without an end', '9 path=xy'],
      ['without a value', '9 pathxx\n'],
      ['without a name', '5 =x\n'],
    ])('refuses a record %s', async (_, content) => {
      await expect(readArchive(Buffer.concat([rawEntry('x', content), SIMPLE]))).rejects.toMatchObject({
        code: 'MANIFEST_INVALID',
      })
    })

    it.each([
      { size: '-1' },
      { size: '1e3' },
      { size: '99999999999999999' },
      { uid: 'root' },
      { mtime: 'now' },
      { path: 'a\0b' },
    ])('refuses %j', async (records) => {
      await expect(readArchive(Buffer.concat([pax(records), SIMPLE]))).rejects.toMatchObject({
        code: 'MANIFEST_INVALID',
      })
    })

    it('holds no more of them than a MiB', async () => {
      const large = rawEntry('x', record('comment', 'c'.repeat(1024 * 1024)))
      await expect(readArchive(Buffer.concat([large, SIMPLE]))).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
      const many = Array.from({ length: 5 }, (_, i) => rawEntry('x', record(`comment${i}`, 'c'.repeat(300_000))))
      await expect(readArchive(Buffer.concat([...many, SIMPLE]))).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
    })

    it('says that it does not read sparse files', async () => {
      for (const sparse of [pax({ 'GNU.sparse.major': '1' }), rawEntry('S', 'abc')]) {
        await expect(readArchive(Buffer.concat([sparse, SIMPLE]))).rejects.toMatchObject({ code: 'UNSUPPORTED' })
      }
    })
  })

  it.each([
    ['a wrong checksum', patched(SIMPLE, 0, 'g', true)],
    ['no checksum', patched(SIMPLE, 148, '\0\0\0\0\0\0\0\0', true)],
    ['a size that is no number', patched(SIMPLE, 124, '0000000000z\0')],
    ['a size with a sign', patched(SIMPLE, 124, '-0000000005\0')],
    ['a negative size in base 256', patched(SIMPLE, 124, new Uint8Array(12).fill(0xff))],
    [
      'a size beyond what a number holds',
      patched(SIMPLE, 124, Uint8Array.of(0x80, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0)),
    ],
    ['a size beyond its end', patched(SIMPLE, 124, '00000017777\0')],
    ['no name', patched(SIMPLE, 0, '\0\0\0\0')],
    ['half a header', SIMPLE.subarray(0, 300)],
    ['half a content', SIMPLE.subarray(0, 515)],
    ['a content without its padding', SIMPLE.subarray(0, 600)],
    ['half of its second content', SIMPLE.subarray(0, -1600)],
    ['one block of zeros between entries', Buffer.concat([SIMPLE.subarray(0, 1024), Buffer.alloc(512), SIMPLE])],
    ['text', Buffer.from('hello '.repeat(200))],
  ])('refuses an archive with %s', async (_, content) => {
    await expect(readArchive(content)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
  })

  it('refuses a type that it does not know', async () => {
    await expect(readArchive(patched(SIMPLE, 156, 'Z'))).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  it('reads what modern-tar writes', async () => {
    const mtime = new Date(1_700_000_000_000)
    const name = `${'ж'.repeat(130)}/file`
    const packed = await packTar([
      { header: { name: 'dir/', type: 'directory', size: 0, mtime } },
      { header: { name, size: 5, mtime, uid: 5_000_000, pax: { comment: 'c' } }, body: 'hello' },
    ])
    const entries = await readArchive(packed)
    expect(entries).toMatchObject([
      { name: 'dir/', type: 'directory', mode: 0o755, mtime: 1_700_000_000 },
      { name, type: 'file', uid: 5_000_000, content: 'hello' },
    ])
    expect(entries[1]?.pax).toEqual(new Map([['comment', 'c']]))
  })

  it.each(['v7', 'ustar', 'oldgnu', 'gnu', 'pax'])('reads what GNU tar writes as %s', async (format) => {
    const directory = await temporaryDirectory()
    const long = format === 'v7' ? 'short' : `${'n'.repeat(120)}-file`
    await writeFile(join(directory, 'a'), 'hello')
    await rename(join(directory, 'a'), join(directory, 'ä'))
    await symlink('ä', join(directory, 'link'))
    await writeFile(join(directory, long.slice(0, format === 'ustar' ? 90 : 200)), 'x')
    await truncate(join(directory, 'ä'), 700)
    await utimes(join(directory, 'ä'), 1_500_000_000, 1_500_000_000)
    const file = join(await temporaryDirectory(), 'a.tar')
    await run('tar', ['--format', format, '--sort=name', '--owner=0', '--group=0', '-cf', file, '-C', directory, '.'])
    const entries = await readArchive(await readFile(file), 1_000)
    const found = new Map(entries.map((entry) => [entry.name, entry]))
    expect([...found.keys()].sort()).toEqual([
      './',
      './link',
      `./${long.slice(0, format === 'ustar' ? 90 : 200)}`,
      './ä',
    ])
    expect(found.get('./link')).toMatchObject({ type: 'symlink', linkname: 'ä' })
    expect(found.get('./ä')).toMatchObject({ type: 'file', mtime: 1_500_000_000, content: `hello${'\0'.repeat(695)}` })
  })
})
