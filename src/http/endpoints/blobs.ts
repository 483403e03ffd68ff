import type { BlobReader } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import type { Digest } from '../../spec/digest.ts'
import { MEDIA_TYPES } from '../../spec/media-types.ts'
import { formatContentRange, parseRange, type Range } from '../../spec/range.ts'
import { isNotModified, rangeApplies } from '../conditional.ts'
import type { Exchange } from '../exchange.ts'
import { ACCEPTED, etagOf, headerOf, INERT_CONTENT, immutableFor } from '../headers.ts'
import type { HttpResponse } from '../message.ts'
import { coalesce, openMultipart } from '../multi-range.ts'

/** end-2. One call to the backend, but for a `Range`, which needs the size before it can be read. */
export async function getBlob(exchange: Exchange<'getBlob'>): Promise<HttpResponse> {
  const { request, route, backend, context, settings } = exchange
  const { blobs } = backend.repository(route.name)
  const headers = blobHeaders(exchange)
  if (isNotModified(request, route.digest)) {
    await blobs.stat(route.digest, context)
    return { status: 304, headers: notModifiedHeaders(headers), body: null }
  }
  const range = headerOf(request, 'range')
  if (everyStoreServes(range) && settings.redirects(request)) {
    const remoteAddress = context.request?.address
    const options = { ...context, method: 'GET', ...(remoteAddress !== undefined && { remoteAddress }) } as const
    const url = await blobs.locate(route.digest, options)
    if (url !== undefined) return redirectTo(url, route.digest)
  }
  if (range !== undefined && rangeApplies(request, route.digest)) {
    const { size } = await blobs.stat(route.digest, context)
    const ranges = parseRange(range, size)
    if (ranges === 'unsatisfiable') throw unsatisfiable(size)
    const open = (one: Range): Promise<BlobReader> => blobs.open(route.digest, { ...context, range: one })
    if (ranges !== undefined) return partial(coalesce(ranges), size, headers, open)
  }
  const { body } = await blobs.open(route.digest, context)
  return { status: 200, headers: { ...headers, 'content-length': String(body.size) }, body }
}

/**
 * end-2. Opens nothing, and redirects nowhere: everything a HEAD asks for is known here. Whoever may push takes a 200 as
 * leave not to upload, so the backend is told.
 */
export async function headBlob(exchange: Exchange<'headBlob'>): Promise<HttpResponse> {
  const { request, route, backend, grant, context } = exchange
  const reliedUpon = await grant.allows({ type: 'repository', name: route.name, action: 'push' })
  const { size } = await backend.repository(route.name).blobs.stat(route.digest, { ...context, reliedUpon })
  const headers = blobHeaders(exchange)
  if (isNotModified(request, route.digest)) return { status: 304, headers: notModifiedHeaders(headers), body: null }
  return { status: 200, headers: { ...headers, 'content-length': String(size) }, body: null }
}

/** end-10 */
export async function deleteBlob({ route, backend, context }: Exchange<'deleteBlob'>): Promise<HttpResponse> {
  await backend.repository(route.name).blobs.delete(route.digest, context)
  return ACCEPTED
}

/** A suffix, several ranges, or nonsense: stores behind a redirect ignore or refuse what we can serve. */
function everyStoreServes(range: string | undefined): boolean {
  if (range === undefined) return true
  const [, start, end] = /^bytes=(\d{1,16})-(\d{0,16})$/.exec(range) ?? []
  return start !== undefined && (end === '' || Number(start) <= Number(end))
}

async function partial(
  ranges: readonly Range[],
  size: number,
  headers: HttpResponse['headers'],
  open: (range: Range) => Promise<BlobReader>,
): Promise<HttpResponse> {
  const [first, ...others] = ranges
  if (first !== undefined && others.length === 0) {
    const { body, range } = await open(first)
    const length = { 'content-length': String(body.size), 'content-range': formatContentRange(range, size) }
    return { status: 206, headers: { ...headers, ...length }, body }
  }
  const { contentType, body } = await openMultipart(ranges, MEDIA_TYPES.octetStream, size, open)
  const replaced = { 'content-type': contentType, 'content-length': String(body.size) }
  return { status: 206, headers: { ...headers, ...replaced }, body }
}

function blobHeaders({ route, grant }: Exchange<'getBlob' | 'headBlob'>): HttpResponse['headers'] {
  return {
    'content-type': MEDIA_TYPES.octetStream,
    'docker-content-digest': route.digest,
    etag: etagOf(route.digest),
    'cache-control': immutableFor(grant.subject),
    'accept-ranges': 'bytes',
    'content-security-policy': INERT_CONTENT,
  }
}

/** A redirect keeps the digest, by which clients check what they find there. */
function redirectTo(url: URL, digest: Digest): HttpResponse {
  const headers = { location: url.href, 'docker-content-digest': digest, 'content-length': '0' }
  return { status: 307, headers, body: null }
}

function notModifiedHeaders(headers: HttpResponse['headers']): HttpResponse['headers'] {
  const { 'content-type': _, ...rest } = headers
  return rest
}

function unsatisfiable(size: number): RegistryError {
  return new RegistryError('RANGE_INVALID', {
    message: 'none of the ranges lies within the blob',
    detail: { size },
    headers: { 'content-range': formatContentRange(undefined, size) },
  })
}
