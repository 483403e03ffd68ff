import { BLOCK_BYTES, paddingOf, type TarHeader, TYPE_FLAGS } from './entry.ts'
import { unsupported } from './errors.ts'
import { checksumsOf, FIELDS, type Field, maxOctal, writeAscii, writeOctal } from './fields.ts'
import { formatPax } from './pax.ts'

/** What ends an archive: two blocks of zeros. */
export const END_OF_ARCHIVE: Uint8Array = new Uint8Array(2 * BLOCK_BYTES)

/**
 * The blocks before an entry's content: ustar, and before it a pax header for what ustar cannot say. The same header is always
 * the same bytes: digests of layers rest on it, so nothing here may ever change what is written of an entry.
 *
 * @throws `UNSUPPORTED` for a device number that does not fit
 */
export function packHeader(header: TarHeader): Buffer {
  const records = new Map(header.pax)
  const block = Buffer.alloc(BLOCK_BYTES)
  writeName(block, header.name, records)
  if (header.linkname !== undefined) writeText(block, FIELDS.linkname, 'linkpath', header.linkname, records)
  writeNumber(block, FIELDS.size, 'size', header.size, records)
  writeNumber(block, FIELDS.uid, 'uid', header.uid, records)
  writeNumber(block, FIELDS.gid, 'gid', header.gid, records)
  writeNumber(block, FIELDS.mtime, 'mtime', header.mtime, records)
  if (header.uname !== undefined) writeText(block, FIELDS.uname, 'uname', header.uname, records)
  if (header.gname !== undefined) writeText(block, FIELDS.gname, 'gname', header.gname, records)
  writeOctal(block, FIELDS.mode, header.mode & 0o7777)
  for (const name of ['major', 'minor'] as const) {
    const number = header[name] ?? 0
    if (number > maxOctal(FIELDS[name])) throw unsupported(`the device number ${number} does not fit`)
    writeOctal(block, FIELDS[name], number)
  }
  finishHeader(block, TYPE_FLAGS[header.type])
  return records.size === 0 ? block : Buffer.concat([packRecords(records, header.name), block])
}

/** A header of its own, with the records as content, that belongs to the entry after it. */
function packRecords(records: ReadonlyMap<string, string>, name: string): Uint8Array {
  const content = formatPax(records)
  const block = Buffer.alloc(BLOCK_BYTES)
  const base = name.split('/').findLast((part) => part !== '') ?? ''
  writeAscii(block, FIELDS.name.at, plainOf(`PaxHeaders/${base}`, FIELDS.name.length))
  writeOctal(block, FIELDS.mode, 0o644)
  writeOctal(block, FIELDS.size, content.byteLength)
  for (const field of [FIELDS.uid, FIELDS.gid, FIELDS.mtime, FIELDS.major, FIELDS.minor]) writeOctal(block, field, 0)
  finishHeader(block, 'x')
  return Buffer.concat([block, content, Buffer.alloc(paddingOf(content.byteLength))])
}

function writeName(block: Buffer, name: string, records: Map<string, string>): void {
  const split = isPlain(name) ? splitName(name) : undefined
  if (split === undefined) writeText(block, FIELDS.name, 'path', name, records)
  else {
    writeAscii(block, FIELDS.name.at, split.name)
    writeAscii(block, FIELDS.prefix.at, split.prefix)
  }
}

/** Of a name that is too long for its field, what ustar keeps in `prefix`: up to a slash that it leaves out. */
function splitName(name: string): { readonly prefix: string; readonly name: string } | undefined {
  if (name.length <= FIELDS.name.length) return { prefix: '', name }
  if (name.length > FIELDS.prefix.length + 1 + FIELDS.name.length) return undefined
  // A slash at the end belongs to the name of a directory.
  const slash = name.indexOf('/', name.length - FIELDS.name.length - 1)
  if (slash <= 0 || slash > FIELDS.prefix.length || slash === name.length - 1) return undefined
  return { prefix: name.slice(0, slash), name: name.slice(slash + 1) }
}

/** In its field where it is plain and fits, else in a record, and in the field what readers without pax can make of it. */
function writeText(block: Buffer, field: Field, key: string, value: string, records: Map<string, string>): void {
  if (!isPlain(value) || value.length > field.length) records.set(key, value)
  writeAscii(block, field.at, plainOf(value, field.length))
}

function writeNumber(block: Buffer, field: Field, key: string, value: number, records: Map<string, string>): void {
  const fits = Number.isInteger(value) && value >= 0 && value <= maxOctal(field)
  if (!fits) records.set(key, String(value))
  writeOctal(block, field, Math.min(Math.max(0, Math.floor(value)), maxOctal(field)))
}

/** Writes what every header has, the checksum over the rest of it at last. */
export function finishHeader(block: Buffer, type: string): void {
  writeAscii(block, FIELDS.type.at, type)
  writeAscii(block, FIELDS.magic.at, 'ustar\u000000')
  // Six digits, a zero byte and a blank, unlike other numbers.
  writeAscii(block, FIELDS.checksum.at, `${checksumsOf(block).unsigned.toString(8).padStart(6, '0')}\u0000 `)
}

/** Printable ASCII. */
function isPlain(value: string): boolean {
  return !/[^\u0020-\u007e]/.test(value)
}

function plainOf(value: string, maxLength: number): string {
  return value.slice(0, maxLength).replace(/[^\u0020-\u007e]/g, '_')
}
