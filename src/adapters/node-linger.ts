import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, type ServerHttp2Stream } from 'node:http2'

/** How much of a body that nobody wants is taken, and for how long, so that its sender gets to read our answer. */
const LINGER_BYTES = 1024 * 1024
const LINGER_MS = 1000

/**
 * Sends the last bytes of an answer to a request whose body still arrives, and closes only after a while. Closing at once
 * would reset the connection, as bytes lie in it unread, and a client that is reset while it writes may never read the answer.
 */
export function lingerThenEnd(req: IncomingMessage, res: ServerResponse, last: string | Uint8Array | null): void {
  // `end` would close: Node destroys the socket as soon as the last response on it is out.
  if (last !== null && last.length > 0) res.write(last)
  else res.flushHeaders()
  let left = LINGER_BYTES
  const onData = (chunk: Uint8Array) => {
    left -= chunk.byteLength
    if (left <= 0) req.pause()
  }
  const close = () => {
    clearTimeout(timer)
    req.off('data', onData).off('end', close)
    res.off('close', close)
    res.end()
  }
  const timer = setTimeout(close, LINGER_MS).unref()
  // A reader that gave up half-way has destroyed `req`, which Node keeps from reaching the socket; nothing can be taken then.
  req.on('data', onData).once('end', close).resume()
  res.once('close', close)
}

/**
 * The same on http2, where flow control keeps the rest of the body with its sender, and a reset without an error tells that
 * nobody wants it (RFC 9113, 8.1). A sender that has read the answer stops by itself; Node's own client takes a reset that
 * comes along with the answer for a failure.
 */
export function lingerThenReset(stream: ServerHttp2Stream): void {
  // Otherwise Node resets a stream that nobody reads as soon as the answer is out.
  stream.pause()
  const reset = () => {
    stream.close(constants.NGHTTP2_NO_ERROR)
    // What came in and was not read would keep the stream for as long as its session lives.
    stream.resume()
  }
  const timer = setTimeout(reset, LINGER_MS).unref()
  stream.once('close', () => clearTimeout(timer))
}
