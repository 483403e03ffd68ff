import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { HttpRequest } from '../http/message.ts'
import type { Logger } from '../logger.ts'
import { nodeBody } from './node-body.ts'

export type NodeRequest = IncomingMessage | Http2ServerRequest
export type NodeResponse = ServerResponse | Http2ServerResponse

/** What a framework knows of a request beyond Node's own objects. */
export interface Mounted {
  /** The target as the client sent it, before any mount cut its prefix off. Default: `req.url`. */
  readonly outerUrl?: string | undefined
  /** The prefix that the mounts cut off, where the framework says so. */
  readonly base?: string | undefined
  /** Becomes `HttpRequest.raw`. */
  readonly raw: unknown
  /** Where body parsers leave their result, best first: bytes found there stand in for a body that was read already. */
  readonly parsed?: () => readonly unknown[]
}

/** The neutral view of a Node request. What nobody looks at costs nothing: `body` and `signal` are made on first use. */
export function nodeRequest(req: NodeRequest, res: NodeResponse, mounted: Mounted, logger: Logger): HttpRequest {
  const { url, mountPath } = locate(req.url ?? '/', mounted.outerUrl, mounted.base)
  const remoteAddress = req.socket.remoteAddress
  let body: AsyncIterable<Uint8Array> | undefined
  let signal: AbortSignal | undefined
  return {
    method: req.method ?? 'GET',
    url,
    mountPath,
    headers: req.headers,
    raw: mounted.raw,
    secure: 'encrypted' in req.socket && req.socket.encrypted === true,
    ...(remoteAddress !== undefined && { remoteAddress }),
    get body() {
      body ??= nodeBody(req, res, mounted.parsed?.() ?? [], logger)
      return body
    },
    get signal() {
      signal ??= departureSignal(res)
      return signal
    },
  }
}

/** Whether nobody is there any more to take a response. */
export function hasLeft(res: NodeResponse): boolean {
  return 'stream' in res ? res.stream === undefined || res.stream.destroyed : res.destroyed
}

/** Aborts when the connection ends before the response was handed over whole. */
function departureSignal(res: NodeResponse): AbortSignal {
  const controller = new AbortController()
  const onClose = () => {
    // Not `writableFinished`: http2's compatibility layer says so of an aborted response as well.
    if (!res.writableEnded) controller.abort()
  }
  if (hasLeft(res)) onClose()
  else res.once('close', onClose)
  return controller.signal
}

/**
 * Where the registry is mounted, from what the frameworks cut off `req.url` on the way to us. A mount at `/v2` itself,
 * as `app.use('/v2', …)`, is a mount at the root.
 */
export function locate(
  inner: string,
  outer: string = inner,
  base = '',
): { readonly url: string; readonly mountPath: string } {
  let mountPath = base
  let url = outer
  // A proxy's absolute-form target, which servers must accept (RFC 9112, 3.2.2).
  if (outer === inner && !inner.startsWith('/')) url = inner.replace(/^https?:\/\/[^/?#]*/i, '')
  else if (outer !== inner && outer.endsWith(inner)) mountPath = outer.slice(0, -inner.length)
  // Somebody rewrote `req.url`: what they made of it counts.
  else if (outer !== inner) url = base + inner
  if (mountPath.endsWith('/v2')) mountPath = mountPath.slice(0, -3)
  return { url, mountPath }
}
