import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { toNodeListener } from '../../adapters/node.ts'
import type { HttpHandler } from '../../http/message.ts'
import type { Logger } from '../../logger.ts'
import type { Certificates } from './tls.ts'

interface LoopbackOptions {
  /** For HTTPS. */
  readonly certificates: Certificates | undefined
  /** Whether clients have to show a certificate, too. */
  readonly asksClients: boolean
  readonly logger: Logger
}

/** Servers that are alike, each on a free port of 127.0.0.1, and end together. */
export class LoopbackServers {
  readonly #options: LoopbackOptions
  readonly #servers: Server[] = []

  constructor(options: LoopbackOptions) {
    this.#options = options
  }

  /** @param handlerOf - makes what answers, once it is known where that is */
  async listen(handlerOf: (url: URL) => HttpHandler): Promise<URL> {
    const server = this.#create()
    this.#servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo // of a server that listens on a port
    const url = new URL(`${this.#options.certificates === undefined ? 'http' : 'https'}://127.0.0.1:${port}`)
    // Tests hold connections for as long as they like.
    const patient = { minUploadBytesPerSecond: 0, minDownloadBytesPerSecond: 0 }
    const listener = toNodeListener(handlerOf(url), { logger: this.#options.logger, ...patient })
    server.on('request', listener).on('checkContinue', listener)
    return url
  }

  /** Ends what is in the middle of something as well. */
  async close(): Promise<void> {
    await Promise.all(this.#servers.splice(0).map(close))
  }

  #create(): Server {
    const { certificates, asksClients } = this.#options
    const limits = { requestTimeout: 0, headersTimeout: 60_000, keepAliveTimeout: 75_000 }
    if (certificates === undefined) return createServer(limits)
    const { ca, server } = certificates
    const mutual = asksClients ? { ca, requestCert: true, rejectUnauthorized: true } : {}
    return createSecureServer({ ...limits, ...server, ...mutual })
  }
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
