import { randomUUID } from 'node:crypto'
import type { Backend } from '../../backend.ts'
import type { Digest } from '../../spec/digest.ts'
import {
  collected,
  contentOf,
  type Middleware,
  pathOf,
  queryOf,
  routeOf,
  withHeaders,
  withJson,
  withUrl,
} from './middleware.ts'

const LISTINGS: readonly (string | undefined)[] = ['listTags', 'catalog', 'listReferrers']

/** Pages of at most `size` entries, also for who asks for more, or does not ask. */
export function pagesOf(size: number): Middleware {
  return (request, next) => {
    if (!LISTINGS.includes(routeOf(request)?.kind)) return next(request)
    const query = queryOf(request)
    const wanted = Number(query.get('n') ?? size)
    query.set('n', String(Math.min(wanted, size)))
    return next(withUrl(request, `${pathOf(request)}?${query}`))
  }
}

/** `Link` with the registry's origin in front. */
export function absoluteLinks(origin: string): Middleware {
  return linksAs((target) => `${origin}${target}`)
}

/** The next page by a token that only the registry understands; `last` is not looked at. */
export function opaqueLinks(): Middleware {
  const tokens = new Map<string, string>()
  const rewrite = linksAs((target) => {
    const query = new URLSearchParams(target.slice(target.indexOf('?') + 1))
    const token = randomUUID()
    tokens.set(token, query.get('last') ?? '')
    query.delete('last')
    return `${target.split('?', 1)[0]}?next_page=${token}&${query}`
  })
  return (request, next) => {
    if (!LISTINGS.includes(routeOf(request)?.kind)) return next(request)
    const query = queryOf(request)
    const last = tokens.get(query.get('next_page') ?? '')
    query.delete('next_page')
    query.delete('last')
    if (last !== undefined) query.set('last', last)
    return rewrite(withUrl(request, `${pathOf(request)}?${query}`), next)
  }
}

function linksAs(rewrite: (target: string) => string): Middleware {
  return async (request, next) => {
    const response = await next(request)
    const link = response?.headers.link
    if (response === undefined || typeof link !== 'string') return response
    return withHeaders(response, { link: link.replace(/<([^<>]*)>/, (_, target: string) => `<${rewrite(target)}>`) })
  }
}

/** A list of tags that also tells of each manifest, in fields that the specification does not know. */
export function tagDetails(backend: Backend): Middleware {
  return async (request, next) => {
    const route = routeOf(request)
    const response = await next(request)
    if (route?.kind !== 'listTags' || response?.status !== 200) return response
    const { manifests, tags } = backend.repository(route.name)
    const list = JSON.parse((await collected(contentOf(response))).toString()) as object // written by our own handler
    const named = new Map<Digest, string[]>()
    for await (const tag of tags.list()) {
      const digest = await tags.resolve(tag)
      named.set(digest, [...(named.get(digest) ?? []), tag])
    }
    const manifest: Record<string, object> = {}
    for await (const digest of manifests.list()) {
      const { mediaType, size } = await manifests.stat(digest)
      const times = { timeCreatedMs: '0', timeUploadedMs: '0' }
      manifest[digest] = {
        imageSizeBytes: String(size),
        layerId: '',
        mediaType,
        tag: named.get(digest) ?? [],
        ...times,
      }
    }
    return withJson(response, { child: [], manifest, ...list })
  }
}
