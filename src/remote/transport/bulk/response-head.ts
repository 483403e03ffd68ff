import type { IncomingHttpHeaders } from 'node:http'
import { parseDecimal } from '../../../spec/decimal.ts'

/** The head of an answer whose body has a length: the kind that blobs come with. */
export interface ResponseHead {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Bytes of the body that matter: none of a redirect without a length, whose text is for people. */
  readonly length: number
  /** Whether the connection may be used again. */
  readonly keepAlive: boolean
}

/** Bytes of a head at most. */
export const MAX_HEAD_BYTES: number = 64 * 1024

/** Headers that a caller looks at, each of which makes sense once. */
const SINGLE: ReadonlySet<string> = new Set([
  'content-length',
  'content-type',
  'content-range',
  'content-encoding',
  'connection',
  'docker-content-digest',
  'etag',
  'location',
  'retry-after',
  'transfer-encoding',
])

/**
 * Reads the head of an answer, without the empty line that ends it.
 *
 * @returns `undefined` for all that is not plain: another version of HTTP, a body in chunks or until the connection ends, a line that
 * goes on, a header twice. Node's own client reads those
 */
export function parseResponseHead(text: string): ResponseHead | undefined {
  const [first = '', ...lines] = text.split('\r\n')
  const [, version, code] = /^HTTP\/1\.([01]) ([2-5]\d\d)(?: |$)/.exec(first) ?? []
  if (version === undefined || code === undefined) return undefined
  const headers = readHeaders(lines)
  if (headers === undefined) return undefined
  const status = Number(code)
  const length = headers['transfer-encoding'] === undefined ? parseDecimal(headers['content-length'] ?? '') : undefined
  // Of these nothing follows, whatever their length says.
  if (code === '204' || code === '304') return undefined
  if (length === undefined) {
    const isRedirect = status >= 300 && status < 400 && headers.location !== undefined
    return isRedirect ? { status, headers, length: 0, keepAlive: false } : undefined
  }
  const connection = headers.connection?.toLowerCase()
  return {
    status,
    headers,
    length,
    keepAlive: version === '1' ? connection !== 'close' : connection === 'keep-alive',
  }
}

function readHeaders(lines: readonly string[]): IncomingHttpHeaders | undefined {
  const headers: Record<string, string> = Object.create(null)
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    if (colon < 1 || !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) return undefined
    const value = line.slice(colon + 1).trim()
    if (/[\0\r\n]/.test(value)) return undefined
    const before = headers[name]
    if (before !== undefined && SINGLE.has(name)) return undefined
    headers[name] = before === undefined ? value : `${before}, ${value}`
  }
  return headers
}
