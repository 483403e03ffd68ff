import { once, setMaxListeners } from 'node:events'
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ByteSource } from '../../bytes.ts'
import { RegistryError } from '../../errors.ts'
import { isPrivateHost } from './addresses.ts'
import { BulkClient } from './bulk/bulk-client.ts'
import { type ProxyFor, proxyAgent } from './proxy.ts'
import { ForbiddenAddressError, publicLookup, type ResolveName } from './public-lookup.ts'
import type { RemoteRequest, RemoteResponse } from './send.ts'

/** What TLS needs beyond the system's own certificate authorities; PEM. */
export interface TlsOptions {
  /** Certificate authorities to trust in place of the system's. */
  readonly ca?: string | Buffer | (string | Buffer)[]
  /** A client certificate, and its key. */
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly passphrase?: string
  /** Accept any certificate: whoever is in between can then read and change everything. Default: false. */
  readonly insecure?: boolean
}

export interface HttpClientOptions {
  /** What TLS with a host needs: a certificate of ours is for the one that asked us for it, and for no other. Default: nothing. */
  readonly tlsFor?: (url: URL) => TlsOptions
  /** The proxy for a URL, or `undefined` for none. Default: none. */
  readonly proxy?: ProxyFor
  /** How long a connection may take to be made, in milliseconds. Default: 30,000. */
  readonly connectTimeoutMs?: number
  /** How long a connection in use may bring and take no byte, in milliseconds. Default: 300,000. */
  readonly idleTimeoutMs?: number
  /** Connections to one origin at a time; more requests wait. Default: 32. */
  readonly maxConnections?: number
  /** Resolves names that must be public. Default: the system's resolver. */
  readonly resolve?: ResolveName
}

const CONNECT_TIMEOUT_MS = 30_000
const IDLE_TIMEOUT_MS = 300_000
const MAX_CONNECTIONS = 32

type Agent = HttpAgent | HttpsAgent

/** Connections to registries, kept for the next request. */
export class HttpClient {
  readonly #options: HttpClientOptions
  /** Apart for what must be public: a connection that one kind of lookup made must not serve the other. */
  readonly #agents = new Map<string, Agent>()
  readonly #bulk: BulkClient

  constructor(options: HttpClientOptions = {}) {
    this.#options = options
    this.#bulk = new BulkClient({
      tlsFor: (url) => tlsOptions(options.tlsFor?.(url) ?? {}),
      publicLookup: publicLookup(options.resolve),
      connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      idleTimeoutMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
      maxConnections: options.maxConnections ?? MAX_CONNECTIONS,
    })
  }

  /** A {@link Send}. */
  async send(request: RemoteRequest): Promise<RemoteResponse> {
    const { method, url, headers, body, signal } = request
    signal?.throwIfAborted()
    // Many requests of one caller share its signal, and Node would take them for a leak.
    if (signal) setMaxListeners(0, signal)
    const publicOnly = request.publicOnly === true
    // An address is looked up by no socket, and a name by the proxy where there is one.
    if (publicOnly && isPrivateHost(url.hostname)) throw unreachable(url, new ForbiddenAddressError(url.hostname))
    const inBulk = request.bulk === true ? await this.#sendInBulk(request) : undefined
    if (inBulk !== undefined) return inBulk
    const agent = await this.#agentFor(url, publicOnly)
    const open = url.protocol === 'https:' ? requestHttps : requestHttp
    const req = open(url, { method, headers, agent, ...(signal && { signal }) })
    // What fails once the answer has begun shows on its body, and here as well: with nobody to hear it, the process would end.
    req.on('error', () => {})
    this.#limit(req)
    const sending = new Sending(req, body)
    try {
      const [response] = (await Promise.race([once(req, 'response'), sending.failure])) as [IncomingMessage]
      sending.endWith(response)
      return { status: response.statusCode ?? 0, headers: response.headers, body: response }
    } catch (error) {
      req.destroy()
      if (signal?.aborted) throw signal.reason
      if (error === sending.sourceError) throw error
      throw unreachable(url, error)
    }
  }

  /** Ends every connection, those in use too. */
  close(): void {
    this.#bulk.close()
    for (const agent of this.#agents.values()) agent.destroy()
    this.#agents.clear()
  }

  /** `undefined`: to be sent by Node's own client. */
  async #sendInBulk(request: RemoteRequest): Promise<RemoteResponse | undefined> {
    const { url, signal } = request
    if (this.#options.proxy?.(url) !== undefined) return undefined
    try {
      return await this.#bulk.get(request)
    } catch (error) {
      throw signal?.aborted ? signal.reason : unreachable(url, error)
    }
  }

  async #agentFor(url: URL, publicOnly: boolean): Promise<Agent> {
    const proxy = this.#options.proxy?.(url)
    const key = `${url.origin} ${publicOnly} ${proxy?.href ?? ''}`
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const { maxConnections = MAX_CONNECTIONS, tlsFor, resolve } = this.#options
    const options = {
      keepAlive: true,
      maxSockets: maxConnections,
      scheduling: 'lifo' as const,
      ...(publicOnly && { lookup: publicLookup(resolve) }),
      ...(url.protocol === 'https:' && tlsOptions(tlsFor?.(url) ?? {})),
    }
    const agent =
      proxy !== undefined
        ? await proxyAgent(proxy, options)
        : url.protocol === 'https:'
          ? new HttpsAgent(options)
          : new HttpAgent(options)
    // Another request may have made one meanwhile; of two, only one would be closed.
    const first = this.#agents.get(key) ?? agent
    this.#agents.set(key, first)
    return first
  }

  #limit(req: ClientRequest): void {
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS, idleTimeoutMs = IDLE_TIMEOUT_MS } = this.#options
    req.once('socket', (socket) => {
      if (!socket.connecting) return
      const timer = setTimeout(
        () => req.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
        connectTimeoutMs,
      )
      const stop = () => clearTimeout(timer)
      socket.once('connect', stop).once('close', stop)
    })
    req.setTimeout(idleTimeoutMs, () => req.destroy(new Error(`no answer within ${idleTimeoutMs} ms`)))
  }
}

/** The body of a request on its way. */
class Sending {
  readonly #req: ClientRequest
  /** Rejects when the body cannot be sent; never resolves. */
  readonly failure: Promise<never>
  /** What the caller's own stream failed with: no fault of the registry's. */
  sourceError: unknown

  constructor(req: ClientRequest, body: ByteSource | undefined) {
    this.#req = req
    this.failure = new Promise((_, reject) => {
      if (body === undefined || body instanceof Uint8Array) req.end(body)
      else this.#pump(body).catch(reject)
    })
    this.failure.catch(() => {}) // the answer may come first
  }

  /** An answer before the end of the body is the answer: a connection that is half way through its request serves no other. */
  endWith(response: IncomingMessage): void {
    response.once('close', () => {
      if (!this.#req.writableFinished) this.#req.destroy()
    })
  }

  async #pump(body: AsyncIterable<Uint8Array>): Promise<void> {
    const source = body instanceof Readable ? body : Readable.from(body, { objectMode: false })
    let networkError: unknown
    this.#req.on('error', (error) => {
      networkError ??= error
    })
    source.once('error', (error) => {
      if (networkError === undefined) this.sourceError = error
    })
    await pipeline(source, this.#req)
  }
}

function tlsOptions({ ca, cert, key, passphrase, insecure }: TlsOptions) {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(passphrase !== undefined && { passphrase }),
    ...(insecure === true && { rejectUnauthorized: false }),
  }
}

/** No answer: nothing is known of what was asked for. */
function unreachable(url: URL, cause: unknown): RegistryError {
  if (cause instanceof ForbiddenAddressError) {
    return new RegistryError('DENIED', { message: `${url.host} is not called: ${cause.message}`, cause })
  }
  const { message, code } = cause as NodeJS.ErrnoException // what sockets and streams fail with
  const isTls = /CERT|SELF_SIGNED|TLS|SSL|UNABLE_TO/.test(code ?? '')
  const hint = isTls
    ? ' (a certificate authority of your own goes into tls.ca, or for all of Node into $NODE_EXTRA_CA_CERTS)'
    : ''
  // What speaks TLS hangs up on plain HTTP, or answers with an alert, which is no HTTP.
  const isPlain = url.protocol === 'http:' && /^(ECONNRESET|HPE_.*)$/.test(code ?? '')
  const how = isPlain ? ' to plain HTTP' : ''
  // Several addresses tried give an AggregateError without a message.
  const said = `${url.host} does not answer${how}: ${message || code}${hint}`
  return new RegistryError('UNAVAILABLE', { message: said, cause })
}
