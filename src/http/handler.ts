import type { AccessController, Grant } from '../auth/access.ts'
import type { Backend, OperationContext } from '../backend.ts'
import type { Logger } from '../logger.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from './message.ts'
import type { Route, RouteOf } from './route.ts'

export interface HandlerOptions {
  /** Required, so that an open registry is a decision: `anyone()` says it. */
  readonly access: AccessController
  /** Largest manifest accepted, in bytes. Default: 4 MiB. */
  readonly maxManifestBytes?: number
  /** Largest page of tags, referrers and repositories; a larger `n` is clamped. Default: 1000. */
  readonly maxPageSize?: number
  /** Answer blob requests with 307 when the backend knows a URL. Default: yes, where the driver can sign. */
  readonly redirect?: boolean | ((request: HttpRequest) => boolean)
  /** Origin and path under which clients reach the registry, for absolute `Location` headers. Default: path-absolute ones. */
  readonly publicUrl?: URL | string
  /** Browsers of these origins may call; `'*'` for any, without credentials. Default: none. */
  readonly cors?: CorsOptions
  /** Default: warnings and errors to standard error. */
  readonly logger?: Logger
}

export interface CorsOptions {
  readonly origins: '*' | readonly string[]
  /** Seconds a browser may keep the answer to a preflight. Default: 600. */
  readonly maxAgeSeconds?: number
}

export interface Exchange<K extends Route['kind'] = Route['kind']> {
  readonly request: HttpRequest
  readonly route: RouteOf<K>
  readonly backend: Backend
  readonly grant: Grant
  readonly context: OperationContext
  readonly options: HandlerOptions
}

/** Adding a route without an endpoint is a compile error; the table of required access is typed the same way. */
export type Endpoints = { readonly [K in Route['kind']]: (exchange: Exchange<K>) => Promise<HttpResponse> }

/** A function in place of a backend chooses one per request: a tenant by host name, by user, by path. */
export type BackendOf = Backend | ((request: HttpRequest) => Backend | Promise<Backend>)

/** A registry over HTTP: plain messages in, plain messages out. */
export function createHandler(backend: BackendOf, options: HandlerOptions): HttpHandler {
  throw new Error(`not written yet: ${typeof backend} ${typeof options}`)
}
