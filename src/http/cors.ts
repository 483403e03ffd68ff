import { headerOf } from './headers.ts'
import type { HttpRequest, HttpResponse } from './message.ts'

export interface CorsOptions {
  readonly origins: '*' | readonly string[]
  /** Seconds a browser may keep the answer to a preflight. Default: 600. */
  readonly maxAgeSeconds?: number
}

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'

/** By name: a `*` would leave out `authorization`. */
const REQUEST_HEADERS =
  'authorization, accept, content-type, content-range, range, if-match, if-none-match, if-range, x-request-id'

const EXPOSED_HEADERS =
  'accept-ranges, content-length, content-range, docker-content-digest, docker-distribution-api-version, ' +
  'docker-upload-uuid, etag, link, location, oci-chunk-min-length, oci-filters-applied, oci-subject, oci-tag, range, ' +
  'retry-after, www-authenticate, x-request-id'

/** Headers that let a browser of an allowed origin read an answer; none for other requests. */
export function corsHeaders(request: HttpRequest, options: CorsOptions | undefined): HttpResponse['headers'] {
  if (options === undefined) return NONE
  const allowed = allowOrigin(request, options)
  return allowed['access-control-allow-origin'] === undefined
    ? allowed
    : { ...allowed, 'access-control-expose-headers': EXPOSED_HEADERS }
}

/**
 * Answers `OPTIONS`. Before authentication, of necessity: a preflight carries no credentials. It tells nothing of what the
 * registry holds.
 */
export function preflightResponse(request: HttpRequest, options: CorsOptions | undefined): HttpResponse {
  const isPreflight = headerOf(request, 'access-control-request-method') !== undefined
  if (options === undefined || !isPreflight)
    return { status: 204, headers: { allow: `${METHODS}, OPTIONS` }, body: null }
  const allowed = allowOrigin(request, options)
  if (allowed['access-control-allow-origin'] === undefined) return { status: 204, headers: allowed, body: null }
  return {
    status: 204,
    headers: {
      ...allowed,
      'access-control-allow-methods': METHODS,
      'access-control-allow-headers': REQUEST_HEADERS,
      'access-control-max-age': String(options.maxAgeSeconds ?? 600),
    },
    body: null,
  }
}

const NONE: HttpResponse['headers'] = {}
const ANY_ORIGIN: HttpResponse['headers'] = { 'access-control-allow-origin': '*' }
const OTHER_ORIGIN: HttpResponse['headers'] = { vary: 'origin' }

function allowOrigin(request: HttpRequest, { origins }: CorsOptions): HttpResponse['headers'] {
  const origin = headerOf(request, 'origin')
  if (origins === '*') return origin === undefined ? NONE : ANY_ORIGIN
  // A cache must not hand one origin's answer to another, nor an answer without the header to any.
  if (origin === undefined || !origins.includes(origin)) return OTHER_ORIGIN
  return { vary: 'origin', 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' }
}
