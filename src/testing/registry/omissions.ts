// What registries leave out, or refuse.
import { Readable } from 'node:stream'
import type { Backend, Manifests } from '../../backend.ts'
import { NO_MANIFEST, RegistryError, unless } from '../../errors.ts'
import { type Digest, digestOf, isDigest } from '../../spec/digest.ts'
import { scanDigests } from '../../spec/scan-digests.ts'
import { collected, type Middleware, pathOf, refusal, routeOf, withBody, withoutHeader, withUrl } from './middleware.ts'

/**
 * No list of referrers: clients keep one themselves, in a tag, when the answer to a manifest does not name its subject.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#unavailable-referrers-api
 */
export const withoutReferrers: Middleware = async (request, next) => {
  const kind = routeOf(request)?.kind
  if (kind === 'listReferrers') {
    const body = '404 page not found\n' // what a router says that has no such path
    return { status: 404, headers: { 'content-type': 'text/plain; charset=utf-8', 'content-length': '19' }, body }
  }
  const response = await next(request)
  return response && kind === 'putManifest' ? withoutHeader(response, 'oci-subject') : response
}

/** Manifests, tags and blobs stay; uploads can be given up. */
export const withoutDeletes: Middleware = (request, next) => {
  const kind = routeOf(request)?.kind
  const deletes = kind === 'deleteManifest' || kind === 'deleteBlob' || kind === 'deleteRepository'
  return deletes ? Promise.resolve(refusal(405, 'UNSUPPORTED', 'the operation is unsupported')) : next(request)
}

export const withoutCatalog: Middleware = (request, next) => {
  if (routeOf(request)?.kind !== 'catalog') return next(request)
  return Promise.resolve(refusal(401, 'UNAUTHORIZED', 'authentication required'))
}

/** A mount is an upload like any other: 202. */
export const withoutMounts: Middleware = (request, next) => {
  const isMount = routeOf(request)?.kind === 'mountBlob'
  return next(isMount ? withUrl(request, pathOf(request)) : request)
}

/** Only blobs that a manifest of their repository names can be mounted. */
export function mountsOfReferenced(backend: Backend): Middleware {
  return async (request, next) => {
    const route = routeOf(request)
    if (route?.kind !== 'mountBlob') return next(request)
    const mountable = route.from !== undefined && (await isReferenced(backend, route.from, route.digest))
    return mountable ? next(request) : withoutMounts(request, next)
  }
}

async function isReferenced(backend: Backend, name: string, digest: Digest): Promise<boolean> {
  const { manifests } = backend.repository(name)
  try {
    for await (const each of manifests.list()) {
      const { content } = await manifests.get(each)
      if (scanDigests(content).has(digest)) return true
    }
  } catch (error) {
    if (!RegistryError.is(error, 'NAME_UNKNOWN')) throw error
  }
  return false
}

/** Nothing is pushed to a repository that was not made before. */
export function onlyIn(repositories: ReadonlySet<string>): Middleware {
  return async (request, next) => {
    const route = routeOf(request)
    const writes = route?.kind === 'putManifest' || route?.kind === 'startUpload'
    const uploads = route?.kind === 'uploadBlob' || route?.kind === 'mountBlob'
    if (route === undefined || !(writes || uploads) || repositories.has(route.name)) return next(request)
    return refusal(404, 'NAME_UNKNOWN', `the repository with name '${route.name}' does not exist in the registry`)
  }
}

/** A tag is set once; the same manifest may be pushed to it again. */
export function immutableTags(backend: Backend): Middleware {
  return async (request, next) => {
    const route = routeOf(request)
    if (route?.kind !== 'putManifest') return next(request)
    const { manifests } = backend.repository(route.name)
    const content = await collected(request.body)
    for (const tag of [...(isDigest(route.reference) ? [] : [route.reference]), ...route.tags]) {
      if ([undefined, digestOf(content)].includes(await targetOf(manifests, tag))) continue
      const reason = `the image tag '${tag}' already exists in the '${route.name}' repository`
      return refusal(400, 'TAG_INVALID', `${reason} and cannot be overwritten because the repository is immutable`)
    }
    return next(withBody(request, () => Readable.from([content], { objectMode: false })))
  }
}

async function targetOf(manifests: Manifests, tag: string): Promise<Digest | undefined> {
  return (await unless(NO_MANIFEST, manifests.stat(tag)))?.digest
}

/** A manifest cannot be deleted by its digest while tags point to it; a tag can, by its name. */
export function danglingTagsRefused(backend: Backend): Middleware {
  return async (request, next) => {
    const route = routeOf(request)
    if (route?.kind !== 'deleteManifest' || !isDigest(route.reference)) return next(request)
    const { tags } = backend.repository(route.name)
    try {
      for await (const tag of tags.list()) {
        if ((await tags.resolve(tag)) !== route.reference) continue
        return refusal(400, 'GOOGLE_MANIFEST_DANGLING_TAG', `Manifest is still referenced by tag: ${tag}`)
      }
    } catch (error) {
      if (!RegistryError.is(error, 'NAME_UNKNOWN')) throw error
    }
    return next(request)
  }
}
