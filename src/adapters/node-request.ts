import type { HttpRequest } from '../http/message.ts'
import { consoleLogger, type Logger } from '../logger.ts'
import { locate } from './mount-path.ts'
import { type ByteCount, nodeBody } from './node-body.ts'
import type { NodeRequest, NodeResponse } from './node-message.ts'
import { breakWhenStalled } from './node-stall.ts'

export interface AdapterOptions {
  /** Default: warnings and errors to standard error. */
  readonly logger?: Logger
  /** Uploads that bring less, in bytes per second over half a minute, are broken off; 0 lets them be. Default: 1024. */
  readonly minUploadBytesPerSecond?: number
  /**
   * Downloads whose client takes less, in bytes per second over two minutes, are broken off; 0 lets them be. Over TLS and http2 it may
   * take some minutes more. Default: 1024.
   */
  readonly minDownloadBytesPerSecond?: number
}

/** What a framework knows of a request beyond Node's own objects. */
export interface Mounted {
  /** The target as it reached us. Default: `req.url`. */
  readonly innerUrl?: string | undefined
  /** The target as the client sent it, before any mount cut its prefix off. Default: the same. */
  readonly outerUrl?: string | undefined
  /** The prefix that the mounts cut off, where the framework says so. */
  readonly base?: string | undefined
  /** Becomes `HttpRequest.raw`. */
  readonly raw: unknown
  /** Where body parsers leave their result, best first: bytes found there stand in for a body that was read already. */
  readonly parsed?: () => readonly unknown[]
  /** Called when the response is ours, before any of it is sent. */
  readonly claim?: () => void
}

/** The neutral view of a Node request. What nobody looks at costs nothing: `body` and `signal` are made on first use. */
export function nodeRequest(
  req: NodeRequest,
  res: NodeResponse,
  mounted: Mounted,
  options: AdapterOptions,
): HttpRequest {
  const { url, mountPath } = locate(mounted.innerUrl ?? req.url ?? '/', mounted.outerUrl, mounted.base)
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
      body ??= openBody(req, res, mounted, options)
      return body
    },
    get signal() {
      signal ??= departureSignal(res)
      return signal
    },
  }
}

function openBody(
  req: NodeRequest,
  res: NodeResponse,
  mounted: Mounted,
  options: AdapterOptions,
): AsyncIterable<Uint8Array> {
  const { logger = consoleLogger, minUploadBytesPerSecond = 1024 } = options
  const received: ByteCount = { bytes: 0 }
  if (!req.complete && minUploadBytesPerSecond > 0) {
    const { socket } = req
    // Of one that nobody reads on, what it has read ahead stays the same.
    const ofStream = () => received.bytes + req.readableLength
    const bytesReceived = 'stream' in req ? ofStream : () => socket.bytesRead
    breakWhenStalled(req, res, { bytesPerSecond: minUploadBytesPerSecond, bytesReceived })
  }
  return nodeBody(req, res, mounted.parsed?.() ?? [], logger, received)
}

/** Whether nobody is there any more to take a response. */
export function hasLeft(res: NodeResponse): boolean {
  return 'stream' in res ? res.stream === undefined || res.stream.closed : res.destroyed
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
