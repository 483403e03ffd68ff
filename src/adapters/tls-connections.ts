import type { Http2SecureServer, ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { NodeListener } from './node-listener.ts'

/** The connections of a server that asks its clients for certificates, each of which was verified once, when it was made. */
export interface TlsConnections {
  /** Lets running requests finish, and takes no other on the connections that there are. */
  retire(): void
}

/** What a server has that speaks HTTP/1.1 as well, and its types lack. */
interface IdleCloser {
  closeIdleConnections?(): void
}

/** @param listener - gets the requests of the server, but for those on a connection that was retired */
export function handleConnections(server: Http2SecureServer & IdleCloser, listener: NodeListener): TlsConnections {
  const sessions = new Set<ServerHttp2Session>()
  const sockets = new Set<TLSSocket>()
  const retired = new WeakSet<object>()
  /** Whose handshake is not done: its certificate may be verified by what is about to change. */
  const handshaking = new Map<string, Socket>()
  server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket)
    handshaking.set(peer, socket)
    socket.once('close', () => {
      if (handshaking.get(peer) === socket) handshaking.delete(peer)
    })
  })
  server.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    handshaking.delete(peerOf(socket))
    if (socket.alpnProtocol === 'h2') return
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const onRequest: NodeListener = (req, res) => {
    if (retired.has(req.socket)) req.socket.destroy()
    else listener(req, res)
  }
  server.on('request', onRequest).on('checkContinue', onRequest)
  return {
    retire: () => {
      for (const socket of handshaking.values()) socket.destroy()
      for (const session of sessions) session.close()
      for (const socket of sockets) retired.add(socket)
      server.closeIdleConnections?.()
    },
  }
}

function peerOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
