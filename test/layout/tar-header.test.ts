import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatEntry, parseHeader, parsePax } from '../../src/layout/tar-header.ts'

const segment = fc.stringMatching(/^[\p{L}\p{N}._-]{1,40}$/u).filter((text) => text !== '.' && text !== '..')
const path = fc.array(segment, { minLength: 1, maxLength: 8 }).map((parts) => parts.join('/'))

describe('formatEntry', () => {
  it('writes what parseHeader and parsePax read, however long and large', () => {
    fc.assert(
      fc.property(path, path, fc.nat({ max: Number.MAX_SAFE_INTEGER }), (name, linkPath, size) => {
        expect(readBack(formatEntry({ path: name, size }))).toEqual({ path: name, size, linkPath: '', type: '0' })
        const link = formatEntry({ path: name, type: 'symlink', linkPath })
        expect(readBack(link)).toEqual({ path: name, size: 0, linkPath, type: '2' })
      }),
    )
  })

  it('needs one block for a blob of up to 8 GiB, and three beyond or for sha512', () => {
    const sha256 = `blobs/sha256/${'0'.repeat(64)}`
    expect(formatEntry({ path: sha256, size: 8 * 1024 ** 3 - 1 }).byteLength).toBe(512)
    expect(formatEntry({ path: sha256, size: 8 * 1024 ** 3 }).byteLength).toBe(512 * 3)
    expect(formatEntry({ path: `blobs/sha512/${'0'.repeat(128)}`, size: 1 }).byteLength).toBe(512 * 3)
  })
})

describe('parseHeader', () => {
  it('takes no block with another byte in it', () => {
    const header = formatEntry({ path: 'a', size: 1 })
    fc.assert(
      fc.property(fc.nat({ max: 511 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Buffer.from(header)
        // Within the checksum, white space may become other white space.
        if (at >= 148 && at < 156) return
        changed[at] = (changed[at] ?? 0) ^ change
        expect(() => parseHeader(changed, 512)).toThrow('byte 512 should begin a header')
      }),
    )
  })

  it('reads sizes in binary, as GNU tar writes what is beyond 8 GiB', () => {
    const header = formatEntry({ path: 'a', size: 0 })
    header.fill(0, 124, 136)
    header[124] = 0x80
    header.writeUIntBE(2 ** 40 + 7, 130, 6)
    expect(parseHeader(summed(header), 0)?.size).toBe(2 ** 40 + 7)
    header.fill(0xff, 125, 136)
    expect(() => parseHeader(summed(header), 0)).toThrow('no size that can be read')
    header[124] = 0xff
    expect(() => parseHeader(summed(header), 0)).toThrow('no size that can be read')
  })

  it('puts the two halves of a POSIX name together, and leaves GNU alone', () => {
    const header = formatEntry({ path: 'name' })
    header.write('folder/of/it', 345)
    expect(parseHeader(summed(header), 0)?.path).toBe('folder/of/it/name')
    header.write('ustar  \0', 257, 'latin1')
    expect(parseHeader(summed(header), 0)?.path).toBe('name')
  })
})

describe('parsePax', () => {
  it.each([
    ['no length', 'path=a\n'],
    ['a length beyond the end', '99 path=a\n'],
    ['a length of nothing', '0 path=a\n'],
    ['no equals sign', '8 path-\n'],
    ['no end of line', '10 path=ab'],
  ])('refuses %s', (_, text) => {
    expect(() => parsePax(Buffer.from(text))).toThrow('an extended header cannot be read')
  })
})

function readBack(entry: Buffer): unknown {
  const first = parseHeader(entry.subarray(0, 512), 0)
  if (first?.type !== 'x') return first
  const records = parsePax(entry.subarray(512, 512 + first.size))
  const header = parseHeader(entry.subarray(entry.byteLength - 512), 0)
  return {
    ...header,
    path: records.get('path') ?? header?.path,
    linkPath: records.get('linkpath') ?? header?.linkPath,
    size: Number(records.get('size') ?? header?.size),
  }
}

/** With its checksum put right. */
function summed(header: Buffer): Buffer {
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}
