import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/**
 * What happens to a request: it never arrives; it is answered that the store is busy; its answer never comes back, though it had
 * its effect; half of its answer does.
 */
export const SPOILT = ['dropped', 'busy', 'lost', 'cut'] as const
export type Spoilt = (typeof SPOILT)[number]

/** Stands between a client and a real server, on a port of its own, and spoils one request of those that come. */
export class SpoilingProxy {
  /** Requests so far. */
  count = 0
  /** The request that was spoilt, method and path. */
  struck: string | undefined
  readonly #target: URL
  readonly #at: number
  readonly #how: Spoilt
  readonly #server: Server

  private constructor(target: string, at: number, how: Spoilt) {
    this.#target = new URL(target)
    this.#at = at
    this.#how = how
    this.#server = createServer((incoming, outgoing) => this.#pass(incoming, outgoing))
  }

  /** @param at - the number of the request that is spoilt, from 1 */
  static async start(target: string, at: number, how: Spoilt): Promise<SpoilingProxy> {
    const proxy = new SpoilingProxy(target, at, how)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  /** The target's URL, at this proxy. */
  get endpoint(): string {
    const { port } = this.#server.address() as AddressInfo
    const path = this.#target.pathname === '/' ? '' : this.#target.pathname
    return `http://127.0.0.1:${port}${path}`
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const isStruck = ++this.count === this.#at
    if (isStruck) this.struck = `${incoming.method} ${incoming.url}`
    const { socket } = incoming
    if (isStruck && this.#how === 'dropped') {
      socket.destroy()
      return
    }
    if (isStruck && this.#how === 'busy') {
      incoming.resume().once('end', () => outgoing.writeHead(503).end())
      return
    }
    const { hostname, port } = this.#target
    const { method, url: path, rawHeaders: headers } = incoming
    // The headers as they came: the host among them is signed.
    const forward = request({ hostname, port, method, path, headers, agent: false })
    forward.once('error', () => socket.destroy())
    forward.once('response', (answer) => {
      if (isStruck && this.#how !== 'busy') spoil(answer, outgoing, socket, this.#how)
      else answer.pipe(outgoing.writeHead(answer.statusCode ?? 500, answer.rawHeaders))
    })
    incoming.pipe(forward)
  }
}

function spoil(answer: IncomingMessage, outgoing: ServerResponse, socket: Socket, how: Spoilt): void {
  const chunks: Buffer[] = []
  answer.on('data', (chunk: Buffer) => chunks.push(chunk))
  answer.once('end', () => {
    if (how === 'lost') {
      socket.destroy()
      return
    }
    const body = Buffer.concat(chunks)
    outgoing.writeHead(answer.statusCode ?? 500, answer.rawHeaders)
    if (body.length === 0) outgoing.end()
    else outgoing.write(body.subarray(0, body.length >> 1), () => socket.destroy())
  })
}
