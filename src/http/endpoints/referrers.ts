import type { Descriptor } from '../../spec/descriptor.ts'
import { MEDIA_TYPES } from '../../spec/media-types.ts'
import type { Exchange } from '../exchange.ts'
import { jsonResponse } from '../json-listing.ts'
import type { HttpResponse } from '../message.ts'

/**
 * end-12: never 404, a subject that nobody refers to has an empty list. A page ends at its number of entries, or before the
 * index would be larger than the manifests that clients read.
 */
export async function listReferrers(exchange: Exchange<'listReferrers'>): Promise<HttpResponse> {
  const { request, route, settings } = exchange
  const { name, digest, artifactType } = route
  const limit = Math.min(route.limit ?? settings.maxPageSize, settings.maxPageSize)
  const { entries, next: after } = await readPage(exchange, limit)
  const next =
    after === undefined
      ? undefined
      : settings.locator.link(request, {
          kind: 'listReferrers',
          name,
          digest,
          after,
          ...(artifactType !== undefined && { artifactType }),
          ...(route.limit !== undefined && { limit }),
        })
  const response = jsonResponse(HEAD + entries.join(',') + TAIL, MEDIA_TYPES.ociIndex, next)
  if (artifactType === undefined) return response
  return { ...response, headers: { ...response.headers, 'oci-filters-applied': 'artifactType' } }
}

const HEAD = `{"schemaVersion":2,"mediaType":"${MEDIA_TYPES.ociIndex}","manifests":[`
const TAIL = ']}\n'

interface ReferrersPage {
  /** Descriptors, serialized. */
  readonly entries: readonly string[]
  /** The digest after which the next page starts; `undefined` when this one is the last. */
  readonly next?: string
}

async function readPage(exchange: Exchange<'listReferrers'>, limit: number): Promise<ReferrersPage> {
  const { settings } = exchange
  const entries: string[] = []
  let bytes = HEAD.length + TAIL.length
  let last: string | undefined
  for await (const descriptor of matching(exchange)) {
    const entry = JSON.stringify(descriptor)
    bytes += Buffer.byteLength(entry) + 1
    const full = entries.length >= limit || (entries.length > 0 && bytes > settings.maxManifestBytes)
    if (full) return { entries, ...(last !== undefined && { next: last }) }
    entries.push(entry)
    last = descriptor.digest
  }
  return { entries }
}

/** The backend filters as well, and may do so with less reading; no type at all is a filter that only we know. */
async function* matching({ route, backend, context }: Exchange<'listReferrers'>): AsyncGenerator<Descriptor> {
  const { name, digest, artifactType, after } = route
  const referrers = backend.repository(name).manifests.referrers(digest, {
    ...context,
    ...(artifactType !== undefined && artifactType !== '' && { artifactType }),
    ...(after !== undefined && { after }),
  })
  for await (const descriptor of referrers) {
    if (artifactType === undefined || (descriptor.artifactType ?? '') === artifactType) yield descriptor
  }
}
