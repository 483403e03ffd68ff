import type { Http2ServerRequest } from 'node:http2'
import { RegistryError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { NodeRequest, NodeResponse } from './node-message.ts'

const ALREADY_READ = 'the request body was already read: mount the registry before body parsers such as express.json()'

/** Of one body among the many on a connection; Node counts nothing of it. */
export interface ByteCount {
  bytes: number
}

/**
 * The body of a request, which a body parser mounted before us may have taken. Bytes that a parser left whole stand in
 * for it; otherwise reading rejects, so that an empty blob is never stored in place of what the client sent.
 *
 * @param parsed - where parsers leave their results, best first
 * @param received - of http2, grows as the body is read
 */
export function nodeBody(
  req: NodeRequest,
  res: NodeResponse,
  parsed: readonly unknown[],
  logger: Logger,
  received: ByteCount,
): AsyncIterable<Uint8Array> {
  if (req.readableDidRead && hasBody(req)) return spared(req, parsed) ?? alreadyRead(logger)
  if (awaitsContinue(req)) continueWhenRead(req, res)
  return 'stream' in req ? wholeOrRejected(req, received) : req
}

/** A body that rejects when it is read, and says whose mistake that is. */
export function alreadyRead(logger: Logger): AsyncIterable<Uint8Array> {
  logger.error({}, ALREADY_READ)
  const error = new RegistryError('UNKNOWN', { message: ALREADY_READ })
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) }
}

/** The bytes that a parser kept (`req.rawBody`, or `req.body` from `express.raw()`), if they are what was sent. */
function spared(req: NodeRequest, parsed: readonly unknown[]): AsyncIterable<Uint8Array> | undefined {
  // Parsers inflate: what they keep is not what was sent.
  if ((req.headers['content-encoding'] ?? 'identity') !== 'identity') return undefined
  const length = req.headers['content-length']
  for (const bytes of parsed) {
    if (bytes instanceof Uint8Array && (length === undefined || Number(length) === bytes.byteLength)) return one(bytes)
  }
  return undefined
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** An upload that its client cancels ends like a complete one in http2's compatibility layer: tell them apart. */
async function* wholeOrRejected(req: Http2ServerRequest, received: ByteCount): AsyncGenerator<Uint8Array> {
  const { stream } = req
  for await (const chunk of req as AsyncIterable<Uint8Array>) {
    received.bytes += chunk.byteLength
    yield chunk
  }
  // A stream whose request ended in order is still open for the response.
  if (stream.closed) throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
}

/** Whether a request announced a body. */
export function hasBody(req: NodeRequest): boolean {
  const length = req.headers['content-length']
  if (length !== undefined) return length !== '0'
  return 'stream' in req ? !req.stream.endAfterHeaders : req.headers['transfer-encoding'] !== undefined
}

/**
 * Whether the client waits for our 100 before it sends the body. Node sends it by itself unless somebody listens to
 * 'checkContinue'; whoever routed such a request here leaves it to us, so that a refusal arrives without the body.
 */
function awaitsContinue(req: NodeRequest): boolean {
  if (req.headers.expect?.toLowerCase() !== '100-continue') return false
  return (serverOf(req)?.listenerCount('checkContinue') ?? 0) > 0
}

/** Sends the 100 when the first byte is asked for: until then we may still refuse without it. */
function continueWhenRead(req: NodeRequest, res: NodeResponse): void {
  const read = req._read
  req._read = (size) => {
    req._read = read
    // What is read after the answer is only thrown away.
    if (!res.headersSent) res.writeContinue()
    req._read(size)
  }
}

interface ServerLike {
  readonly requestTimeout?: number
  listenerCount(event: string): number
}

/** The server that a request came through. */
export function serverOf(req: NodeRequest): ServerLike | undefined {
  // Node notes it on every connection that a server accepts, http2 included; the types do not tell.
  return (req.socket as { readonly server?: ServerLike } | null)?.server
}
