import { createServer, type Server } from 'node:http'
import type { BackendOf, HandlerOptions } from '../http/handler.ts'
import { registryListener } from './node-listener.ts'
import type { AdapterOptions } from './node-request.ts'

export { type NodeListener, registryListener, toNodeListener } from './node-listener.ts'
export type { AdapterOptions } from './node-request.ts'
export { createTlsRegistryServer, type TlsOptions } from './tls-server.ts'

/** A server of nothing but a registry, not yet listening: it lets uploads take their time and refuses before they are sent. */
export function createRegistryServer(registry: BackendOf, options: HandlerOptions & AdapterOptions): Server {
  const listener = registryListener(registry, options)
  // Node's 300 s for a whole request would cut big layers off; with it at 0, `headersTimeout` must be said.
  const limits = { requestTimeout: 0, headersTimeout: 60_000, keepAliveTimeout: 75_000 }
  return createServer(limits, listener).on('checkContinue', listener)
}
