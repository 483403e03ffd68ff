// Where the fields of a header block lie, and how numbers and names are written in them.

export interface Field {
  readonly at: number
  /** Bytes. */
  readonly length: number
}

export type FieldName =
  | 'name'
  | 'mode'
  | 'uid'
  | 'gid'
  | 'size'
  | 'mtime'
  | 'checksum'
  | 'type'
  | 'linkname'
  | 'magic'
  | 'uname'
  | 'gname'
  | 'major'
  | 'minor'
  | 'prefix'

/** POSIX ustar. GNU's own format uses the space of `prefix` for other things. */
export const FIELDS: Readonly<Record<FieldName, Field>> = {
  name: { at: 0, length: 100 },
  mode: { at: 100, length: 8 },
  uid: { at: 108, length: 8 },
  gid: { at: 116, length: 8 },
  size: { at: 124, length: 12 },
  mtime: { at: 136, length: 12 },
  checksum: { at: 148, length: 8 },
  type: { at: 156, length: 1 },
  linkname: { at: 157, length: 100 },
  magic: { at: 257, length: 8 },
  uname: { at: 265, length: 32 },
  gname: { at: 297, length: 32 },
  major: { at: 329, length: 8 },
  minor: { at: 337, length: 8 },
  prefix: { at: 345, length: 155 },
}

/**
 * A number in octal digits with blanks and zero bytes around them, or, where its first bit is set, in GNU's base 256, which can be
 * negative. `undefined` for anything else, and for what a JavaScript number cannot hold exactly.
 */
export function readNumber(block: Uint8Array, { at, length }: Field): number | undefined {
  const field = block.subarray(at, at + length)
  return ((field[0] ?? 0) & 0x80) !== 0 ? readBase256(field) : readOctal(field)
}

export function readText(block: Uint8Array, { at, length }: Field): string {
  return upToZero(block.subarray(at, at + length))
}

/** Up to the first zero byte. What is not UTF-8 in it becomes U+FFFD. */
export function upToZero(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return text(end === -1 ? bytes : bytes.subarray(0, end))
}

/** An entry's name: of POSIX, with the beginning of a long one. GNU's own format has other things in that place. */
export function readName(block: Uint8Array): string {
  const prefix = readMagic(block).startsWith('ustar\u0000') ? readText(block, FIELDS.prefix) : ''
  const name = readText(block, FIELDS.name)
  return prefix === '' ? name : `${prefix}/${name}`
}

/** What says whose format it is: `ustar` and a zero byte for POSIX's, `ustar` and a blank for GNU's. */
export function readMagic(block: Uint8Array): string {
  const { at, length } = FIELDS.magic
  return Buffer.from(block.subarray(at, at + length)).toString('latin1')
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

/** Largest number that octal digits of a field can tell, one byte being kept for the zero at its end. */
export function maxOctal({ length }: Field): number {
  return 8 ** (length - 1) - 1
}

/** `value` has to fit: see {@link maxOctal}. */
export function writeOctal(block: Uint8Array, { at, length }: Field, value: number): void {
  writeAscii(block, at, value.toString(8).padStart(length - 1, '0'))
}

export function writeAscii(block: Uint8Array, at: number, value: string): void {
  for (let i = 0; i < value.length; i++) block[at + i] = value.charCodeAt(i)
}

/** The sum of all bytes, the checksum's own taken for blanks: as POSIX has it, and as archives of signed `char` machines have it. */
export function checksumsOf(block: Uint8Array): { readonly unsigned: number; readonly signed: number } {
  const { at, length } = FIELDS.checksum
  let unsigned = length * BLANK
  let signed = unsigned
  for (let i = 0; i < block.byteLength; i++) {
    if (i >= at && i < at + length) continue
    const byte = block[i] ?? 0
    unsigned += byte
    signed += byte < 0x80 ? byte : byte - 0x100
  }
  return { unsigned, signed }
}

/** Whether the checksum in the block is its own. */
export function hasChecksum(block: Uint8Array): boolean {
  const stored = readNumber(block, FIELDS.checksum)
  const { unsigned, signed } = checksumsOf(block)
  return stored === unsigned || stored === signed
}

function readOctal(field: Uint8Array): number | undefined {
  let start = 0
  let end = field.byteLength
  while (start < end && isFiller(field[start])) start++
  while (end > start && isFiller(field[end - 1])) end--
  let value = 0 // a field of nothing but filling is 0
  for (let i = start; i < end; i++) {
    const digit = (field[i] ?? 0) - 0x30
    if (!(digit >= 0 && digit <= 7)) return undefined
    value = value * 8 + digit
  }
  return value
}

/** Two's complement; the first bit only says that it is this, the second one is the sign. */
function readBase256(field: Uint8Array): number | undefined {
  const first = field[0] ?? 0
  let value = BigInt(first & 0x40 ? (first & 0x3f) - 0x40 : first & 0x3f)
  for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte)
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : undefined
}

const BLANK = 0x20

function isFiller(byte: number | undefined): boolean {
  return byte === 0 || byte === BLANK
}
