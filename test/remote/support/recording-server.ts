import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { afterEach } from 'vitest'
import { close, listen } from '../../support/listening.ts'

export interface Recorded {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON, unless it is a text. */
  readonly body?: unknown
}

export type Answerer = (request: Recorded, count: number) => Answer | Promise<Answer>

export interface RecordingServer {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string
  readonly requests: readonly Recorded[]
}

/** Starts servers that note every request, and are gone after the test; to be called while tests are collected. */
export function recordingServers(): (answer: Answerer) => Promise<RecordingServer> {
  const servers: Server[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) await close(server)
  })
  return async (answer) => {
    const requests: Recorded[] = []
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const { method = '', url: path = '', headers } = request
      const query = new URL(path, 'http://x').searchParams
      const recorded = { method, path, query, headers, body: Buffer.concat(chunks).toString() }
      requests.push(recorded)
      const { status = 200, headers: sent = {}, body = '' } = await answer(recorded, requests.length)
      const content = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
      const length = status === 204 ? {} : { 'content-length': String(content.byteLength) }
      response.writeHead(status, { ...length, ...sent }).end(content)
    })
    servers.push(server)
    return { origin: await listen(server), requests }
  }
}
