import { Readable } from 'node:stream'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import type { HttpRequest, HttpResponse } from '../http/message.ts'
import type { Logger } from '../logger.ts'
import type { Mount } from './mount-path.ts'
import { alreadyRead } from './node-body.ts'

/** Path and query of a request, as near to what was sent as `Request` tells. */
export function targetOf({ url }: Request): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const end = url.indexOf('#')
  return start === -1 ? '/' : url.slice(start, end === -1 ? undefined : end)
}

/** What a `Request` does not tell. */
interface Arrival {
  readonly mount: Mount
  readonly remoteAddress: string | undefined
  readonly raw: unknown
  readonly logger: Logger
}

/** The neutral view of a Fetch request. */
export function fromFetch(request: Request, { mount, remoteAddress, raw, logger }: Arrival): HttpRequest {
  // Node's web streams can be iterated; the types of the DOM do not say so.
  const body = request.body as NodeReadableStream<Uint8Array> | null
  return {
    ...mount,
    method: request.method,
    headers: Object.fromEntries(request.headers),
    body: request.bodyUsed ? alreadyRead(logger) : (body ?? Readable.from([])),
    signal: request.signal,
    secure: request.url.startsWith('https:'),
    ...(remoteAddress !== undefined && { remoteAddress }),
    raw,
  }
}

/** A neutral response as Fetch's, which takes its body over. */
export async function toFetch(method: string, { status, headers, body }: HttpResponse): Promise<Response> {
  const init: ResponseInit = { status, headers: headerPairs(headers) }
  // DOM types want to know that no memory is shared, and know nothing of Node's web streams.
  if (body === null || typeof body === 'string' || body instanceof Uint8Array) {
    return new Response(body as string | Uint8Array<ArrayBuffer> | null, init)
  }
  if (method !== 'HEAD') return new Response(Readable.toWeb(body.stream()) as ReadableStream<Uint8Array>, init)
  await body[Symbol.asyncDispose]()
  return new Response(null, init)
}

function headerPairs(headers: HttpResponse['headers']): [string, string][] {
  const pairs: [string, string][] = []
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string') pairs.push([name, value])
    else for (const one of value) pairs.push([name, one])
  }
  return pairs
}
