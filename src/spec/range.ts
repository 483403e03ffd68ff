import { readDigits } from './decimal.ts'

/** Half-open, `[start, end)`, in bytes; inclusive on the wire only. Never empty. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** @internal Ranges in one request beyond which it is answered whole: RFC 9110 §14.2 warns of many small ones. */
export const MAX_RANGES = 64

/**
 * Reads a `Range` header against a representation of `size` bytes; what is satisfiable, in the client's order, cut to `size`.
 *
 * @returns `'unsatisfiable'` (416) when no range begins within `size`, or all run backwards. `undefined` when the header has to be ignored: another
 * unit, malformed, more than {@link MAX_RANGES}, or ranges that together are longer than the whole. Also for the last bytes
 * of nothing: satisfiable, but no `Content-Range` can say so.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.2
 */
export function parseRange(header: string, size: number): readonly Range[] | 'unsatisfiable' | undefined {
  const equals = header.indexOf('=')
  if (equals < 0 || header.slice(0, equals).trim().toLowerCase() !== 'bytes') return undefined
  const ranges: Range[] = []
  let specs = 0
  let total = 0
  let emptySuffix = false
  for (const item of header.slice(equals + 1).split(',', MAX_RANGES * 2)) {
    const spec = trimBlanks(item)
    if (spec === '') continue // RFC 9110 §5.6.1.2: empty list elements are ignored
    if (++specs > MAX_RANGES) return undefined
    const range = resolveSpec(spec, size)
    if (range === undefined) return undefined
    if (range.start < range.end) {
      ranges.push(range)
      total += range.end - range.start
    } else if (spec.startsWith('-') && range.start < Number.POSITIVE_INFINITY) emptySuffix = true
  }
  if (specs === 0 || total > size) return undefined
  if (ranges.length > 0) return ranges
  return emptySuffix ? undefined : 'unsatisfiable'
}

/**
 * Reads the `Content-Range` of an upload's chunk: `0-99` as the distribution specification has it, or `bytes 0-99/*` as
 * RFC 9110 does. `undefined` for anything else: backwards, past its own total, or beyond what a number holds.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks
 */
export function parseContentRange(header: string): Range | undefined {
  const text = trimBlanks(header)
  const unit = text.slice(0, 6).toLowerCase() === 'bytes ' ? 6 : 0
  const slash = unit === 0 ? -1 : text.indexOf('/')
  if (unit > 0 && slash < 0) return undefined
  const range = unit === 0 ? text : text.slice(unit, slash)
  const dash = range.indexOf('-')
  const start = readDigits(range, 0, dash)
  const last = readDigits(range, dash + 1, range.length)
  if (start === undefined || last === undefined || last < start || last >= Number.MAX_SAFE_INTEGER) return undefined
  if (slash >= 0 && text.slice(slash + 1) !== '*') {
    const total = readDigits(text, slash + 1, text.length)
    if (total === undefined || last >= total) return undefined
  }
  return { start, end: last + 1 }
}

/** @internal `Range` of a request, as a client writes it. */
export function formatRange(ranges: readonly Range[]): string {
  return `bytes=${ranges.map(formatChunkRange).join(',')}`
}

/** @internal `Content-Range` of an upload's chunk: `0-99`. */
export function formatChunkRange(range: Range): string {
  return `${range.start}-${range.end - 1}`
}

/** `Content-Range` of a 206 answer; with `undefined` for the range, of a 416. */
export function formatContentRange(range: Range | undefined, size: number): string {
  return `bytes ${range === undefined ? '*' : formatChunkRange(range)}/${size}`
}

/** `Range` of an upload that holds `offset` bytes: `0-<last>`. Of an empty one `0-0`, like Distribution: there is no other way to say it. */
export function formatUploadRange(offset: number): string {
  return `0-${Math.max(0, offset - 1)}`
}

/** One `range-spec`, cut to `size`: empty when it cannot be satisfied, `undefined` when malformed. */
function resolveSpec(spec: string, size: number): Range | undefined {
  const dash = spec.indexOf('-')
  const last = dash + 1 === spec.length ? Number.POSITIVE_INFINITY : readDigits(spec, dash + 1, spec.length)
  if (dash < 0 || last === undefined) return undefined
  if (dash === 0) {
    if (spec.length === 1) return undefined
    // "-0" asks for nothing: unsatisfiable by definition, even of nothing.
    return last === 0 ? NOTHING : { start: Math.max(0, size - last), end: size }
  }
  const start = readDigits(spec, 0, dash)
  if (start === undefined) return undefined
  // Empty when it begins past the end; also "500-0", which is invalid and may be ignored or refused (RFC 9110 §14.1.1): the
  // conformance suite wants 416.
  return { start, end: Math.min(last + 1, size) }
}

const NOTHING: Range = { start: Number.POSITIVE_INFINITY, end: 0 }

/** Optional white space of RFC 9110: spaces and tabs, and no other. */
function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(c: number): boolean {
  return c === 0x20 || c === 0x09
}
