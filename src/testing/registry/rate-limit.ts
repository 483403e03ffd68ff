import type { HttpRequest, HttpResponse } from '../../http/message.ts'
import type { Clock } from './clock.ts'
import { type Middleware, refusal, routeOf, withHeaders } from './middleware.ts'

export interface RateLimit {
  /** How many are served in one window; whoever logs in is counted apart from the others. */
  readonly requests: number
  /** Default: 6 hours, as on Docker Hub. */
  readonly windowSeconds?: number
  /** What is counted: all requests, or those that begin a pull, GETs of manifests. Default: all. */
  readonly of?: 'all' | 'pulls'
  /** Whether `Retry-After` says when the window ends. Default: yes. */
  readonly retryAfter?: boolean
  /**
   * Whether answers tell what is left, as Docker Hub's `ratelimit-limit` and `ratelimit-remaining` do, of manifests alone; a
   * HEAD asks without being counted. Default: no.
   */
  readonly headers?: boolean
}

/** @param sourceOf - on whose account a request goes */
export function rateLimit(limit: RateLimit, sourceOf: (request: HttpRequest) => string, clock: Clock): Middleware {
  const { requests, windowSeconds = 6 * 60 * 60, of = 'all', retryAfter = true, headers = false } = limit
  const windows = new Map<string, { readonly endsAt: number; used: number }>()
  return async (request, next) => {
    const kind = routeOf(request)?.kind
    const source = sourceOf(request)
    let window = windows.get(source)
    if (window === undefined || window.endsAt <= clock.now()) {
      window = { endsAt: clock.now() + windowSeconds * 1000, used: 0 }
      windows.set(source, window)
    }
    const counts = of === 'all' || kind === 'getManifest'
    const exceeded = counts && window.used >= requests
    if (counts && !exceeded) window.used++
    const left = `${requests - window.used};w=${windowSeconds}`
    const telling = headers && (kind === 'getManifest' || kind === 'headManifest')
    const told: HttpResponse['headers'] = telling
      ? {
          'ratelimit-limit': `${requests};w=${windowSeconds}`,
          'ratelimit-remaining': left,
          'docker-ratelimit-source': source,
        }
      : {}
    if (exceeded) {
      const seconds = Math.ceil((window.endsAt - clock.now()) / 1000)
      const wait = retryAfter ? { 'retry-after': String(seconds) } : {}
      return refusal(429, 'TOOMANYREQUESTS', 'you have reached your limit of requests', { ...told, ...wait })
    }
    const response = await next(request)
    return response && withHeaders(response, told)
  }
}
