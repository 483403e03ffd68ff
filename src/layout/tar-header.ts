import { malformed } from './errors.ts'

/** Headers and data of a tar come in blocks of so many bytes. */
export const BLOCK_BYTES = 512
/** Beyond this, eleven octal digits do not do. */
const MAX_OCTAL_SIZE = 0o77777777777
const MAX_NAME_BYTES = 100

/** One header block, with what older formats cannot say left out. */
export interface TarHeader {
  readonly path: string
  /** `0` for a file, `1` and `2` for hard and symbolic links, `5` for a directory, `x`, `g`, `L`, `K` for what tells of the next entry. */
  readonly type: string
  /** Bytes of data that follow. */
  readonly size: number
  readonly linkPath: string
}

export interface NewEntry {
  readonly path: string
  readonly type?: '0' | '2' | '5'
  readonly size?: number
  readonly linkPath?: string
}

/** Bytes of data with what fills the last block. */
export function paddedSize(size: number): number {
  return Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES
}

/**
 * Reads a header of POSIX, GNU or old tar.
 *
 * @param at - where in the archive, for the message
 * @returns `undefined` for a block of zeros, which ends an archive
 * @throws {@link RegistryError} `MANIFEST_INVALID` when it is no header
 */
export function parseHeader(block: Buffer, at: number): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined
  const stated = readNumber(block, 148, 8)
  if (stated === undefined || !sums(block).includes(stated)) {
    throw malformed(
      at === 0 ? 'no tar archive: it does not begin with a header' : `a damaged tar: byte ${at} should begin a header`,
    )
  }
  const size = readNumber(block, 124, 12)
  if (size === undefined) throw malformed(`a damaged tar: the header at byte ${at} has no size that can be read`)
  const type = String.fromCharCode(block[156] ?? 0)
  const name = readText(block, 0, MAX_NAME_BYTES)
  // GNU's own format has other things where POSIX has the beginning of a long name.
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = isPosix ? readText(block, 345, 155) : ''
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    type: type === '\0' || type === '7' ? '0' : type,
    size,
    linkPath: readText(block, 157, MAX_NAME_BYTES),
  }
}

/** Everything that comes before the data of an entry: its header, and before it one of POSIX's for what does not fit in. */
export function formatEntry({ path, type = '0', size = 0, linkPath = '' }: NewEntry): Buffer {
  const records = [
    ...(Buffer.byteLength(path) > MAX_NAME_BYTES ? [paxRecord('path', path)] : []),
    ...(Buffer.byteLength(linkPath) > MAX_NAME_BYTES ? [paxRecord('linkpath', linkPath)] : []),
    ...(size > MAX_OCTAL_SIZE ? [paxRecord('size', String(size))] : []),
  ]
  // Cut to what fits: whoever knows POSIX's headers does not look at it.
  const header = formatHeader({ path, type, size: size > MAX_OCTAL_SIZE ? 0 : size, linkPath })
  if (records.length === 0) return header
  const data = Buffer.concat(records)
  const extended = formatHeader({ path: 'PaxHeader', type: 'x', size: data.byteLength, linkPath: '' })
  return Buffer.concat([extended, data, Buffer.alloc(paddedSize(data.byteLength) - data.byteLength), header])
}

/** `path`, `size` and the like, from the data of a POSIX header. @throws {@link RegistryError} `MANIFEST_INVALID` */
export function parsePax(data: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < data.byteLength && data[at] !== 0; ) {
    const space = data.indexOf(' ', at)
    const length = /^\d{1,9}$/.test(data.toString('latin1', at, space)) ? Number(data.toString('latin1', at, space)) : 0
    const equals = data.indexOf('=', space)
    const end = at + length
    if (space < 0 || equals < 0 || equals >= end || end > data.byteLength || data[end - 1] !== 0x0a) {
      throw malformed('a damaged tar: an extended header cannot be read')
    }
    records.set(data.toString('utf8', space + 1, equals), data.toString('utf8', equals + 1, end - 1))
    at = end
  }
  return records
}

function formatHeader({ path, type, size, linkPath }: TarHeader): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  block.write(path, 0, MAX_NAME_BYTES)
  block.write(type === '5' ? '0000755\0' : '0000644\0', 100, 'latin1')
  block.write('0000000\0', 108, 'latin1')
  block.write('0000000\0', 116, 'latin1')
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
  // No date: the same images make the same archive.
  block.write('00000000000\0', 136, 'latin1')
  block.write(type, 156, 'latin1')
  block.write(linkPath, 157, MAX_NAME_BYTES)
  block.write('ustar\x0000', 257, 'latin1')
  block.write(`${sums(block)[0].toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** A record begins with its own length, whose digits count. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest
  while (length !== rest + String(length).length) length = rest + String(length).length
  return Buffer.from(`${length} ${key}=${value}\n`)
}

/** The checksum, its own field taken as spaces; some old programs counted signed bytes. */
function sums(block: Buffer): readonly [unsigned: number, signed: number] {
  let unsigned = 0
  let signed = 0
  for (const [index, byte] of block.entries()) {
    const counted = index >= 148 && index < 156 ? 0x20 : byte
    unsigned += counted
    signed += counted > 127 ? counted - 256 : counted
  }
  return [unsigned, signed]
}

/** Octal digits, or GNU's binary for what is larger; `undefined` for neither, and for what no number holds. */
function readNumber(block: Buffer, start: number, length: number): number | undefined {
  const first = block[start] ?? 0
  if (first === 0x80) {
    const value = block.subarray(start + 1, start + length).reduce((sum, byte) => sum * 256 + byte, 0)
    return Number.isSafeInteger(value) ? value : undefined
  }
  const digits = block
    .toString('latin1', start, start + length)
    .replace(/\0.*$/s, '')
    .trim()
  return /^[0-7]*$/.test(digits) && first < 0x80 ? Number.parseInt(digits || '0', 8) : undefined
}

function readText(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start)
  return block.toString('utf8', start, end < 0 || end > start + length ? start + length : end)
}
