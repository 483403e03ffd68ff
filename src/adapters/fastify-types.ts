import type { IncomingMessage, ServerResponse } from 'node:http'

// The slices of Fastify that we use; structural, so that Fastify is no dependency, not even of the types.

export interface FastifyRequest {
  readonly raw: IncomingMessage
  readonly originalUrl: string
  /** Where `fastify-raw-body` leaves bytes. */
  readonly rawBody?: unknown
}

export interface FastifyReply {
  readonly raw: ServerResponse
  hijack(): unknown
  callNotFound(): unknown
  getHeaders(): Readonly<Record<string, string | number | string[] | undefined>>
}

type Done = (error: null) => void

/** Takes functions of anything: Fastify's own types of what they are given depend on type parameters of the application. */
export interface FastifyApp {
  readonly prefix: string
  removeAllContentTypeParsers(): unknown
  addContentTypeParser(type: string, parser: (request: never, payload: never, done: Done) => void): unknown
  addHook(name: 'preParsing', hook: (request: never, reply: never, payload: never, done: Done) => void): unknown
  all(path: string, handler: (request: never, reply: never) => Promise<unknown>): unknown
}

export type FastifyPlugin = (app: FastifyApp) => Promise<void>
