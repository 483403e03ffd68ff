import { Agent, type IncomingHttpHeaders, request } from 'node:http'

export interface ClientResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface ClientRequest {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

/** An HTTP client over at most eight keep-alive connections to one server; the whole answer or an error. */
export class HttpClient implements Disposable {
  readonly #origin: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 })

  constructor(origin: string) {
    this.#origin = origin
  }

  /** @param target - a path, or a whole URL */
  send(method: string, target: string, { headers = {}, body }: ClientRequest = {}): Promise<ClientResponse> {
    return new Promise((resolve, reject) => {
      const length = { 'content-length': String(body?.byteLength ?? 0) }
      const options = { method, agent: this.#agent, headers: { ...(method !== 'GET' && length), ...headers } }
      const outgoing = request(new URL(target, this.#origin), options, (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () => {
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) })
        })
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}
