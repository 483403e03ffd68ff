import type { Forwarded } from './forwarded.ts'
import { isHost } from './forwarded.ts'
import { headerOf } from './headers.ts'
import type { HttpRequest } from './message.ts'
import { keepingNamespace } from './namespace.ts'
import { formatRoute, type Route } from './route.ts'

/** Writes the URLs that clients come back to. */
export interface Locator {
  /** For `Location`: path-absolute, unless we were told, or can trust a proxy, under which name clients reach us. */
  location(request: HttpRequest, route: Route): string
  /** For `Link`: always path-absolute. */
  link(request: HttpRequest, route: Route): string
  /**
   * Below which the client finds `/v2/`, without a slash at the end; where nobody tells us, by the `Host` that it sent.
   * `undefined` when it sent none that can be one.
   */
  baseUrl(request: HttpRequest): string | undefined
}

/**
 * @param publicUrl - origin and path under which clients reach the registry; the `/v2/` comes after it
 * @param forwarded - what a trusted proxy tells of a request
 * @throws `TypeError` for a `publicUrl` that is no URL of http or https, or has a query or user information
 */
export function createLocator(
  publicUrl: URL | string | undefined,
  forwarded: (request: HttpRequest) => Forwarded | undefined,
): Locator {
  if (publicUrl !== undefined) {
    const { origin, path } = readPublicUrl(publicUrl)
    const link: Locator['link'] = (request, route) => keepingNamespace(request, formatRoute(route, path).url)
    const baseUrl = origin + withoutSlash(path)
    return { link, location: (request, route) => origin + link(request, route), baseUrl: () => baseUrl }
  }
  const link: Locator['link'] = (request, route) => keepingNamespace(request, formatRoute(route, request.mountPath).url)
  return {
    link,
    location: (request, route) => {
      const told = forwarded(request)
      return (told === undefined ? '' : (originOf(request, told) ?? '')) + link(request, route)
    },
    baseUrl: (request) => {
      const origin = originOf(request, forwarded(request) ?? {})
      return origin === undefined ? undefined : origin + withoutSlash(request.mountPath ?? '')
    },
  }
}

function originOf(request: HttpRequest, forwarded: Forwarded): string | undefined {
  const host = forwarded.host ?? headerOf(request, 'host') ?? headerOf(request, ':authority')
  if (host === undefined || !isHost(host)) return undefined
  return `${forwarded.proto ?? (request.secure === true ? 'https' : 'http')}://${host}`
}

function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path
}

function readPublicUrl(publicUrl: URL | string): { readonly origin: string; readonly path: string } {
  const url = new URL(publicUrl)
  const plain = url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  if (!plain || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new TypeError(`not a public URL, expected http(s)://host[:port][/path]: ${url.href}`)
  }
  return { origin: url.origin, path: url.pathname }
}
