import { isUtf8 } from 'node:buffer'

/** What may be handed to `JSON.parse`: 4 MiB of brackets would hold the event loop for a second or two. */
export interface JsonLimits {
  /** Objects and arrays within one another. */
  readonly maxDepth: number
  /** Braces, brackets, colons and commas: about twice the number of values. */
  readonly maxTokens: number
  /** Different names of keys in the whole document: an object of 100,000 costs the parser a quarter of a second. */
  readonly maxKeys: number
}

export const DEFAULT_JSON_LIMITS: JsonLimits = { maxDepth: 16, maxTokens: 200_000, maxKeys: 10_000 }

/** A JSON object, read by name only: never merged into another one, so that a key `__proto__` is a key like any other. */
export type JsonObject = Readonly<Record<string, unknown>>

/** @internal What {@link readJson} found. */
export type JsonReading =
  | { readonly value: unknown; readonly problem?: never }
  /** Why it was refused, for the client's eyes; `cause` for the log. */
  | { readonly problem: string; readonly cause?: unknown }

interface ReadJsonOptions {
  readonly limits?: JsonLimits
  /** Refuse an object with the same key twice: parsers disagree on which one counts. */
  readonly uniqueKeys?: boolean
}

/** Parses hostile bytes: UTF-8 without a byte order mark, within the limits; never throws, never slow. */
export function readJson(content: Uint8Array, options: ReadJsonOptions = {}): JsonReading {
  const scan = scanJson(content, options.limits ?? DEFAULT_JSON_LIMITS)
  if (typeof scan === 'string') return { problem: scan }
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('utf8'))
  } catch (cause) {
    return { problem: 'not JSON', cause }
  }
  // Each member has one colon outside strings, and each key left by the parser stands for one member.
  if (options.uniqueKeys && countKeys(value) !== scan) return { problem: 'an object has the same key twice' }
  return { value }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * @internal One look at the bytes before they are parsed. It does not check the grammar, which the parser does: of malformed input it
 * may say anything but never fails.
 *
 * @returns the number of object members, or what is wrong
 */
export function scanJson(content: Uint8Array, limits: JsonLimits): number | string {
  if (content[0] === 0xef && content[1] === 0xbb && content[2] === 0xbf) return 'begins with a byte order mark'
  if (!isUtf8(content)) return 'not UTF-8'
  const length = content.byteLength
  let depth = 0
  let tokens = 0
  let members = 0
  let digits = 0
  const keys = new Set<number>() // by hash: two keys that share one make the limit a little looser, nothing else
  let start = 0 // of the last string
  let end = 0
  for (let i = 0; i < length; i++) {
    const kind = KIND_OF_BYTE[content[i] as number] // there is one for each value of a byte
    if (kind === DIGIT) {
      if (++digits > MAX_DIGITS) return `a number of more than ${MAX_DIGITS} digits`
      continue
    }
    digits = 0
    if (kind === OTHER) continue
    if (kind === STRING) {
      start = i + 1
      for (i = start; i < length && content[i] !== QUOTE; i++) if (content[i] === BACKSLASH) i++
      end = Math.min(i, length)
      continue
    }
    if (kind === MEMBER) {
      members++
      if (keys.add(hashOf(content, start, end)).size > limits.maxKeys)
        return `more than ${limits.maxKeys} different keys`
    } else if (kind === OPENING) {
      if (++depth > limits.maxDepth) return `more than ${limits.maxDepth} levels deep`
    } else if (kind === CLOSING) {
      depth--
      continue
    }
    if (++tokens > limits.maxTokens) return `more than ${limits.maxTokens} tokens`
  }
  return members
}

/** FNV-1a. */
function hashOf(content: Uint8Array, start: number, end: number): number {
  let hash = FNV_OFFSET
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (content[i] as number), FNV_PRIME)
  return hash
}

/** Recursion is bounded by the depth that {@link scanJson} let pass. */
function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const isArray = Array.isArray(value)
  const children: readonly unknown[] = isArray ? value : Object.values(value)
  let count = isArray ? 0 : children.length
  for (const child of children) count += countKeys(child)
  return count
}

/** No size comes near; the parser's time grows with them. */
const MAX_DIGITS = 400

const FNV_OFFSET = 0x811c9dc5 | 0
const FNV_PRIME = 0x01000193
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** What a byte begins outside of strings. */
const OTHER = 0
const STRING = 1
const MEMBER = 2
const SEPARATOR = 3
const OPENING = 4
const CLOSING = 5
const DIGIT = 6

const KIND_OF_BYTE: Uint8Array = kindsOfBytes({
  ...{ '"': STRING, ':': MEMBER, ',': SEPARATOR, '{': OPENING, '[': OPENING, '}': CLOSING, ']': CLOSING },
  ...Object.fromEntries([...'0123456789'].map((digit) => [digit, DIGIT])),
})

function kindsOfBytes(kinds: Readonly<Record<string, number>>): Uint8Array {
  const table = new Uint8Array(256).fill(OTHER)
  for (const [character, kind] of Object.entries(kinds)) table[character.charCodeAt(0)] = kind
  return table
}
