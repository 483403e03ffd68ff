import type { ServerHttp2Session } from 'node:http2'

/** A connection that takes nothing any more does not end by being asked to. */
const GRACE_MS = 5_000

/** Ends a connection on which nothing is asked for: those of HTTP/1.1 Node ends itself, after `keepAliveTimeout`, those of HTTP/2 never. */
export function endWhenIdle(session: ServerHttp2Session, idleMs: number): void {
  let open = 0
  session.on('stream', (stream) => {
    open++
    stream.once('close', () => open--)
  })
  const look = () => {
    if (open > 0) {
      session.setTimeout(idleMs, look)
      return
    }
    session.close()
    const timer = setTimeout(() => session.destroy(), GRACE_MS).unref()
    session.once('close', () => clearTimeout(timer))
  }
  session.setTimeout(idleMs, look)
}
