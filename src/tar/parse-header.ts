import { type TarEntryType, type TarHeader, TYPE_FLAGS } from './entry.ts'
import { malformed, unsupported } from './errors.ts'
import { FIELDS, hasChecksum, readMagic, readName, readNumber, readText } from './fields.ts'
import { parsePaxNumber, parsePaxTime } from './pax.ts'

/** Headers that say something of the next entry (`g`: of all that follow). */
export type MetaType = 'pax' | 'global-pax' | 'long-name' | 'long-linkname'

/** One block as it stands, before what stood ahead of it is applied. */
export interface RawHeader extends Omit<TarHeader, 'type'> {
  readonly type: TarEntryType | MetaType
}

const TYPES: ReadonlyMap<string, RawHeader['type']> = new Map<string, RawHeader['type']>([
  ...Object.entries(TYPE_FLAGS).map(([type, flag]) => [flag, type as TarEntryType] as const), // by its own keys
  ['\u0000', 'file'], // before POSIX
  ['7', 'file'], // "contiguous", which nobody does
  ['x', 'pax'],
  ['g', 'global-pax'],
  ['L', 'long-name'],
  ['K', 'long-linkname'],
])

/** @throws {@link RegistryError} `MANIFEST_INVALID`, and `UNSUPPORTED` for sparse files and other types of GNU's own */
export function parseHeader(block: Uint8Array): RawHeader {
  if (!hasChecksum(block)) throw malformed('the checksum of a header is wrong')
  const flag = String.fromCharCode(block[FIELDS.type.at] ?? 0)
  const type = TYPES.get(flag)
  if (type === undefined) throw unsupported(`entries of the type ${JSON.stringify(flag)} are not read`)
  const magic = readMagic(block)
  const linkname = readText(block, FIELDS.linkname)
  const uname = magic.startsWith('ustar') ? readText(block, FIELDS.uname) : ''
  const gname = magic.startsWith('ustar') ? readText(block, FIELDS.gname) : ''
  return {
    name: readName(block),
    type,
    size: amount(block, 'size'),
    mode: amount(block, 'mode') & 0o7777,
    uid: amount(block, 'uid'),
    gid: amount(block, 'gid'),
    mtime: number(block, 'mtime'),
    ...(linkname !== '' && { linkname }),
    ...(uname !== '' && { uname }),
    ...(gname !== '' && { gname }),
    ...(type.endsWith('-device') && { major: amount(block, 'major'), minor: amount(block, 'minor') }),
  }
}

/** Applies what stood ahead of an entry, the later one of two counting. An empty value takes back what another record said. */
export function applyRecords(raw: RawHeader, type: TarEntryType, records: ReadonlyMap<string, string>): TarHeader {
  const pax = new Map(records)
  const take = (key: string): string | undefined => {
    const value = pax.get(key)
    pax.delete(key)
    return value === '' ? undefined : value
  }
  const name = take('path') ?? raw.name
  const linkname = take('linkpath') ?? raw.linkname
  const uname = take('uname') ?? raw.uname
  const gname = take('gname') ?? raw.gname
  const size = readRecord('size', take('size'), parsePaxNumber) ?? raw.size
  const isDirectory = type === 'directory' || (type === 'file' && name.endsWith('/')) // before POSIX
  const header: TarHeader = {
    name,
    type: isDirectory ? 'directory' : type,
    size: isDirectory || type !== 'file' ? 0 : size,
    mode: raw.mode,
    uid: readRecord('uid', take('uid'), parsePaxNumber) ?? raw.uid,
    gid: readRecord('gid', take('gid'), parsePaxNumber) ?? raw.gid,
    mtime: readRecord('mtime', take('mtime'), parsePaxTime) ?? raw.mtime,
    ...(linkname !== undefined && { linkname }),
    ...(uname !== undefined && { uname }),
    ...(gname !== undefined && { gname }),
    ...(raw.major !== undefined && { major: raw.major }),
    ...(raw.minor !== undefined && { minor: raw.minor }),
    ...(pax.size > 0 && { pax }),
  }
  if (name === '' || name.includes('\u0000') || linkname?.includes('\u0000')) throw malformed('an entry has no name')
  return header
}

function readRecord<T>(key: string, value: string | undefined, parse: (value: string) => T | undefined): T | undefined {
  if (value === undefined) return undefined
  const parsed = parse(value)
  if (parsed === undefined) throw malformed(`the pax record "${key}" is no number`)
  return parsed
}

type NumberField = 'mode' | 'uid' | 'gid' | 'size' | 'mtime' | 'major' | 'minor'

function amount(block: Uint8Array, name: NumberField): number {
  const value = number(block, name)
  if (value < 0) throw malformed(`the field "${name}" of a header is negative`)
  return value
}

function number(block: Uint8Array, name: NumberField): number {
  const value = readNumber(block, FIELDS[name])
  if (value === undefined) throw malformed(`the field "${name}" of a header is no number`)
  return value
}
