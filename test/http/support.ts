import { Readable } from 'node:stream'
import { anyone } from '../../src/auth/access.ts'
import type { Backend } from '../../src/backend.ts'
import { memory } from '../../src/drivers/memory.ts'
import { createHandler, type HandlerOptions } from '../../src/http/handler.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from '../../src/http/message.ts'
import { type LogFields, type Logger, silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'

export interface SendOptions extends Partial<Omit<HttpRequest, 'method' | 'url' | 'body'>> {
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>
}

/** A response with its body read whole. */
export interface Answer {
  readonly status: number
  readonly headers: HttpResponse['headers']
  readonly body: Buffer
  readonly text: string
  /** `code` and `message` of the first error of a spec error document; throws when the body is none. */
  readonly error: { readonly code: string; readonly message: string; readonly detail?: unknown }
}

export interface Client {
  readonly registry: Registry
  readonly handler: HttpHandler
  /** A body that is a string or bytes comes with its `content-length`, one that is iterated does not. */
  send(method: string, url: string, options?: SendOptions): Promise<Answer>
  get(url: string, headers?: HttpRequest['headers']): Promise<Answer>
}

/** A handler over a registry in memory, and a client that reads each answer both ways a body can be read, in turns. */
export function client(options: Partial<HandlerOptions> = {}, registry: Registry = newRegistry()): Client {
  const handler = createHandler(registry, { access: anyone(), logger: silentLogger, ...options })
  const send: Client['send'] = async (method, url, sending = {}) => {
    const response = await handler(requestOf(method, url, sending))
    if (response === undefined) throw new Error(`not for a registry: ${method} ${url}`)
    return read(response)
  }
  return { registry, handler, send, get: (url, headers = {}) => send('GET', url, { headers }) }
}

export function newRegistry(): Registry {
  return new Registry({ storage: memory(), logger: silentLogger })
}

export function requestOf(method: string, url: string, { body = '', headers, ...rest }: SendOptions = {}): HttpRequest {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const length = bytes instanceof Uint8Array && { 'content-length': String(bytes.byteLength) }
  return {
    method,
    url,
    headers: { host: 'registry.test', ...length, ...headers },
    body: bytes instanceof Uint8Array ? Readable.from([bytes], { objectMode: false }) : bytes,
    signal: new AbortController().signal,
    raw: undefined,
    ...rest,
  }
}

export async function read({ status, headers, body }: HttpResponse): Promise<Answer> {
  const chunks: Uint8Array[] = []
  if (typeof body === 'string') chunks.push(Buffer.from(body))
  else if (body instanceof Uint8Array) chunks.push(body)
  else if (body !== null) {
    await using owned = body
    for await (const chunk of owned.stream()) chunks.push(chunk)
  }
  const content = Buffer.concat(chunks)
  return {
    status,
    headers,
    body: content,
    text: content.toString(),
    get error() {
      return JSON.parse(content.toString()).errors[0]
    },
  }
}

/** A backend that is never to be reached, or fails in one way. */
export function failing(error: unknown): Backend {
  return {
    repository: () => {
      throw error
    },
    repositories: () => {
      throw error
    },
  }
}

export interface Line {
  readonly level: string
  readonly fields: LogFields
  readonly message: string
}

export function recordingLogger(): Logger & { readonly lines: readonly Line[] } {
  const lines: Line[] = []
  const log = (level: string) => (fields: LogFields, message: string) => void lines.push({ level, fields, message })
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error'), lines }
}

/** One request, answered by a handler over `backend`. */
export async function answerOf(
  backend: Backend,
  request: HttpRequest,
  options: Partial<HandlerOptions> = {},
): Promise<Answer> {
  const response = await createHandler(backend, { access: anyone(), logger: silentLogger, ...options })(request)
  if (response === undefined) throw new Error('not for a registry')
  return read(response)
}
