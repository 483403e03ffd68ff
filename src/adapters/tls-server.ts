import { createSecureServer, type Http2SecureServer } from 'node:http2'
import { checkChoice, checkOptions, kindOf, MAX_TIMER_MS } from '../arguments.ts'
import type { BackendOf, HandlerOptions } from '../http/handler.ts'
import { endWhenIdle } from './idle-sessions.ts'
import { registryListener } from './node-listener.ts'
import type { AdapterOptions } from './node-request.ts'
import { handleConnections } from './tls-connections.ts'
import { readTlsFiles, secureContext, type TlsContent, type TlsOptions, watchTlsFiles } from './tls-files.ts'

export type { TlsOptions } from './tls-files.ts'

/** Requests of one connection at once; clients keep further ones back. Node's default is without end, Go's is as many. */
const MAX_CONCURRENT_STREAMS = 250

/** A connection on which nothing is asked for ends after this. */
const IDLE_MS = 75_000

/**
 * A server of nothing but a registry, over TLS, not yet listening: HTTP/2 to whoever speaks it, HTTP/1.1 to the rest. Certificates are
 * read again when their files change while it listens, without losing a connection; where the authorities or what they revoked have
 * changed, connections end with the requests that are running.
 *
 * @throws `Error` that says which file cannot be used; `TypeError` for options that make no sense
 */
export async function createTlsRegistryServer(
  registry: BackendOf,
  { tls, ...options }: HandlerOptions & AdapterOptions & { readonly tls: TlsOptions },
): Promise<Http2SecureServer> {
  checkTls(tls)
  let content = await readTlsFiles(tls)
  const server = createSecureServer({
    ...secureContext(content, tls),
    settings: { maxConcurrentStreams: MAX_CONCURRENT_STREAMS },
    allowHTTP1: true,
    requestCert: tls.clientCa !== undefined,
    rejectUnauthorized: tls.clientCa !== undefined && tls.clientCertificates !== 'request',
  })
  const connections = handleConnections(server, registryListener(registry, options))
  // Not in its types: those of HTTP/1.1, as `createRegistryServer` has them.
  Object.assign(server, { requestTimeout: 0, headersTimeout: 60_000, keepAliveTimeout: IDLE_MS })
  server.on('session', (session) => endWhenIdle(session, IDLE_MS))
  const use = (changed: TlsContent) => {
    server.setSecureContext(secureContext(changed, tls))
    // Whoever is let in by a certificate is so for as long as the connection lasts: for days, with HTTP/2.
    if (trustOf(changed) !== trustOf(content)) connections.retire()
    content = changed
  }
  let stop = () => {}
  server.on('listening', () => {
    stop = watchTlsFiles(tls, content, use, options.logger)
  })
  return server.on('close', () => stop())
}

function trustOf({ ca, crl }: TlsContent): string {
  return String([ca, crl])
}

function checkTls(tls: TlsOptions): void {
  checkOptions('"tls"', tls, {
    ...{ cert: true, key: true, clientCa: true, clientCertificates: true, crl: true, minVersion: true, reloadMs: true },
  })
  for (const name of ['cert', 'key', 'clientCa', 'crl'] as const) {
    const file = tls?.[name]
    if (file === undefined && (name === 'clientCa' || name === 'crl')) continue
    if ((typeof file === 'string' && file !== '') || file instanceof URL) continue
    throw new TypeError(`the option "tls.${name}" must be the path of a PEM file, not ${kindOf(file)}`)
  }
  const { reloadMs = 1 } = tls
  if (!Number.isSafeInteger(reloadMs) || reloadMs < 1 || reloadMs > MAX_TIMER_MS) {
    throw new TypeError(`the option "tls.reloadMs" must be a number of milliseconds, not ${kindOf(reloadMs)}`)
  }
  checkChoice('tls.minVersion', tls.minVersion, ['TLSv1.2', 'TLSv1.3'])
  checkChoice('tls.clientCertificates', tls.clientCertificates, ['require', 'request'])
  if (tls.clientCa === undefined && (tls.clientCertificates !== undefined || tls.crl !== undefined)) {
    throw new TypeError('the options "tls.clientCertificates" and "tls.crl" need "tls.clientCa"')
  }
}
