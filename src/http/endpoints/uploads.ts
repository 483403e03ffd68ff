import type { Blobs, OperationContext, StartUploadOptions, Upload } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import { algorithmOf, type Digest } from '../../spec/digest.ts'
import { formatUploadRange } from '../../spec/range.ts'
import type { Exchange } from '../exchange.ts'
import { pullableBy } from '../grants.ts'
import { endedWhereTooLarge, withinBlobLimit } from '../limits/blob-bytes.ts'
import type { HttpResponse } from '../message.ts'
import { sizeInvalid, type UploadContent, uploadContentOf } from '../upload-content.ts'

type UploadKind =
  | 'startUpload'
  | 'uploadBlob'
  | 'mountBlob'
  | 'uploadStatus'
  | 'uploadChunk'
  | 'finishUpload'
  | 'cancelUpload'

/** end-4a, end-4c */
export function startUpload(exchange: Exchange<'startUpload'>): Promise<HttpResponse> {
  return begin(exchange, { algorithm: exchange.route.algorithm })
}

/** end-4b: the whole blob in one POST. */
export async function uploadBlob(exchange: Exchange<'uploadBlob'>): Promise<HttpResponse> {
  const { request, route, backend, context, settings } = exchange
  const { body, length } = withinBlobLimit(uploadContentOf(request), 0, settings.maxBlobBytes)
  const size = length !== undefined && { size: length }
  await backend.repository(route.name).blobs.put(body, { ...context, digest: route.digest, ...size })
  return created(exchange, route.digest)
}

/**
 * end-11. Whatever stands in the way of a mount, the answer is an upload: what the caller may not pull looks the same as
 * what is not there.
 */
export async function mountBlob(exchange: Exchange<'mountBlob'>): Promise<HttpResponse> {
  const { route, backend, grant, context } = exchange
  const { digest, from } = route
  const mayPull = from === undefined || (await grant.allows({ type: 'repository', name: from, action: 'pull' }))
  if (mayPull && (await mount(backend.repository(route.name).blobs, digest, from ?? sources(exchange), context))) {
    return created(exchange, digest)
  }
  return begin(exchange, { algorithm: algorithmOf(digest) })
}

/** end-13 */
export async function uploadStatus(exchange: Exchange<'uploadStatus'>): Promise<HttpResponse> {
  await using upload = await resume(exchange)
  return { status: 204, headers: sessionHeaders(exchange, upload), body: null }
}

/** end-5: one chunk, or, without a `Content-Range`, a stream. What came before an interruption is kept. */
export async function uploadChunk(exchange: Exchange<'uploadChunk'>): Promise<HttpResponse> {
  const content = uploadContentOf(exchange.request)
  await using upload = await resume(exchange)
  const before = upload.offset
  refuseGap(exchange, upload, content)
  const after = await receiving(exchange, upload, content, ({ body }) =>
    upload.append(body, { ...exchange.context, ...at(content), ...sizeOf(content) }),
  )
  const expected = content.range && content.range.end - content.range.start
  if (expected !== undefined && after - before !== expected) throw sizeInvalid(expected, after - before)
  return { status: 202, headers: { ...sessionHeaders(exchange, upload), 'content-length': '0' }, body: null }
}

/** end-6: with the last chunk, the whole blob, or nothing more. */
export async function finishUpload(exchange: Exchange<'finishUpload'>): Promise<HttpResponse> {
  const { request, route, backend, context } = exchange
  const content = uploadContentOf(request)
  const { blobs } = backend.repository(route.name)
  const session = await blobs.resumeUpload(route.upload, context).catch(async (error: unknown) => {
    // The 201 may have been lost on its way: then this PUT is the second one, and the blob is here.
    if (!RegistryError.is(error, 'BLOB_UPLOAD_UNKNOWN') || !(await has(blobs, route.digest, context))) throw error
    return undefined
  })
  if (session === undefined) return created(exchange, route.digest)
  await using upload = session
  refuseGap(exchange, upload, content)
  await receiving(exchange, upload, content, ({ body, length }) => {
    const last = length !== 0 && { last: body }
    return upload.commit(route.digest, { ...context, ...last, ...at(content), ...sizeOf(content) })
  })
  return created(exchange, route.digest)
}

/** end-14 */
export async function cancelUpload(exchange: Exchange<'cancelUpload'>): Promise<HttpResponse> {
  await using upload = await resume(exchange)
  await upload.cancel()
  return { status: 204, headers: { 'docker-upload-uuid': upload.id }, body: null }
}

function resume({
  route,
  backend,
  context,
}: Exchange<'uploadStatus' | 'uploadChunk' | 'cancelUpload'>): Promise<Upload> {
  return backend.repository(route.name).blobs.resumeUpload(route.upload, context)
}

async function begin(
  exchange: Exchange<'startUpload' | 'mountBlob'>,
  options: StartUploadOptions,
): Promise<HttpResponse> {
  const { route, backend, context } = exchange
  const { blobs } = backend.repository(route.name)
  await using upload = await blobs.startUpload({ ...context, ...options })
  const minimum = blobs.minChunkBytes
  return {
    status: 202,
    headers: {
      ...sessionHeaders(exchange, upload),
      'content-length': '0',
      ...(minimum !== undefined && { 'oci-chunk-min-length': String(minimum) }),
    },
    body: null,
  }
}

/** Whether the blob is mounted now. */
async function mount(
  blobs: Blobs,
  digest: Digest,
  from: string | AsyncIterable<string>,
  context: OperationContext,
): Promise<boolean> {
  try {
    await blobs.mount(digest, from, context)
    return true
  } catch (error) {
    if (RegistryError.is(error) && error.status < 500) return false
    throw error
  }
}

/** Every repository that the caller may pull from. */
async function* sources({ backend, grant, context }: Exchange<'mountBlob'>): AsyncGenerator<string> {
  const all = backend.repositories({ ...context, withBlobsOnly: true })
  for await (const names of pullableBy(grant, all, SOURCES_PER_QUESTION)) yield* names
}

/** Repositories about which a grant is asked at once. */
const SOURCES_PER_QUESTION = 100

/** Out of order is 416, with the place to continue at; found out before a byte is read. */
function refuseGap(
  exchange: Exchange<'uploadChunk' | 'finishUpload'>,
  upload: Upload,
  { range, length }: UploadContent,
): void {
  if (range === undefined || range.start === upload.offset || (length === 0 && range.end === upload.offset)) return
  throw new RegistryError('RANGE_INVALID', {
    message: `the upload continues at byte ${upload.offset}`,
    detail: { offset: upload.offset },
    headers: sessionHeaders(exchange, upload),
  })
}

function at({ range, length }: UploadContent): { readonly at?: number } {
  return range === undefined || length === 0 ? {} : { at: range.start }
}

/** As the headers have it. */
function sizeOf({ range, length }: UploadContent): { readonly size?: number } {
  if (length !== undefined) return { size: length }
  return range === undefined ? {} : { size: range.end - range.start }
}

/**
 * Takes what a request brings, up to the largest blob. Adds to a 416 of the backend (somebody else is appending, say) where the
 * upload stands.
 */
async function receiving<T>(
  exchange: Exchange<'uploadChunk' | 'finishUpload'>,
  upload: Upload,
  content: UploadContent,
  take: (content: UploadContent) => Promise<T>,
): Promise<T> {
  const { maxBlobBytes } = exchange.settings
  try {
    return await endedWhereTooLarge(upload, async () => take(withinBlobLimit(content, upload.offset, maxBlobBytes)))
  } catch (error) {
    if (!RegistryError.is(error, 'RANGE_INVALID')) throw error
    const { message, detail, cause } = error
    throw new RegistryError('RANGE_INVALID', { message, detail, cause, headers: sessionHeaders(exchange, upload) })
  }
}

async function has(blobs: Blobs, digest: Digest, context: OperationContext): Promise<boolean> {
  try {
    await blobs.stat(digest, { ...context, reliedUpon: true })
    return true
  } catch (error) {
    if (RegistryError.is(error, 'BLOB_UNKNOWN')) return false
    throw error
  }
}

function sessionHeaders(
  { request, route, settings }: Exchange<UploadKind>,
  upload: Pick<Upload, 'id' | 'offset'>,
): Record<string, string> {
  const session = { kind: 'uploadStatus', name: route.name, upload: upload.id } as const
  return {
    location: settings.locator.location(request, session),
    range: formatUploadRange(upload.offset),
    // `Range` says the same of one byte as of none. https://datatracker.ietf.org/doc/draft-ietf-httpbis-resumable-upload/
    'upload-offset': String(upload.offset),
    'docker-upload-uuid': upload.id,
  }
}

function created(
  { request, route, settings }: Exchange<'uploadBlob' | 'mountBlob' | 'finishUpload'>,
  digest: Digest,
): HttpResponse {
  return {
    status: 201,
    headers: {
      location: settings.locator.location(request, { kind: 'getBlob', name: route.name, digest }),
      'docker-content-digest': digest,
      'content-length': '0',
    },
    body: null,
  }
}
