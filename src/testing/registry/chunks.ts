import { checkAmount, checkChoice, checkOptions } from '../../arguments.ts'
import { headerOf } from '../../http/headers.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from '../../http/message.ts'
import { type Middleware, pathOf, queryOf, refusal, routeOf, withBody, withHeaders } from './middleware.ts'

/** How blobs may be sent in pieces. */
export interface ChunkRules {
  /**
   * Any number of PATCHes; a single one, without a `Content-Range`, that brings all; or none: POST and PUT alone.
   * Default: any.
   */
  readonly patches?: 'any' | 'single' | 'none'
  /** Smallest chunk but the last, in bytes: once a smaller one has come, another is refused. Default: 1. */
  readonly minBytes?: number
  /** Whether `OCI-Chunk-Min-Length` tells of it. Default: yes. */
  readonly announced?: boolean
  /** Largest body that comes with a `Content-Range`, in bytes: a larger one is 416. Default: any. */
  readonly maxBytes?: number
  /** What a PATCH that went well is answered with. Default: 202. */
  readonly status?: 201 | 202
  /** Whether `Range` keeps saying where the first PATCH ended. Default: no. */
  readonly staleRange?: boolean
}

/** @throws `TypeError` */
export function checkChunkRules(rules: ChunkRules): void {
  checkOptions('the option "chunks"', rules, {
    patches: true,
    minBytes: true,
    announced: true,
    maxBytes: true,
    status: true,
    staleRange: true,
  })
  checkChoice('chunks.patches', rules.patches, ['any', 'single', 'none'])
  checkAmount('chunks.minBytes', rules.minBytes)
  checkAmount('chunks.maxBytes', rules.maxBytes)
}

export function chunkRules(rules: ChunkRules): Middleware {
  const { minBytes = 0, announced = true } = rules
  const uploads = new Map<string, ChunkedUpload>()
  return async (request, next) => {
    const route = routeOf(request)
    if (route?.kind === 'startUpload' || route?.kind === 'mountBlob') {
      const response = await next(request)
      const tell = response?.status === 202 && minBytes > 0 && announced
      return tell ? withHeaders(response, { 'oci-chunk-min-length': String(minBytes) }) : response
    }
    if (route?.kind !== 'uploadChunk' && route?.kind !== 'finishUpload') return next(request)
    const upload = uploads.get(route.upload) ?? new ChunkedUpload(rules)
    uploads.set(route.upload, upload)
    const refused = upload.refusalOf(request)
    if (refused !== undefined) return refused
    return route.kind === 'finishUpload' ? next(request) : upload.patch(request, next)
  }
}

/** What has been sent of one blob. */
class ChunkedUpload {
  readonly #rules: ChunkRules
  #patches = 0
  /** The first `Range` that was answered. */
  #range: string | undefined
  /** Whether a chunk was smaller than it should be: then it must have been the last. */
  #ended = false

  constructor(rules: ChunkRules) {
    this.#rules = rules
  }

  refusalOf(request: HttpRequest): HttpResponse | undefined {
    const { patches = 'any', minBytes = 0, maxBytes = Number.POSITIVE_INFINITY } = this.#rules
    const isRanged = headerOf(request, 'content-range') !== undefined
    if (isRanged && Number(headerOf(request, 'content-length')) > maxBytes) {
      return refusal(416, 'REQUESTED_RANGE_NOT_SATISFIABLE', `the request body is larger than ${maxBytes} bytes`)
    }
    if (request.method !== 'PATCH') return undefined
    if (patches === 'none') return refusal(405, 'UNSUPPORTED', 'send a blob whole, by PUT', { allow: 'PUT' })
    if (patches === 'single' && (isRanged || this.#patches > 0)) {
      return refusal(400, 'UNSUPPORTED', 'chunked uploads are not supported: send a blob whole')
    }
    if (!this.#ended) return undefined
    return refusal(400, 'BLOB_UPLOAD_INVALID', `all chunks but the last must have at least ${minBytes} bytes`)
  }

  async patch(request: HttpRequest, next: HttpHandler): Promise<HttpResponse | undefined> {
    const { minBytes = 0, staleRange = false, status = 202 } = this.#rules
    let received = 0
    const counted = withBody(request, async function* (body) {
      for await (const chunk of body) {
        received += chunk.byteLength
        yield chunk
      }
    })
    const response = await next(counted)
    if (response?.status !== 202) return response // what broke off may be sent again
    this.#patches++
    if (received < minBytes) this.#ended = true
    const { range } = response.headers
    this.#range ??= typeof range === 'string' ? range : '0-0'
    return withHeaders({ ...response, status }, staleRange ? { range: this.#range } : {})
  }
}

/**
 * Where an upload goes on is told with a state in the query of `Location`, as Distribution does: a client that makes up the
 * address, or drops the query, is refused.
 */
export const uploadState: Middleware = async (request, next) => {
  const route = routeOf(request)
  const goesOn = route?.kind === 'uploadChunk' || route?.kind === 'finishUpload' || route?.kind === 'cancelUpload'
  if (goesOn && queryOf(request).get('_state') !== stateOf(route.upload)) {
    return refusal(404, 'BLOB_UPLOAD_INVALID', 'blob upload invalid')
  }
  const response = await next(request)
  const location = response?.headers.location
  if (typeof location !== 'string' || response?.headers['docker-upload-uuid'] === undefined) return response
  const state = stateOf(pathOf({ url: location }).split('/').at(-1) ?? '')
  return withHeaders(response, { location: `${location}?_state=${state}` })
}

function stateOf(upload: string): string {
  return Buffer.from(JSON.stringify({ UUID: upload })).toString('base64url')
}
