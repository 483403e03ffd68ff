import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { unpackTar } from 'modern-tar'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import type { TarHeader } from '../../src/tar/entry.ts'
import { packHeader } from '../../src/tar/pack-header.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'
import { archive, FILE, readArchive, run } from './support.ts'

const temporaryDirectory = temporaryDirectories()

const segment = fc.oneof(
  fc.string({ minLength: 1, maxLength: 120 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
)
const name = fc
  .array(segment, { minLength: 1, maxLength: 5 })
  .map((parts) => parts.join('/').replaceAll('\0', '0'))
  .filter((text) => text.replaceAll('/', '') !== '' && !text.endsWith('/'))
const header: fc.Arbitrary<TarHeader> = fc.record(
  {
    name,
    type: fc.constantFrom('file' as const, 'symlink' as const, 'hardlink' as const, 'fifo' as const),
    size: fc.constant(0),
    mode: fc.nat({ max: 0o7777 }),
    uid: fc.nat({ max: 2 ** 32 }),
    gid: fc.nat({ max: 2 ** 32 }),
    mtime: fc.integer({ min: -(2 ** 34), max: 2 ** 36 }),
    linkname: name,
    uname: name,
    gname: name,
    pax: fc
      .uniqueArray(
        fc.tuple(
          fc
            .string({ minLength: 1 })
            .filter((key) => /^SCHILY/.test(key) || !/[=\0]|^GNU|path$|^size$|[ug]id$|time$|name$/.test(key)),
          fc.string(),
        ),
        { minLength: 1, selector: ([key]) => key },
      )
      .map((records) => new Map(records)),
  },
  { requiredKeys: ['name', 'type', 'size', 'mode', 'uid', 'gid', 'mtime'] },
)

describe('packHeader', () => {
  it('is read back as it was, whatever it says', async () => {
    await fc.assert(
      fc.asyncProperty(header, async (given) => {
        expect(await readArchive(archive(given))).toEqual([{ ...given, content: '' }])
      }),
    )
  })

  it('needs one block, but for what ustar cannot say', () => {
    expect(packHeader(FILE).byteLength).toBe(512)
    expect(packHeader({ ...FILE, name: 'n'.repeat(100) }).byteLength).toBe(512)
    expect(packHeader({ ...FILE, name: `${'p'.repeat(155)}/${'n'.repeat(100)}` }).byteLength).toBe(512)
    expect(packHeader({ ...FILE, name: `${'p'.repeat(156)}/${'n'.repeat(99)}` }).byteLength).toBe(1536)
    expect(packHeader({ ...FILE, name: `${'p'.repeat(99)}/${'n'.repeat(101)}` }).byteLength).toBe(1536)
    expect(packHeader({ ...FILE, uid: 0o7777777 }).byteLength).toBe(512)
    expect(packHeader({ ...FILE, uid: 0o10000000 }).byteLength).toBe(1536)
    expect(packHeader({ ...FILE, size: 0o77777777777 }).byteLength).toBe(512)
    expect(packHeader({ ...FILE, size: 0o100000000000 }).byteLength).toBe(1536)
  })

  // Digests of layers that people have built rest on these bytes.
  it('never writes a header in another way than it did', () => {
    const dated = { ...FILE, mtime: 1_234_567_890 }
    expect([
      digestOf(packHeader(dated)),
      digestOf(
        packHeader({
          ...dated,
          name: 'bin/ü',
          mode: 0o4755,
          uid: 4_000_000,
          size: 2 ** 40,
          pax: new Map([
            ['SCHILY.xattr.user.z', 'z'],
            ['a', 'b'],
          ]),
        }),
      ),
      digestOf(packHeader({ ...dated, type: 'symlink', linkname: 'l'.repeat(101) })),
      digestOf(packHeader({ ...dated, type: 'block-device', major: 8, minor: 1 })),
    ]).toMatchInlineSnapshot(`
      [
        "sha256:07dc101ea1f9789dbf7c05bb75f9715cdebcbe43979ca5102eeacbf1471f0331",
        "sha256:75b7f36d2244bb6b3ee975c6031e2fca8fabbadcfce079595f2d723303958aef",
        "sha256:2dfe5de28e0cb663cfcfa8d93a01a8f697eb4e4d6a03af81486dffe1f52466a7",
        "sha256:8f4d4222d74e84b93fa0e6ffa6d52ed59573daefbbabdbd8b66d476e5e859b6f",
      ]
    `)
  })

  it('counts the digits of a record in its length', async () => {
    for (const length of [1, 80, 90, 91, 92, 93, 94, 95, 985, 986, 987, 988, 989, 990, 991, 992, 993, 9_985, 9_990]) {
      const pax = new Map([['comment', 'c'.repeat(length)]])
      expect(await readArchive(archive({ pax }))).toMatchObject([{ pax }])
    }
  })

  it('is read by modern-tar and by GNU tar', async () => {
    const long = `${'verzeichnis-ä/'.repeat(20)}file`
    const packed = archive(
      { name: 'dir/', type: 'directory', mode: 0o755 },
      { name: long, content: 'hello', mode: 0o755, mtime: 86_400 },
      { name: 'link', type: 'symlink', linkname: long },
      { name: 'other-name', type: 'hardlink', linkname: long },
    )
    const entries = await unpackTar(packed, { strict: true })
    expect(entries.map(({ header }) => header.name)).toEqual(['dir/', long, 'link', 'other-name'])
    const directory = await temporaryDirectory()
    const file = join(directory, 'a.tar')
    await writeFile(file, packed)
    const { stdout, stderr } = await run('tar', ['--utc', '--quoting-style=literal', '--numeric-owner', '-tvf', file], {
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    })
    expect({
      lines: stdout
        .trim()
        .split('\n')
        .map((line) => line.replaceAll(/ +/g, ' ')),
      stderr,
    }).toEqual({
      lines: [
        'drwxr-xr-x 0/0 0 1970-01-01 00:00 dir/',
        `-rwxr-xr-x 0/0 5 1970-01-02 00:00 ${long}`,
        `lrw-r--r-- 0/0 0 1970-01-01 00:00 link -> ${long}`,
        `hrw-r--r-- 0/0 0 1970-01-01 00:00 other-name link to ${long}`,
      ],
      stderr: '',
    })
  })

  it('refuses what cannot be written', () => {
    expect(() => packHeader({ ...FILE, type: 'block-device', major: 0o10000000 })).toThrow(/device number/)
    expect(() => packHeader({ ...FILE, pax: new Map([['a=b', 'c']]) })).toThrow(/pax record/)
  })
})
