import { Buffer } from 'node:buffer'
import { constants, type Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { NodeRequest, NodeResponse } from './node-message.ts'

/** How long an upload may bring nothing at all. */
const PERIOD_MS = 30_000

/** How long a download may take nothing at all: its client may wait for whoever it passes the bytes on to. */
const UNREAD_MS = 120_000

/**
 * Breaks a request off whose body comes in more slowly than anybody uploads, so that a few bytes now and then cannot hold
 * a connection for good. Stands in for `server.requestTimeout`, which measures the whole upload, however well it goes on.
 *
 * @param bytesReceived - of the body so far, or of what grows only as it does
 */
export function breakWhenStalled(
  req: NodeRequest,
  res: NodeResponse,
  { bytesPerSecond, bytesReceived }: { readonly bytesPerSecond: number; readonly bytesReceived: () => number },
): void {
  let seen = bytesReceived()
  const timer = setInterval(() => {
    if (hasArrived(req) || res.headersSent) return clearInterval(timer)
    const received = bytesReceived() - seen
    seen += received
    // Whoever is to take it has something else to do first, and the client is held back by us.
    if (!isBeingRead(req)) return
    // A full buffer: the storage is the slow one, and the client held back by us.
    const held = req.readableLength >= req.readableHighWaterMark
    if (held || received >= (bytesPerSecond * PERIOD_MS) / 1000) return
    // Whoever reads hears of it; with nobody to hear it, it would end the process.
    req.once('error', () => {})
    req.destroy(new Error('the upload came to a halt'))
  }, PERIOD_MS).unref()
  res.once('close', () => clearInterval(timer))
}

/** Whether all of it is here: of http2, `complete` says whether somebody has read it as well. */
function hasArrived(req: NodeRequest): boolean {
  return req.complete || ('stream' in req && req.stream.readableEnded)
}

function isBeingRead(req: NodeRequest): boolean {
  return req.readableFlowing !== null || req.listenerCount('readable') > 0
}

/**
 * Breaks an answer off whose client reads more slowly than anybody downloads. Only while there is something to read: where nothing
 * waits to be sent, the storage is the slow one.
 */
export function breakWhenUnread(req: NodeRequest, res: NodeResponse, bytesPerSecond: number): void {
  const progress = 'stream' in res ? streamProgress(res) : () => socketProgress(req.socket)
  /** Since when the client lags behind, in periods, and what it had taken then. */
  let lag: { periods: number; readonly from: number } | undefined
  const timer = setInterval(() => {
    const { taken, atMost, waiting } = progress()
    if (waiting === 0) lag = undefined
    else if (lag === undefined) lag = { periods: 0, from: taken }
    else {
      lag.periods++
      const expected = (lag.periods * UNREAD_MS * bytesPerSecond) / 1000
      if (taken - lag.from >= expected) lag = { periods: 0, from: taken }
      else if (atMost - lag.from < expected) breakOff(res)
    }
  }, UNREAD_MS).unref()
  res.once('close', () => clearInterval(timer))
}

/** Whoever sends it hears of it, and its client is told where it listens. */
function breakOff(res: NodeResponse): void {
  if (!('stream' in res)) {
    res.destroy(new Error('the download came to a halt'))
    return
  }
  const { stream } = res
  stream?.close(constants.NGHTTP2_CANCEL)
  // Of a connection that takes nothing any more, the stream would wait for its last frame to go out.
  setImmediate(() => stream?.destroy())
}

/** In bytes. */
interface Progress {
  /** What the other side has taken, for certain. */
  readonly taken: number
  /** The same at most: a write may be of a MiB, and how much of it is left is not always known. */
  readonly atMost: number
  /** What we have handed over, and Node has not. */
  readonly waiting: number
}

/**
 * Node counts a write when it begins; what is left of it only the handle tells, where Node's own timeouts look as well, and of an encrypted
 * one nobody does.
 */
function socketProgress(socket: Socket): Progress {
  const begun = socket.bytesWritten
  const waiting = socket.writableLength
  const { writeQueueSize } =
    (socket as { readonly _handle?: { readonly writeQueueSize?: number } | null })._handle ?? {}
  if ('encrypted' in socket || writeQueueSize === undefined) return { taken: begun - waiting, atMost: begun, waiting }
  return { taken: begun - writeQueueSize, atMost: begun - writeQueueSize, waiting }
}

/** Of one answer among the many on a connection, of which Node counts nothing. */
function streamProgress(res: Http2ServerResponse): () => Progress {
  let written = 0
  const write = res.write.bind(res) as (...given: readonly unknown[]) => boolean
  res.write = (chunk: string | Uint8Array, ...rest: readonly unknown[]) => {
    written += Buffer.byteLength(chunk)
    return write(chunk, ...rest)
  }
  return () => {
    const waiting = res.stream?.writableLength ?? 0
    return { taken: written - waiting, atMost: written, waiting }
  }
}
