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

export interface FastifyRouteOptions {
  readonly preParsing: (request: FastifyRequest, reply: unknown, payload: unknown, done: (error: null) => void) => void
}

export interface FastifyApp {
  readonly prefix: string
  removeAllContentTypeParsers(): unknown
  addContentTypeParser(type: string, parser: () => Promise<unknown>): unknown
  all(
    path: string,
    options: FastifyRouteOptions,
    handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>,
  ): unknown
}

export type FastifyPlugin = (app: FastifyApp) => Promise<void>
