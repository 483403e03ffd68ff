import { RegistryError } from '../errors.ts'
import { type Digest, type DigestAlgorithm, isDigestAlgorithm, parseDigest } from '../spec/digest.ts'
import { isUploadId, parseRepositoryName, parseTag } from '../spec/name.ts'
import { formatQuery, NO_PARAMETERS, type Parameters, pageSize, parseQuery, single } from './query.ts'

/** Every request a registry understands; comments give the specification's endpoint ids. */
export type Route =
  | { readonly kind: 'ping' } // end-1
  | { readonly kind: 'getBlob' | 'headBlob' | 'deleteBlob'; readonly name: string; readonly digest: Digest } // end-2, end-10
  | { readonly kind: 'startUpload'; readonly name: string; readonly algorithm: DigestAlgorithm } // end-4a, end-4c
  | { readonly kind: 'uploadBlob'; readonly name: string; readonly digest: Digest } // end-4b
  | { readonly kind: 'mountBlob'; readonly name: string; readonly digest: Digest; readonly from?: string } // end-11
  | { readonly kind: 'uploadStatus' | 'uploadChunk' | 'cancelUpload'; readonly name: string; readonly upload: string } // end-13, end-5, end-14
  | { readonly kind: 'finishUpload'; readonly name: string; readonly upload: string; readonly digest: Digest } // end-6
  | {
      readonly kind: 'getManifest' | 'headManifest' | 'deleteManifest'
      readonly name: string
      readonly reference: string
    } // end-3, end-9
  | {
      readonly kind: 'putManifest'
      readonly name: string
      readonly reference: string
      /** Of the `tag` parameters, without repetitions; a tag in `reference` comes on top. */
      readonly tags: readonly string[]
    } // end-7a, end-7b
  | { readonly kind: 'deleteRepository'; readonly name: string } // ours: DELETE /v2/<name>/_wharfage/repository
  | { readonly kind: 'token' } // ours: GET and POST /v2/_wharfage/token, where access control gives tokens out
  | { readonly kind: 'preflight' } // OPTIONS
  | { readonly kind: 'listTags'; readonly name: string; readonly limit?: number; readonly after?: string } // end-8
  | {
      readonly kind: 'listReferrers'
      readonly name: string
      readonly digest: Digest
      /** The empty string asks for those that have none. */
      readonly artifactType?: string
      readonly limit?: number
      readonly after?: string
    } // end-12
  | { readonly kind: 'catalog'; readonly limit?: number; readonly after?: string }

export type RouteOf<K extends Route['kind']> = Route extends infer R
  ? R extends { readonly kind: infer Kinds }
    ? K extends Kinds
      ? R & { readonly kind: K }
      : never
    : never
  : never

/** Most `tag` parameters of one manifest PUT; the specification wants at least 10. */
const MAX_TAG_PARAMETERS = 100

/** What a path can name, and the methods that it answers, as `Allow` lists them. */
const ALLOWED = {
  base: 'GET, HEAD, OPTIONS',
  token: 'GET, POST, OPTIONS',
  catalog: 'GET, HEAD, OPTIONS',
  tags: 'GET, HEAD, OPTIONS',
  referrers: 'GET, HEAD, OPTIONS',
  manifest: 'GET, HEAD, PUT, DELETE, OPTIONS',
  blob: 'GET, HEAD, DELETE, OPTIONS',
  uploads: 'POST, OPTIONS',
  upload: 'GET, HEAD, PATCH, PUT, DELETE, OPTIONS',
  repository: 'DELETE, OPTIONS',
} as const

interface Resource {
  readonly type: keyof typeof ALLOWED
  /** Not yet known to be a repository name. */
  readonly name: string
  /** The last segment: a digest, a tag, an upload's id. */
  readonly item: string
}

/**
 * Reads a request line. The path is taken as it came, case-sensitive and without percent-decoding: nothing that a
 * registry names needs an escape, and a path that reads in two ways is an attack.
 *
 * @param url - origin form, path and query
 * @param mountPath - prefix of the path under which the registry lives
 * @returns `undefined` when the path is neither `/v2` nor below `/v2/`: not ours
 * @throws {@link RegistryError} for what is ours and is no request that we know: `UNSUPPORTED` (405, with `allow`),
 * `NAME_UNKNOWN`, `NAME_INVALID`, `DIGEST_INVALID`, `MANIFEST_INVALID` for a tag, `BLOB_UPLOAD_UNKNOWN` for an id that none
 * can have, `UNSUPPORTED` (400) for a parameter
 */
export function parseRoute(method: string, url: string, mountPath?: string): Route | undefined {
  const mount = normalizeMountPath(mountPath)
  const queryAt = url.indexOf('?')
  const path = queryAt < 0 ? url : url.slice(0, queryAt)
  if (mount === undefined || !path.startsWith(mount) || !path.startsWith('/v2', mount.length)) return undefined
  const rest = path.slice(mount.length + 3)
  if (rest !== '' && rest.charCodeAt(0) !== 0x2f) return undefined // "/v2beta"
  if (method === 'OPTIONS') return { kind: 'preflight' }
  const resource = parsePath(rest.slice(1), method)
  if (resource === undefined) {
    throw new RegistryError('NAME_UNKNOWN', { message: 'no such endpoint: see the distribution specification' })
  }
  const parameters = queryAt < 0 || queryAt + 1 === url.length ? NO_PARAMETERS : parseQuery(url.slice(queryAt + 1))
  return routeOf(method, resource, parameters)
}

/**
 * The request line of a route, such that {@link parseRoute} gives the route back.
 *
 * @returns the canonical method (`GET` for all that only reads) and the origin-form URL
 */
export function formatRoute(route: Route, mountPath?: string): { readonly method: string; readonly url: string } {
  const base = `${normalizeMountPath(mountPath) ?? ''}/v2/`
  switch (route.kind) {
    case 'ping':
      return { method: 'GET', url: base }
    case 'preflight':
      return { method: 'OPTIONS', url: base }
    case 'token':
      return { method: 'GET', url: `${base}${TOKEN}` }
    case 'catalog':
      return { method: 'GET', url: `${base}_catalog${formatQuery({ n: route.limit, last: route.after })}` }
    default:
      return formatNamed(route, `${base}${route.name}`)
  }
}

/** Without a trailing slash; `undefined` for one that cannot be a path of this host (`//elsewhere`). */
function normalizeMountPath(mountPath: string | undefined): string | undefined {
  if (mountPath === undefined || mountPath === '' || mountPath === '/') return ''
  if (mountPath.charCodeAt(0) !== 0x2f || mountPath.charCodeAt(1) === 0x2f) return undefined
  return mountPath.endsWith('/') ? mountPath.slice(0, -1) : mountPath
}

type NamedRoute = Exclude<Route, { readonly kind: 'ping' | 'preflight' | 'catalog' | 'token' }>

/** No repository can have this name. */
const TOKEN = '_wharfage/token'

function formatNamed(route: NamedRoute, repository: string): { readonly method: string; readonly url: string } {
  switch (route.kind) {
    case 'getBlob':
    case 'headBlob':
    case 'deleteBlob':
      return { method: METHOD[route.kind], url: `${repository}/blobs/${route.digest}` }
    case 'startUpload': {
      const algorithm = route.algorithm === 'sha256' ? undefined : route.algorithm
      return { method: 'POST', url: `${repository}/blobs/uploads/${formatQuery({ 'digest-algorithm': algorithm })}` }
    }
    case 'uploadBlob':
      return { method: 'POST', url: `${repository}/blobs/uploads/${formatQuery({ digest: route.digest })}` }
    case 'mountBlob': {
      const query = formatQuery({ mount: route.digest, from: route.from })
      return { method: 'POST', url: `${repository}/blobs/uploads/${query}` }
    }
    case 'uploadStatus':
    case 'uploadChunk':
    case 'cancelUpload':
      return { method: METHOD[route.kind], url: `${repository}/blobs/uploads/${route.upload}` }
    case 'finishUpload': {
      const query = formatQuery({ digest: route.digest })
      return { method: 'PUT', url: `${repository}/blobs/uploads/${route.upload}${query}` }
    }
    case 'getManifest':
    case 'headManifest':
    case 'deleteManifest':
      return { method: METHOD[route.kind], url: `${repository}/manifests/${route.reference}` }
    case 'putManifest': {
      const query = formatQuery({ tag: route.tags })
      return { method: 'PUT', url: `${repository}/manifests/${route.reference}${query}` }
    }
    case 'deleteRepository':
      return { method: 'DELETE', url: `${repository}/_wharfage/repository` }
    case 'listTags':
      return { method: 'GET', url: `${repository}/tags/list${formatQuery({ n: route.limit, last: route.after })}` }
    case 'listReferrers': {
      const query = formatQuery({ n: route.limit, last: route.after, artifactType: route.artifactType })
      return { method: 'GET', url: `${repository}/referrers/${route.digest}${query}` }
    }
  }
}

const METHOD = {
  getBlob: 'GET',
  headBlob: 'HEAD',
  deleteBlob: 'DELETE',
  uploadStatus: 'GET',
  uploadChunk: 'PATCH',
  cancelUpload: 'DELETE',
  getManifest: 'GET',
  headManifest: 'HEAD',
  deleteManifest: 'DELETE',
} as const

/**
 * From the end, since names hold slashes, and components like `blobs` or `uploads`: `a/blobs/uploads/manifests/x` is a
 * manifest of `a/blobs/uploads`.
 *
 * @param path - what follows `/v2/`
 */
function parsePath(path: string, method: string): Resource | undefined {
  if (path === '') return { type: 'base', name: '', item: '' }
  if (path === '_catalog') return { type: 'catalog', name: '', item: '' }
  if (path === TOKEN) return { type: 'token', name: '', item: '' }
  const segments = path.split('/')
  const item = segments.at(-1) ?? ''
  const collection = segments.at(-2)
  if (collection === 'uploads' && segments.at(-3) === 'blobs') {
    const name = segments.slice(0, -3).join('/')
    return { type: item === '' ? 'uploads' : 'upload', name, item }
  }
  if (item === '') return undefined
  const name = segments.slice(0, -2).join('/')
  switch (collection) {
    case 'manifests':
      return { type: 'manifest', name, item }
    case 'blobs':
      // Distribution redirects a POST without the trailing slash; clients in the field send both.
      return { type: item === 'uploads' && method === 'POST' ? 'uploads' : 'blob', name, item }
    case 'referrers':
      return { type: 'referrers', name, item }
    case 'tags':
      return item === 'list' ? { type: 'tags', name, item } : undefined
    case '_wharfage':
      return item === 'repository' ? { type: 'repository', name, item } : undefined
    default:
      return undefined
  }
}

function routeOf(method: string, resource: Resource, parameters: Parameters): Route {
  const read = method === 'GET' || method === 'HEAD'
  switch (resource.type) {
    case 'base':
      if (read) return { kind: 'ping' }
      break
    case 'token':
      if (method === 'GET' || method === 'POST') return { kind: 'token' }
      break
    case 'catalog':
      if (read) return { kind: 'catalog', ...page(parameters, parseRepositoryName) }
      break
    case 'tags':
      if (read) {
        return { kind: 'listTags', name: parseRepositoryName(resource.name), ...page(parameters, parseTag) }
      }
      break
    case 'referrers':
      if (read) return referrersRoute(resource, parameters)
      break
    case 'manifest': {
      if (method === 'PUT') return putManifestRoute(resource, parameters)
      const kind = { GET: 'getManifest', HEAD: 'headManifest', DELETE: 'deleteManifest' } as const
      if (hasMethod(kind, method)) return { kind: kind[method], ...manifestOf(resource) }
      break
    }
    case 'blob': {
      const kind = { GET: 'getBlob', HEAD: 'headBlob', DELETE: 'deleteBlob' } as const
      if (!hasMethod(kind, method)) break
      return { kind: kind[method], name: parseRepositoryName(resource.name), digest: parseDigest(resource.item) }
    }
    case 'uploads':
      if (method === 'POST') return startUploadRoute(parseRepositoryName(resource.name), parameters)
      break
    case 'upload': {
      if (method === 'PUT') return { kind: 'finishUpload', ...uploadOf(resource), digest: requiredDigest(parameters) }
      const kind = { GET: 'uploadStatus', HEAD: 'uploadStatus', PATCH: 'uploadChunk', DELETE: 'cancelUpload' } as const
      if (hasMethod(kind, method)) return { kind: kind[method], ...uploadOf(resource) }
      break
    }
    case 'repository':
      if (method === 'DELETE') return { kind: 'deleteRepository', name: parseRepositoryName(resource.name) }
      break
  }
  throw new RegistryError('UNSUPPORTED', {
    message: 'the method is not supported here',
    headers: { allow: ALLOWED[resource.type] },
  })
}

function hasMethod<T extends object>(kinds: T, method: string): method is keyof T & string {
  return Object.hasOwn(kinds, method)
}

function startUploadRoute(name: string, parameters: Parameters): Route {
  const mount = single(parameters, 'mount')
  const from = single(parameters, 'from')
  const digest = single(parameters, 'digest')
  const algorithm = single(parameters, 'digest-algorithm')
  if (mount !== undefined) {
    const source = from === undefined || from === '' ? undefined : parseRepositoryName(from)
    return { kind: 'mountBlob', name, digest: parseDigest(mount), ...(source !== undefined && { from: source }) }
  }
  if (digest !== undefined) return { kind: 'uploadBlob', name, digest: parseDigest(digest) }
  if (algorithm === undefined) return { kind: 'startUpload', name, algorithm: 'sha256' }
  if (isDigestAlgorithm(algorithm)) return { kind: 'startUpload', name, algorithm }
  throw new RegistryError('DIGEST_INVALID', {
    message: 'not a digest algorithm of this registry: expected sha256 or sha512',
    detail: { algorithm: algorithm.slice(0, 64) },
  })
}

function putManifestRoute(resource: Resource, parameters: Parameters): Route {
  const tags = new Set(parameters.getAll('tag'))
  if (tags.size > MAX_TAG_PARAMETERS) {
    throw new RegistryError('UNSUPPORTED', {
      status: 414, // end-7b
      message: `too many tags for one request: at most ${MAX_TAG_PARAMETERS}`,
    })
  }
  return { kind: 'putManifest', ...manifestOf(resource), tags: [...tags].map(parseTag) }
}

function referrersRoute(resource: Resource, parameters: Parameters): Route {
  const artifactType = single(parameters, 'artifactType')
  return {
    kind: 'listReferrers',
    name: parseRepositoryName(resource.name),
    digest: parseDigest(resource.item),
    ...page(parameters, parseDigest),
    ...(artifactType !== undefined && { artifactType }),
  }
}

function manifestOf({ name, item }: Resource): { readonly name: string; readonly reference: string } {
  return { name: parseRepositoryName(name), reference: item.includes(':') ? parseDigest(item) : parseTag(item) }
}

function uploadOf({ name, item }: Resource): { readonly name: string; readonly upload: string } {
  const repository = parseRepositoryName(name)
  if (isUploadId(item)) return { name: repository, upload: item }
  throw new RegistryError('BLOB_UPLOAD_UNKNOWN')
}

function requiredDigest(parameters: Parameters): Digest {
  const digest = single(parameters, 'digest')
  if (digest !== undefined) return parseDigest(digest)
  throw new RegistryError('DIGEST_INVALID', { message: 'the digest parameter is missing' })
}

/** `n` and `last`; an empty `last` is as good as none, some clients send it with their first page. */
function page(
  parameters: Parameters,
  parseItem: (text: string) => string,
): { readonly limit?: number; readonly after?: string } {
  const limit = single(parameters, 'n')
  const after = single(parameters, 'last')
  return {
    ...(limit !== undefined && { limit: pageSize('n', limit) }),
    ...(after !== undefined && after !== '' && { after: parseItem(after) }),
  }
}
