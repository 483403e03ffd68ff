import { checkOptions, kindOf } from '../arguments.ts'
import type { BackendOf, HandlerOptions } from '../http/handler.ts'
import type { HttpHandler } from '../http/message.ts'
import { consoleLogger } from '../logger.ts'
import { fromFetch, targetOf, toFetch } from './fetch-message.ts'
import { ADAPTER_OPTIONS, mounted } from './mount-options.ts'
import { locate } from './mount-path.ts'
import type { AdapterOptions } from './node-request.ts'

export {
  type HonoContext,
  type HonoMiddleware,
  type HonoOptions,
  registryMiddleware,
  toHonoMiddleware,
} from './hono.ts'

export interface FetchOptions extends AdapterOptions {
  /** The path below which `/v2/` lies; requests outside it are not ours. Default: none. */
  readonly mountPath?: string
}

/** What a server knows of a request, and `Request` does not tell. */
export interface FetchConnection {
  /** The IP address of whoever sent it. Without, all clients are one to limits of addresses, and `trustedProxies` are not recognised. */
  readonly remoteAddress?: string | undefined
}

/**
 * Answers `undefined` to what is not under `/v2/`. The second argument comes from the server:
 * `Deno.serve((request, { remoteAddr }) => handle(request, { remoteAddress: remoteAddr.hostname }))`, for Bun
 * `fetch: (request, server) => handle(request, { remoteAddress: server.requestIP(request)?.address })`.
 */
export type FetchHandler = (request: Request, connection?: FetchConnection) => Promise<Response | undefined>

/** A registry for whatever speaks Fetch: Deno, Bun, Next.js, tests without a socket. `raw` is the request. */
export function registryFetch(registry: BackendOf, options: HandlerOptions & FetchOptions): FetchHandler {
  return toFetchHandler(...mounted<FetchOptions>(registry, options, { mountPath: true }))
}

/** The same over any handler. */
export function toFetchHandler(handler: HttpHandler, options: FetchOptions = {}): FetchHandler {
  checkFetchOptions(options)
  const { logger = consoleLogger, mountPath = '' } = options
  return async (request, { remoteAddress } = {}) => {
    const target = targetOf(request)
    if (!target.startsWith(`${mountPath}/`)) return undefined
    const mount = locate(target.slice(mountPath.length), target)
    const response = await handler(fromFetch(request, { mount, remoteAddress, raw: request, logger }))
    return response && toFetch(request.method, response)
  }
}

function checkFetchOptions(options: FetchOptions): void {
  checkOptions('the mount', options, { ...ADAPTER_OPTIONS, mountPath: true })
  const { mountPath } = options
  if (mountPath === undefined || mountPath === '' || /^\/.*[^/]$/.test(mountPath)) return
  throw new TypeError(`the option "mountPath" must begin with a slash and not end with one, not ${kindOf(mountPath)}`)
}
