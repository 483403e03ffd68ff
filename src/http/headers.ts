import type { Digest } from '../spec/digest.ts'
import type { HttpRequest, HttpResponse } from './message.ts'

/** On every answer: what Docker's clients look for, and what keeps a browser from guessing. */
export const COMMON_HEADERS: HttpResponse['headers'] = {
  'docker-distribution-api-version': 'registry/2.0',
  'x-content-type-options': 'nosniff',
}

/**
 * On content that anybody may have pushed, under a media type of their choice: a browser that is sent here shows or runs
 * nothing of it.
 */
export const INERT_CONTENT = "default-src 'none'; sandbox"

/** The value of a request header; repeated ones joined, as RFC 9110 §5.3 has it. */
export function headerOf(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'object' ? value.join(', ') : value
}

export function etagOf(digest: Digest): string {
  return `"${digest}"`
}

/**
 * `Cache-Control` of content named by its digest: it never changes, so whoever has it need not ask again. What an
 * authenticated user got must not come out of a shared cache. `no-transform` keeps compressing middleware away from bytes
 * that have a digest and a length.
 */
export function immutableFor(subject: string | undefined): string {
  return subject === undefined ? IMMUTABLE : `private, ${IMMUTABLE}`
}

const IMMUTABLE = 'max-age=31536000, immutable, no-transform'

/** Done, and nothing to say: of deletions. */
export const ACCEPTED: HttpResponse = { status: 202, headers: { 'content-length': '0' }, body: null }
