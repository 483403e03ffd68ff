import type { SendableBytes } from '../bytes.ts'

/** What an adapter hands in. `node:http`'s `IncomingMessage` supplies nearly every field as is. */
export interface HttpRequest {
  readonly method: string
  /** Origin-form target exactly as received: path + query, still percent-encoded. */
  readonly url: string
  /** The part of `url`'s path under which the registry is mounted (`req.baseUrl`); appears in every `Location`. */
  readonly mountPath?: string
  /** Lower-case names, as `IncomingHttpHeaders`. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Read at most once, possibly never. A Node `Readable` is read the fast way. */
  readonly body: AsyncIterable<Uint8Array>
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
  readonly remoteAddress?: string
  /** Whether the connection to the client is encrypted; for absolute URLs. */
  readonly secure?: boolean
  /** What the adapter wrapped (`IncomingMessage`, Koa context, Fastify or Fetch request): `req.user`, tenant, peer certificate. */
  readonly raw: unknown
}

/** What an adapter must send. */
export interface HttpResponse {
  readonly status: number
  /** Lower-case names. An array is sent as repeated headers (two `www-authenticate` challenges). */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /**
   * `null` for HEAD and bodiless statuses; a body is sent, never buffered, and disposed of in any case. Its length is in the
   * headers where it is known; when it fails midway, the connection has to break.
   */
  readonly body: null | string | Uint8Array | SendableBytes
}

/** `undefined`: not a registry path, the adapter passes the request on. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse | undefined>
