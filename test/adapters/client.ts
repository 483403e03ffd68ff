import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import type { Readable, Writable } from 'node:stream'
import type { Mount, Running } from './mounts.ts'

export interface Call {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: Uint8Array | string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** A request under way: `sink` takes its body, `answered` has the head of the response and what reads the rest. */
export interface Opened {
  readonly sink: Writable
  readonly answered: Promise<Omit<Answer, 'body'> & { readonly source: Readable }>
  /** Goes away without a word. */
  abandon(): void
}

/** Begins a request over a connection of its own. */
export function open({ protocol }: Mount, { port }: Running, { method = 'GET', path, headers = {} }: Call): Opened {
  if (protocol === 'http2') return openHttp2(connect(`http://127.0.0.1:${port}`), method, path, headers)
  const req = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false })
  const answered = new Promise<IncomingMessage>((resolve, reject) => req.on('response', resolve).on('error', reject))
  return {
    sink: req satisfies ClientRequest,
    answered: answered.then((res) => ({ status: res.statusCode ?? 0, headers: res.headers, source: res })),
    abandon: () => req.destroy(),
  }
}

function openHttp2(session: ClientHttp2Session, method: string, path: string, headers: Call['headers']): Opened {
  const stream: ClientHttp2Stream = session.request(
    { ...headers, ':method': method, ':path': path },
    { endStream: false },
  )
  stream.once('close', () => session.close())
  const answered = new Promise<Omit<Answer, 'body'> & { readonly source: Readable }>((resolve, reject) => {
    session.on('error', reject)
    stream.on('error', reject)
    stream.on('response', (got) => resolve({ status: got[':status'] ?? 0, headers: got, source: stream }))
  })
  return { sink: stream, answered, abandon: () => session.destroy() }
}

/** One whole exchange. */
export async function call(mount: Mount, running: Running, request: Call): Promise<Answer> {
  const { sink, answered } = open(mount, running, withLength(request))
  sink.end(request.body)
  const { source, ...head } = await answered
  const chunks: Buffer[] = []
  for await (const chunk of source) chunks.push(chunk)
  return { ...head, body: Buffer.concat(chunks) }
}

function withLength(request: Call): Call {
  if (request.body === undefined) return request
  return { ...request, headers: { 'content-length': Buffer.byteLength(request.body), ...request.headers } }
}
