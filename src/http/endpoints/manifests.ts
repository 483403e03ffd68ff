import type { OperationContext, Repository } from '../../backend.ts'
import { readAll } from '../../bytes.ts'
import { NO_MANIFEST, RegistryError, unless } from '../../errors.ts'
import type { Descriptor } from '../../spec/descriptor.ts'
import { type Digest, isDigest } from '../../spec/digest.ts'
import { detectMediaType, parseManifest } from '../../spec/manifest.ts'
import { isMediaType } from '../../spec/media-types.ts'
import { expectedTag, isNotModified, preconditionFailed } from '../conditional.ts'
import type { Exchange } from '../exchange.ts'
import { ACCEPTED, etagOf, headerOf, INERT_CONTENT, immutableFor } from '../headers.ts'
import type { HttpRequest, HttpResponse } from '../message.ts'
import { contentLengthOf, refuseEncoded } from '../upload-content.ts'

/** From here on, manifests are looked at one per turn of the event loop: 4 MiB take some 30 ms. */
const LARGE_MANIFEST_BYTES = 64 * 1024

/** end-3: the stored bytes under the stored type, whatever `Accept` says: a digest has one representation. */
export async function getManifest(exchange: Exchange<'getManifest'>): Promise<HttpResponse> {
  const { request, route, backend, context } = exchange
  const { descriptor, content } = await backend.repository(route.name).manifests.get(route.reference, context)
  if (isNotModified(request, descriptor.digest)) return notModified(exchange, descriptor)
  return { status: 200, headers: manifestHeaders(exchange, descriptor), body: content }
}

/** end-3 */
export async function headManifest(exchange: Exchange<'headManifest'>): Promise<HttpResponse> {
  const { request, route, backend, context } = exchange
  const descriptor = await backend.repository(route.name).manifests.stat(route.reference, context)
  if (isNotModified(request, descriptor.digest)) return notModified(exchange, descriptor)
  return { status: 200, headers: manifestHeaders(exchange, descriptor), body: null }
}

/** end-7a, end-7b */
export async function putManifest(exchange: Exchange<'putManifest'>): Promise<HttpResponse> {
  const { request, route, backend, context, settings } = exchange
  refuseEncoded(request)
  // Small ones, as nearly all are, are looked at in no time.
  const turnFor = async (size: number) => size > LARGE_MANIFEST_BYTES && settings.turns.next()
  const content = await readManifest(request, settings.maxManifestBytes, turnFor)
  const turn = () => turnFor(content.byteLength)
  const mediaType = mediaTypeOf(request, content)
  const repository = backend.repository(route.name)
  const digest = isDigest(route.reference) ? route.reference : undefined
  const tags = digest === undefined ? [...new Set([route.reference, ...route.tags])] : route.tags
  const expected = await expectedTag(request, () => resolve(repository, tags[0] ?? route.reference, context))
  if (tags.length === 0 && expected !== undefined) await checkExpected(repository, route.reference, expected, context)
  await turn()
  const descriptor = await repository.manifests.put(content, {
    ...context,
    mediaType,
    ...(tags.length > 0 && { tags }),
    ...(tags.length > 0 && expected !== undefined && { expected }),
    ...(digest !== undefined && { digest }),
  })
  await turn()
  const subject = subjectOf(content, mediaType)
  const reference = descriptor.digest
  return {
    status: 201,
    headers: {
      location: settings.locator.location(request, { kind: 'getManifest', name: route.name, reference }),
      'docker-content-digest': descriptor.digest,
      etag: etagOf(descriptor.digest),
      'content-length': '0',
      ...(subject !== undefined && { 'oci-subject': subject }),
      ...(route.tags.length > 0 && { 'oci-tag': tags }),
    },
    body: null,
  }
}

/** end-9 */
export async function deleteManifest({ route, backend, context }: Exchange<'deleteManifest'>): Promise<HttpResponse> {
  const { manifests, tags } = backend.repository(route.name)
  if (isDigest(route.reference)) await manifests.delete(route.reference, context)
  else await tags.delete(route.reference, context)
  return ACCEPTED
}

/** @throws {@link RegistryError} `MANIFEST_INVALID` (413), before reading where the length is announced */
async function readManifest(
  request: HttpRequest,
  maxBytes: number,
  turnFor: (size: number) => unknown,
): Promise<Uint8Array> {
  const length = contentLengthOf(request)
  const content = length !== undefined && length > maxBytes ? undefined : await readAll(request.body, maxBytes, turnFor)
  if (content !== undefined) return content
  throw new RegistryError('MANIFEST_INVALID', {
    status: 413,
    message: `manifest too large: at most ${maxBytes} bytes`,
    detail: { limit: maxBytes },
  })
}

/** `Content-Type` without parameters, else what the bytes tell; fit for a header of ours later. */
function mediaTypeOf(request: HttpRequest, content: Uint8Array): string {
  const header = headerOf(request, 'content-type')
  const mediaType = header?.split(';', 1)[0]?.trim() || detectMediaType(content)
  if (mediaType !== undefined && isMediaType(mediaType)) return mediaType
  throw new RegistryError('MANIFEST_INVALID', {
    message: mediaType === undefined ? 'the Content-Type of the manifest is missing' : 'not a media type: Content-Type',
  })
}

/** What `OCI-Subject` confirms. Nearly no manifest has one: look at the bytes before parsing a second time. */
function subjectOf(content: Uint8Array, mediaType: string): Digest | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  if (!bytes.includes('"subject"') && !bytes.includes('\\u')) return undefined
  return parseManifest(content, mediaType).subject?.digest
}

/** A PUT by digest moves no tag: its preconditions are about the manifest itself. */
async function checkExpected(
  repository: Repository,
  reference: string,
  expected: Digest | 'any' | null,
  context: OperationContext,
): Promise<void> {
  const found = await resolve(repository, reference, context)
  if (expected === 'any' ? found === undefined : found !== (expected ?? undefined)) throw preconditionFailed()
}

async function resolve(
  { manifests }: Repository,
  reference: string,
  context: OperationContext,
): Promise<Digest | undefined> {
  return (await unless(NO_MANIFEST, manifests.stat(reference, context)))?.digest
}

function manifestHeaders(
  exchange: Exchange<'getManifest' | 'headManifest'>,
  { mediaType, size, digest }: Descriptor,
): HttpResponse['headers'] {
  return {
    'content-type': mediaType,
    'content-length': String(size),
    'docker-content-digest': digest,
    etag: etagOf(digest),
    'cache-control': cachingOf(exchange),
    'content-security-policy': INERT_CONTENT,
  }
}

function notModified(exchange: Exchange<'getManifest' | 'headManifest'>, { digest }: Descriptor): HttpResponse {
  const headers = { 'docker-content-digest': digest, etag: etagOf(digest), 'cache-control': cachingOf(exchange) }
  return { status: 304, headers, body: null }
}

/** A tag moves: a cache may keep what it points to, and has to ask each time. */
function cachingOf({ route, grant }: Exchange<'getManifest' | 'headManifest'>): string {
  if (isDigest(route.reference)) return immutableFor(grant.subject)
  return grant.subject === undefined ? 'no-cache, no-transform' : 'private, no-cache, no-transform'
}
