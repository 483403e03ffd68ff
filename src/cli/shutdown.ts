import { type IncomingMessage, Server, type ServerResponse } from 'node:http'
import type { Http2SecureServer, Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** How a server came to its end. */
export type Ending = 'finished' | 'cut off'

/**
 * Waits for SIGTERM or SIGINT, then takes no more connections and lets the running requests finish.
 *
 * @param onStop - told once, when the first signal comes
 * @returns `'cut off'` when a second signal or the end of `drainTimeoutMs` ended requests that were still running
 */
export function untilStopped(
  server: Server | Http2SecureServer,
  drainTimeoutMs: number,
  onStop: (running: number) => void,
): Promise<Ending> {
  const running = countRequests(server)
  const connections = server instanceof Server ? plainConnections(server) : secureConnections(server)
  return new Promise((resolve) => {
    let stopping = false
    let ending: Ending = 'finished'
    let deadline: NodeJS.Timeout | undefined
    let sweep: NodeJS.Timeout | undefined

    const cutOff = () => {
      if (running() > 0) ending = 'cut off'
      connections.closeAll()
    }
    const stop = () => {
      if (stopping) return cutOff()
      stopping = true
      onStop(running())
      connections.closeIdle()
      // A connection becomes idle when its last answer is out, and clients keep those open for the next request.
      sweep = setInterval(connections.closeIdle, 50)
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
function countRequests(server: Server | Http2SecureServer): () => number {
  let running = 0
  const count = (_request: unknown, response: ServerResponse | Http2ServerResponse) => {
    running++
    response.once('close', () => running--)
  }
  // A request that asks before it sends comes as the second, and then not as the first.
  server.on('request', count).on('checkContinue', count)
  return () => running
}

interface Connections {
  /** Closes those that wait for a request. */
  readonly closeIdle: () => void
  readonly closeAll: () => void
}

/**
 * Node closes the idle ones, but those on which nothing was ever sent are to it not idle but about to send a request; clients that open a
 * second connection while the first is busy may never use it.
 */
function plainConnections(server: Server): Connections {
  const unused = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  return {
    closeIdle: () => {
      server.closeIdleConnections()
      for (const socket of unused) if (socket.bytesRead === 0) socket.destroy()
    },
    closeAll: () => server.closeAllConnections(),
  }
}

/** How long a client may take to close its side of a connection after us, so that it gets to read the last answer. */
const LINGER_MS = 1000

/** A server of both versions closes none by itself. */
function secureConnections(server: Http2SecureServer): Connections {
  const sockets = new Set<Socket>()
  const sessions = new Set<ServerHttp2Session>()
  const idle = new Set<TLSSocket>()
  /** How many requests are being answered, by connection of HTTP/1.1. */
  const busy = new Map<Socket, number>()
  // Before the handshake as well: nobody may ever begin it.
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    // A client whose answer nobody reads keeps its side open for good.
    socket.once('finish', () => setTimeout(() => socket.destroy(), LINGER_MS).unref())
    if (socket.alpnProtocol === 'h2') return
    idle.add(socket)
    socket.once('close', () => idle.delete(socket))
  })
  server.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
  })
  const track = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => {
    if ('stream' in request) return
    const { socket } = request
    busy.set(socket, (busy.get(socket) ?? 0) + 1)
    response.once('close', () => {
      const left = (busy.get(socket) ?? 1) - 1
      if (left > 0) busy.set(socket, left)
      else busy.delete(socket)
    })
  }
  server.on('request', track).on('checkContinue', track)
  return {
    closeIdle: () => {
      for (const session of sessions) session.close() // when its streams are done
      for (const socket of idle) if (!busy.has(socket)) socket.destroy()
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
    },
    closeAll: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}
