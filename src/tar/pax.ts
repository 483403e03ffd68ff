import { isUtf8 } from 'node:buffer'
import { malformed } from './errors.ts'
import { text } from './fields.ts'

/**
 * Reads pax records, `LENGTH KEY=VALUE\n` one after another. A later one of the same key counts.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_03
 */
export function parsePax(content: Uint8Array): Map<string, string> {
  const records = new Map<string, string>()
  let at = 0
  while (at < content.byteLength) {
    const blank = content.indexOf(0x20, at)
    const digits = blank < 0 || blank - at > MAX_LENGTH_DIGITS ? '' : text(content.subarray(at, blank))
    const end = at + (/^[1-9][0-9]*$/.test(digits) ? Number(digits) : 0)
    const equals = content.indexOf(0x3d, blank + 1)
    if (end <= blank + 2 || end > content.byteLength || content[end - 1] !== NEWLINE || equals < 0 || equals >= end) {
      throw malformed('a pax record is malformed')
    }
    const key = text(content.subarray(blank + 1, equals))
    if (key === '') throw malformed('a pax record has no name')
    records.set(key, text(content.subarray(equals + 1, end - 1)))
    at = end
  }
  return records
}

/** GNU tar knows of holes by these; read as a plain file, such an entry would have another content than its own. */
export function isSparse(records: ReadonlyMap<string, string>): boolean {
  return [...records.keys()].some((key) => key.startsWith('GNU.sparse.'))
}

/** In the order of the keys, so that the same records are the same bytes. */
export function formatPax(records: ReadonlyMap<string, string>): Uint8Array {
  const keys = [...records.keys()].sort()
  return Buffer.concat(keys.map((key) => formatRecord(key, records.get(key) ?? '')))
}

/** Of a record: whole seconds, or with a fraction; `undefined` for anything else. */
export function parsePaxTime(value: string): number | undefined {
  return /^-?[0-9]{1,15}(\.[0-9]*)?$/.test(value) ? Number(value) : undefined
}

/** Of a record: digits only; `undefined` for anything else, and for what a JavaScript number cannot hold exactly. */
export function parsePaxNumber(value: string): number | undefined {
  const number = /^[0-9]{1,16}$/.test(value) ? Number(value) : undefined
  return Number.isSafeInteger(number) ? number : undefined
}

/** Digits of a record's length: enough for any that is read. */
const MAX_LENGTH_DIGITS = 9
const NEWLINE = 0x0a

/** The length counts its own digits. */
function formatRecord(key: string, value: string): Uint8Array {
  const rest = Buffer.from(` ${key}=${value}\n`)
  if (!isUtf8(rest) || key === '' || key.includes('='))
    throw malformed(`${JSON.stringify(key)} is no name of a pax record`)
  let length = rest.byteLength + 1
  while (String(length).length + rest.byteLength !== length) length = String(length).length + rest.byteLength
  return Buffer.concat([Buffer.from(String(length)), rest])
}
