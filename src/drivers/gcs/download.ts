import { once } from 'node:events'
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bucket } from '@google-cloud/storage'

const ATTEMPTS = 3
const RETRY_MS = 200
const SOCKET_IDLE_MS = 60_000
const MAX_SOCKETS = 256
/** Of an answer that says what is wrong. */
const MAX_MESSAGE_BYTES = 4_096

/**
 * Opens objects with the authorization of the SDK's client, and not through its `createReadStream`: that one, when a reader
 * leaves, destroys the agent, and with it the connections of every other reader.
 */
export class GcsDownloads {
  readonly #bucket: Bucket
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS })
  readonly #https = new HttpsAgent({ keepAlive: true, maxSockets: MAX_SOCKETS })

  constructor(bucket: Bucket) {
    this.#bucket = bucket
  }

  /**
   * Resolves with the answer to a read that went well.
   *
   * @param range - as in a `Range` header
   * @throws an error with the HTTP status as its `code`, or that of the connection
   */
  async open(name: string, range: string | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(name, range, signal)
      } catch (error) {
        const { code } = error as { readonly code?: unknown } // thrown by us, or by node:http
        const isPassing = typeof code !== 'number' || code === 408 || code === 429 || code >= 500
        if (!isPassing || attempt === ATTEMPTS || signal.aborted) throw error
        await delay(RETRY_MS * attempt, undefined, { signal })
      }
    }
  }

  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  async #once(name: string, range: string | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    const { storage, name: bucket } = this.#bucket
    const url = `${storage.baseUrl}/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(name)}?alt=media`
    const headers = { ...(await this.#authorization(url)), ...(range !== undefined && { range }) }
    const request = url.startsWith('https:')
      ? httpsRequest(url, { headers, agent: this.#https, timeout: SOCKET_IDLE_MS })
      : httpRequest(url, { headers, agent: this.#http, timeout: SOCKET_IDLE_MS })
    const stop = () => request.destroy(new Error('no longer wanted'))
    signal.addEventListener('abort', stop, { once: true })
    request.on('timeout', () => request.destroy(new Error(`no byte for ${SOCKET_IDLE_MS / 1000} seconds`)))
    try {
      const answered = once(request, 'response')
      request.end()
      const [response] = (await answered) as [IncomingMessage]
      if (response.statusCode === 200 || response.statusCode === 206) return response
      throw Object.assign(new Error(await messageOf(response)), { code: response.statusCode, response })
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  /** None for an emulator, as with the SDK. */
  async #authorization(url: string): Promise<Readonly<Record<string, string>>> {
    const { storage } = this.#bucket
    if (storage.customEndpoint && !storage.useAuthWithCustomEndpoint) return {}
    return storage.authClient.getRequestHeaders(url)
  }
}

async function messageOf(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
    if (text.length < MAX_MESSAGE_BYTES) text += chunk
  }
  return text.trim() || (response.statusMessage ?? 'no reason given')
}
