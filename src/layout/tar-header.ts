// A tar as an archive of a layout needs it: its headers alone, by their place in a file, and whatever kinds of entries there are.
import { RegistryError } from '../errors.ts'
import { paddingOf, TYPE_FLAGS } from '../tar/entry.ts'
import { FIELDS, hasChecksum, readName, readNumber, readText } from '../tar/fields.ts'
import { packHeader } from '../tar/pack-header.ts'
import * as pax from '../tar/pax.ts'
import { malformed } from './errors.ts'

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
  /** Default: a file. */
  readonly type?: 'file' | 'symlink' | 'directory'
  readonly size?: number
  readonly linkPath?: string
}

/** Bytes of data with what fills the last block. */
export function paddedSize(size: number): number {
  return size + paddingOf(size)
}

/**
 * Reads a header of POSIX, GNU or old tar. Only what places and names the entry is looked at.
 *
 * @param at - where in the archive, for the message
 * @returns `undefined` for a block of zeros, which ends an archive
 * @throws {@link RegistryError} `MANIFEST_INVALID` when it is no header
 */
export function parseHeader(block: Uint8Array, at: number): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined
  if (!hasChecksum(block)) {
    throw malformed(
      at === 0 ? 'no tar archive: it does not begin with a header' : `a damaged tar: byte ${at} should begin a header`,
    )
  }
  const size = readNumber(block, FIELDS.size)
  if (size === undefined || size < 0) {
    throw malformed(`a damaged tar: the header at byte ${at} has no size that can be read`)
  }
  const type = String.fromCharCode(block[FIELDS.type.at] ?? 0)
  return {
    path: readName(block),
    type: type === '\0' || type === '7' ? TYPE_FLAGS.file : type,
    size,
    linkPath: readText(block, FIELDS.linkname),
  }
}

/** Everything that comes before the data of an entry. No date, no owner: the same images make the same archive. */
export function formatEntry({ path, type = 'file', size = 0, linkPath }: NewEntry): Buffer {
  const mode = type === 'directory' ? 0o755 : 0o644
  const header = { name: path, type, size, mode, uid: 0, gid: 0, mtime: 0 }
  return packHeader({ ...header, ...(linkPath !== undefined && { linkname: linkPath }) })
}

/** `path`, `size` and the like, from the data of a POSIX header. @throws {@link RegistryError} `MANIFEST_INVALID` */
export function parsePax(data: Uint8Array): ReadonlyMap<string, string> {
  try {
    return pax.parsePax(data)
  } catch (cause) {
    if (!RegistryError.is(cause)) throw cause
    throw malformed('a damaged tar: an extended header cannot be read', cause)
  }
}
