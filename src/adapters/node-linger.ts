import type { IncomingMessage, ServerResponse } from 'node:http'

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
