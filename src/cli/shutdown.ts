import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** How a server came to its end. */
export type Ending = 'finished' | 'cut off'

/**
 * Waits for SIGTERM or SIGINT, then takes no more connections and lets the running requests finish.
 *
 * @param onStop - told once, when the first signal comes
 * @returns `'cut off'` when a second signal or the end of `drainTimeoutMs` ended requests that were still running
 */
export function untilStopped(
  server: Server,
  drainTimeoutMs: number,
  onStop: (running: number) => void,
): Promise<Ending> {
  const running = countRequests(server)
  const closeUnused = trackUnused(server)
  return new Promise((resolve) => {
    let stopping = false
    let ending: Ending = 'finished'
    let deadline: NodeJS.Timeout | undefined
    let sweep: NodeJS.Timeout | undefined

    const cutOff = () => {
      if (running() > 0) ending = 'cut off'
      server.closeAllConnections()
    }
    const stop = () => {
      if (stopping) return cutOff()
      stopping = true
      onStop(running())
      const closeIdle = () => {
        server.closeIdleConnections()
        closeUnused()
      }
      closeIdle()
      // A connection becomes idle when its last answer is out, and clients keep those open for the next request.
      sweep = setInterval(closeIdle, 50)
      deadline = setTimeout(cutOff, drainTimeoutMs)
      server.close(() => {
        clearInterval(sweep)
        clearTimeout(deadline)
        process.off('SIGTERM', stop)
        process.off('SIGINT', stop)
        resolve(ending)
      })
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}

/** Returns a function that tells how many requests are being answered. */
function countRequests(server: Server): () => number {
  let running = 0
  const count = (_request: IncomingMessage, response: ServerResponse) => {
    running++
    response.once('close', () => running--)
  }
  // A request that asks before it sends comes as the second, and then not as the first.
  server.on('request', count).on('checkContinue', count)
  return () => running
}

/**
 * Returns a function that closes the connections on which nothing was ever sent. To Node they are not idle but about to send a
 * request; clients that open a second connection while the first is busy may never use it.
 */
function trackUnused(server: Server): () => void {
  const unused = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  return () => {
    for (const socket of unused) if (socket.bytesRead === 0) socket.destroy()
  }
}
