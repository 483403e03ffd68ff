import { checkOptions, kindOf } from '../arguments.ts'
import { RegistryError } from '../errors.ts'
import { headerOf } from '../http/headers.ts'
import type { HttpRequest } from '../http/message.ts'
import type { AccessContext } from './access.ts'
import type { Authenticate } from './identity.ts'

export interface SameOriginOptions {
  /** Other origins whose pages may change things: `https://console.example`. Default: none. */
  readonly origins?: readonly string[]
}

/**
 * For credentials that browsers send by themselves, as they do cookies and certificates: a page of another origin can have them sent,
 * so that nothing but reading is let in with them unless the browser says that the request is from here. Clients that are no browsers
 * say nothing, and are let in. What a page of another origin may read is for the option `cors` of the mount to say: nothing, by default.
 *
 * @example
 * identityAccess({ authenticate: sameOrigin(({ raw }) => identityOf(raw)) })
 *
 * @see https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
 */
export function sameOrigin(authenticate: Authenticate, options: SameOriginOptions = {}): Authenticate {
  checkOptions('sameOrigin()', options, { origins: true })
  if (typeof authenticate !== 'function') {
    throw new TypeError(`sameOrigin() takes a function that finds out who asks, not ${kindOf(authenticate)}`)
  }
  const origins = new Set((options.origins ?? []).map(originOf))
  return async (request, context) => {
    const identity = await authenticate(request, context)
    if (identity === undefined || identity === null || isHarmless(request)) return identity
    if (isFromHere(request, context, origins)) return identity
    throw new RegistryError('DENIED', { message: 'a page of another origin may not change anything here' })
  }
}

function isHarmless({ method }: HttpRequest): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

function isFromHere(request: HttpRequest, context: AccessContext, origins: ReadonlySet<string>): boolean {
  const origin = headerOf(request, 'origin')
  if (origin !== undefined && origins.has(origin)) return true
  const site = headerOf(request, 'sec-fetch-site')
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  return origin === undefined || origin === new URL(context.baseUrl).origin
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && url.origin === text) return text
  throw new TypeError(
    `an origin is a scheme, a host and perhaps a port, https://console.example say, not ${kindOf(text)}`,
  )
}
