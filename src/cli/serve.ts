import { once } from 'node:events'
import type { Server } from 'node:http'
import type { Http2SecureServer } from 'node:http2'
import { hostname } from 'node:os'
import { createRegistryServer } from '../adapters/node.ts'
import type { TlsOptions } from '../adapters/tls-files.ts'
import { createTlsRegistryServer } from '../adapters/tls-server.ts'
import { quota } from '../decorators/quota.ts'
import { readOnly } from '../decorators/read-only.ts'
import type { HandlerOptions } from '../http/handler.ts'
import { Registry } from '../registry.ts'
import { openAccess } from './access.ts'
import { openAuditLog } from './audit-log.ts'
import { CliError, EXIT_FAILURE, EXIT_OK, messageOf } from './cli-error.ts'
import { optionsHelp } from './help.ts'
import { explainListenError, formatAddress, isLoopback, type ListenAddress } from './listen-address.ts'
import { openProxyCache } from './proxy-cache.ts'
import { parseServeOptions, SERVE_OPTIONS, type ServeOptions } from './serve-options.ts'
import { untilStopped } from './shutdown.ts'
import { openStorage } from './storage.ts'

export function serveHelp(): string {
  return [
    'Usage: wharfage serve [options]',
    '',
    'Serves a registry over HTTP, or with --tls-cert over HTTPS, until SIGTERM or SIGINT: to everybody, or with --htpasswd to',
    'whoever has a password.',
    '',
    'Options:',
    optionsHelp(SERVE_OPTIONS),
    '',
    'Exit codes: 0 stopped, 1 failed or transfers were cut off, 2 wrong options.',
  ].join('\n')
}

/**
 * Serves until a signal comes and the running transfers are done.
 *
 * @throws {@link CliError}
 */
export async function serve(args: readonly string[]): Promise<number> {
  const options = parseServeOptions(args)
  const access = await openAccess(options.access)
  const storage = await openStorage(options.storage)
  const proxy = options.proxies.length > 0 ? await openProxyCache(storage.driver, options) : undefined
  const { quotas, maxBlobBytes, rateLimit } = options.limits
  const registry = new Registry({
    storage: storage.driver,
    sparse: options.sparse,
    use: [
      ...(options.readOnly ? [readOnly()] : []),
      ...(quotas.length > 0 ? [quota({ limits: quotas })] : []),
      ...(proxy ? [proxy.decorator] : []),
    ],
  })
  const audit = options.auditLog === undefined ? undefined : await openAuditLog(options.auditLog)
  try {
    const server = await openServer(registry, options.tls, {
      access,
      redirect: options.redirect,
      trustedProxies: options.trustedProxies,
      ...(audit && { audit: audit.write }),
      ...(options.publicUrl && { publicUrl: options.publicUrl }),
      ...(maxBlobBytes !== undefined && { maxBlobBytes }),
      ...(rateLimit && { rateLimit }),
    })
    const address = await listen(server, options.address)
    const stopped = untilStopped(server, options.drainTimeoutMs, announceStop)
    announce(address, storage.description, options)
    return (await stopped) === 'finished' ? EXIT_OK : EXIT_FAILURE
  } finally {
    await proxy?.close()
    await registry.close()
    await audit?.close()
  }
}

/** @throws {@link CliError} */
async function openServer(registry: Registry, tls: TlsOptions | undefined, options: HandlerOptions) {
  try {
    return tls === undefined
      ? createRegistryServer(registry, options)
      : await createTlsRegistryServer(registry, { ...options, tls })
  } catch (cause) {
    throw new CliError(messageOf(cause), undefined, { cause })
  }
}

/** Resolves with the address, its port the real one. */
async function listen(server: Server | Http2SecureServer, address: ListenAddress): Promise<ListenAddress> {
  try {
    server.listen(address.port, address.host)
    await once(server, 'listening')
  } catch (error) {
    throw explainListenError(error, address) ?? error
  }
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new CliError('not listening on a port')
  return { host: address.host, port: bound.port }
}

function announce(address: ListenAddress, storage: string, options: ServeOptions): void {
  const wildcard = address.host === '0.0.0.0' || address.host === '::'
  const reachable = options.publicUrl?.host ?? formatAddress(wildcard ? { ...address, host: hostname() } : address)
  console.log(`listening on ${options.tls ? 'https' : 'http'}://${formatAddress(address)}`)
  console.log(`images are in ${storage}`)
  for (const { prefix, url } of options.proxies) {
    console.log(`pulls ${prefix === undefined ? 'all' : `${prefix}/…`} through from ${url.href}`)
  }
  if (options.proxies.some(({ prefix }) => prefix === undefined)) {
    // Every name is the other registry's, and none can be pushed.
    console.log(`pull one:\n  docker pull ${reachable}/IMAGE`)
  } else if (!options.readOnly) {
    const login = options.access.htpasswd === undefined ? '' : `  docker login ${reachable}\n`
    console.log(`push one:\n${login}  docker tag IMAGE ${reachable}/IMAGE\n  docker push ${reachable}/IMAGE`)
  }
  const { htpasswd, hasClientCa } = options.access
  if (!isLoopback(address) && htpasswd === undefined && !hasClientCa)
    console.error('wharfage: open to everyone who reaches this address')
}

function announceStop(running: number): void {
  if (running > 0) console.error(`wharfage: stopping when ${running} running request(s) are done; again to stop now`)
}
