import type { NodeRequest, NodeResponse } from './node-message.ts'

/** How long an upload may bring nothing at all. */
const PERIOD_MS = 30_000

/**
 * Breaks a request off whose body comes in more slowly than anybody uploads, so that a few bytes now and then cannot hold
 * a connection for good. Stands in for `server.requestTimeout`, which measures the whole upload, however well it goes on.
 */
export function breakWhenStalled(req: NodeRequest, res: NodeResponse, bytesPerSecond: number): void {
  const { socket } = req
  let seen = socket.bytesRead
  const timer = setInterval(() => {
    if (req.complete || res.headersSent) return clearInterval(timer)
    const received = socket.bytesRead - seen
    seen += received
    // A full buffer: the storage is the slow one, and the client held back by us.
    const held = req.readableLength >= req.readableHighWaterMark
    if (!held && received < (bytesPerSecond * PERIOD_MS) / 1000) req.destroy(new Error('the upload came to a halt'))
  }, PERIOD_MS).unref()
  res.once('close', () => clearInterval(timer))
}
