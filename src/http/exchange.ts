import type { Grant } from '../auth/access.ts'
import type { Backend, OperationContext } from '../backend.ts'
import type { Locator } from './location.ts'
import type { HttpRequest, HttpResponse } from './message.ts'
import type { GuardedKind } from './required-access.ts'
import type { RouteOf } from './route.ts'
import type { Turns } from './turns.ts'

/** The handler's options, once for all requests, with their defaults. */
export interface Settings {
  readonly maxManifestBytes: number
  /** `Infinity` where there is no limit. */
  readonly maxBlobBytes: number
  readonly maxPageSize: number
  readonly redirects: (request: HttpRequest) => boolean
  readonly locator: Locator
  /** For what takes a while without waiting for anything. */
  readonly turns: Turns
}

/** One authorized request on its way to its endpoint. */
export interface Exchange<K extends GuardedKind = GuardedKind> {
  readonly request: HttpRequest
  readonly route: RouteOf<K>
  readonly backend: Backend
  readonly grant: Grant
  readonly context: OperationContext
  readonly settings: Settings
}

type Endpoint<K extends GuardedKind> = (exchange: Exchange<K>) => HttpResponse | Promise<HttpResponse>

/** Adding a route without an endpoint is a compile error; the table of required access is typed the same way. */
export type Endpoints = { readonly [K in GuardedKind]: Endpoint<K> }
