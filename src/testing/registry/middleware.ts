// How a test registry differs from the real one: by functions around its handler, each of which may answer itself, change
// a request on its way in, or an answer on its way out.
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { SinkWriter } from '../../bytes/sink-writer.ts'
import type { SendableBytes } from '../../bytes.ts'
import { COMMON_HEADERS } from '../../http/headers.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from '../../http/message.ts'
import { parseRoute, type Route } from '../../http/route.ts'

export type Middleware = (request: HttpRequest, next: HttpHandler) => Promise<HttpResponse | undefined>

/** The first one sees a request first, and its answer last. */
export function chain(middleware: readonly Middleware[], handler: HttpHandler): HttpHandler {
  return middleware.reduceRight<HttpHandler>((next, each) => (request) => each(request, next), handler)
}

/** What a request asks of a registry; `undefined` for what asks nothing that there is. */
export function routeOf(request: HttpRequest): Route | undefined {
  try {
    return parseRoute(request.method, request.url, request.mountPath)
  } catch {
    return undefined // the registry says what is wrong with it
  }
}

export function pathOf({ url }: Pick<HttpRequest, 'url'>): string {
  return url.split('?', 1)[0] ?? url
}

export function queryOf({ url }: HttpRequest): URLSearchParams {
  const at = url.indexOf('?')
  return new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
}

/** An error document as registries send it, with any code, also those that only one registry has. */
export function refusal(
  status: number,
  code: string,
  message: string,
  headers: HttpResponse['headers'] = {},
): HttpResponse {
  const body = `${JSON.stringify({ errors: [{ code, message }] })}\n`
  return {
    status,
    headers: { ...COMMON_HEADERS, 'content-type': 'application/json', ...lengthOf(body), ...headers },
    body,
  }
}

/** A JSON document in place of the one that `response` has. */
export function withJson(response: HttpResponse, value: unknown): HttpResponse {
  const body = JSON.stringify(value)
  return { ...response, headers: { ...response.headers, ...lengthOf(body) }, body }
}

function lengthOf(body: string): { readonly 'content-length': string } {
  return { 'content-length': String(Buffer.byteLength(body)) }
}

export function withHeaders(response: HttpResponse, headers: HttpResponse['headers']): HttpResponse {
  return { ...response, headers: { ...response.headers, ...headers } }
}

export function withoutHeader(response: HttpResponse, name: string): HttpResponse {
  const { [name]: _, ...headers } = response.headers
  return { ...response, headers }
}

/** The same request with another target. Its body stays unopened until somebody reads it. */
export function withUrl(request: HttpRequest, url: string): HttpRequest {
  return derived(request, { url })
}

/** The same request, whose body goes through `transform` when it is read. */
export function withBody(
  request: HttpRequest,
  transform: (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
): HttpRequest {
  let body: AsyncIterable<Uint8Array> | undefined
  return derived(request, {
    get body() {
      body ??= transform(request.body)
      return body
    },
  })
}

/** All of a body that is known to be small: of a manifest, of a page of tags. */
export async function collected(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Inherited, not copied: reading `body` and `signal` opens them. */
function derived(request: HttpRequest, changes: Partial<HttpRequest>): HttpRequest {
  // What an object inherits is as good as its own to whoever reads it; the compiler does not follow.
  return Object.create(request, Object.getOwnPropertyDescriptors(changes)) as HttpRequest
}

/** The bytes of an answer, however it holds them. */
export function contentOf({ body }: HttpResponse): AsyncIterable<Uint8Array> {
  if (body === null) return Readable.from([], { objectMode: false })
  if (typeof body === 'string') return Readable.from([Buffer.from(body)], { objectMode: false })
  return body instanceof Uint8Array ? Readable.from([body], { objectMode: false }) : body.stream()
}

/** The same answer with other bytes; those of the old one are read as they are sent. */
export function withContent(response: HttpResponse, content: AsyncIterable<Uint8Array>): HttpResponse {
  const body: SendableBytes = {
    stream: () => Readable.from(content, { objectMode: false }),
    // Piece by piece, and no stream in between: one that reads ahead would be further than the client.
    sendTo: async (sink, signal) => {
      const writer = new SinkWriter(sink, signal)
      try {
        for await (const chunk of content) await writer.write(chunk)
      } finally {
        writer.release()
      }
    },
    [Symbol.asyncDispose]: () => discard(response.body),
  }
  return { ...response, body }
}

/** Gives up the body of an answer that is not going to be sent. */
export async function discard(body: HttpResponse['body'] | undefined): Promise<void> {
  if (body !== null && typeof body === 'object' && Symbol.asyncDispose in body) await body[Symbol.asyncDispose]()
}

/** The connection that a request came on. */
export function socketOf(request: HttpRequest): Socket {
  // A test registry listens by `node:http` alone, whose messages these are.
  return (request.raw as { readonly socket: Socket }).socket
}

/** Ends the connection of a request as a crash would, and resolves when everybody has noticed. */
export async function hangUp(request: HttpRequest): Promise<void> {
  const { signal } = request
  socketOf(request).destroy()
  if (!signal.aborted) await once(signal, 'abort')
}
