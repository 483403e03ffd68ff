import { checkAmount, checkOptions, kindOf } from '../arguments.ts'
import type { Backend, RepositoriesOptions, Repository } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import { isRepositoryName, parseRepositoryName } from '../spec/name.ts'
import { Authenticator } from './auth/authenticator.ts'
import { RegistryClient } from './client/registry-client.ts'
import { Retries, type RetryOptions } from './client/retries.ts'
import { type CredentialSource, type Credentials, inlineCredentials } from './credentials/credentials.ts'
import { pageQuery, pages, stringsOf } from './pages.ts'
import { CATALOG } from './paths.ts'
import { parseRegistryAddress, type RegistryAddress } from './registry-url.ts'
import type { RemoteBlobsOptions } from './remote-blobs.ts'
import { RemoteRepository } from './remote-repository.ts'
import { sortedPages } from './sorted-pages.ts'
import { HttpClient, type TlsOptions } from './transport/http-client.ts'
import type { ProxyFor } from './transport/proxy.ts'
import { type UrlRules, urlRules } from './transport/url-rules.ts'

export interface RemoteOptions {
  /** Credentials, or where they are found: `dockerConfig()`. Default: none. */
  readonly credentials?: Credentials | CredentialSource
  /**
   * Certificates, and their checks. `ca` and `insecure` are for the registry and what `realms` and `origins` name; `cert` and `key` for
   * the registry alone. Default: the system's.
   */
  readonly tls?: TlsOptions
  /** The proxy to call through: a URL, or `await proxyFromEnvironment()`. Needs the package `https-proxy-agent`. Default: none. */
  readonly proxy?: string | URL | ProxyFor
  /** Bytes that one request brings at most, for hosts behind a limit of bodies. Default: a blob goes in one request. */
  readonly maxChunkBytes?: number
  /** Origins of token servers on other hosts that may be given the credentials: `https://auth.example`. Default: those known of public registries. */
  readonly realms?: readonly string[]
  /** Other origins that the registry may name though their addresses are private: its bucket's. They are given no credentials. */
  readonly origins?: readonly string[]
  readonly retries?: RetryOptions
  /** How long a connection may take to be made, in milliseconds. Default: 30,000. */
  readonly connectTimeoutMs?: number
  /** How long no byte may come or go, in milliseconds. Default: 300,000. */
  readonly idleTimeoutMs?: number
  /** Connections to one origin at a time. Default: 32. */
  readonly maxConnections?: number
  /** Default: `wharfage`. */
  readonly userAgent?: string
}

/**
 * A registry over HTTP, with the contracts of one at hand. Nothing is sent before the first call; `close()` ends the connections.
 *
 * What a registry has no request for is `UNSUPPORTED`: listing its blobs and its manifests, and, but for a wharfage, deleting a
 * repository. `manifests.delete` cannot tell which tags went along.
 */
export class RemoteBackend implements Backend {
  readonly origin: string
  readonly #http: HttpClient
  readonly #client: RegistryClient
  readonly #blobs: RemoteBlobsOptions

  /**
   * @param registry - a host as in references (`docker.io`, `registry.example:5000`: https, but http on a loopback address), or a URL
   * @throws `TypeError`
   */
  constructor(registry: string | URL, options: RemoteOptions = {}) {
    checkRemoteOptions(options)
    const address = parseRegistryAddress(registry)
    const { tls, connectTimeoutMs, idleTimeoutMs, maxConnections, maxChunkBytes, userAgent = 'wharfage' } = options
    const proxy = proxyOf(options.proxy)
    const rules = urlRules(address.url, {
      ...(options.realms && { realms: options.realms }),
      ...(options.origins && { origins: options.origins }),
    })
    this.#http = new HttpClient({
      ...(tls && { tlsFor: (url) => tlsWithin(rules, tls, url) }),
      ...(proxy && { proxy }),
      ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
      ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
      ...(maxConnections !== undefined && { maxConnections }),
    })
    const send = this.#http.send.bind(this.#http)
    const credentials = sourceOf(options.credentials)
    const authenticator = new Authenticator({ name: address.name, rules, send, ...(credentials && { credentials }) })
    const retries = new Retries(options.retries)
    this.#client = new RegistryClient({ address, send, rules, authenticator, retries, userAgent })
    this.#blobs = maxChunkBytes === undefined ? {} : { maxChunkBytes }
    this.origin = originOf(address)
  }

  /** As in references and where credentials are filed: `docker.io`. */
  get name(): string {
    return this.#client.address.name
  }

  repository(name: string): Repository {
    return new RemoteRepository(this.#client, parseRepositoryName(name), this.#blobs)
  }

  /** @throws `UNSUPPORTED` where the registry has no catalog */
  async *repositories(options: RepositoriesOptions = {}): AsyncGenerator<string> {
    yield* sortedPages(this.#catalog(options), options)
  }

  /** Asks whether the registry is there, and whether its API is open to these credentials. */
  async ping(context: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#client.call({ method: 'GET', target: '/v2/', scopes: [], expect: [200], context })
  }

  close(): Promise<void> {
    this.#http.close()
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async *#catalog({ after, limit, signal }: RepositoriesOptions): AsyncGenerator<readonly string[]> {
    const request = {
      target: CATALOG + pageQuery(after !== undefined && isRepositoryName(after) ? after : undefined, limit),
      scopes: ['registry:catalog:*'],
      absent: 'UNSUPPORTED',
      context: signal && { signal },
    } as const
    for await (const { content } of pages(this.#client, request)) {
      const names = stringsOf(this.#client, content, 'repositories')
      if (!names.every(isRepositoryName)) {
        throw new RegistryError('UNAVAILABLE', { message: `${this.name} lists repositories with names that are none` })
      }
      yield names
    }
  }
}

function checkRemoteOptions(options: RemoteOptions): void {
  checkOptions<RemoteOptions>('new RemoteBackend()', options, {
    credentials: true,
    tls: true,
    proxy: true,
    maxChunkBytes: true,
    realms: true,
    origins: true,
    retries: true,
    connectTimeoutMs: true,
    idleTimeoutMs: true,
    maxConnections: true,
    userAgent: true,
  })
  const { maxChunkBytes, connectTimeoutMs, idleTimeoutMs, maxConnections } = options
  for (const [name, amount] of Object.entries({ maxChunkBytes, connectTimeoutMs, idleTimeoutMs, maxConnections })) {
    checkAmount(name, amount)
    if (amount === 0) throw new TypeError(`the option "${name}" must be more than 0`)
  }
}

/** Whoever the registry sends us on to is given neither our certificate nor the trust that is the registry's. */
function tlsWithin({ registry, realms, origins }: UrlRules, tls: TlsOptions, url: URL): TlsOptions {
  if (url.origin === registry.origin) return tls
  if (url.hostname !== registry.hostname && !realms.includes(url.origin) && !origins.includes(url.origin)) return {}
  const { ca, insecure } = tls
  return { ...(ca !== undefined && { ca }), ...(insecure !== undefined && { insecure }) }
}

function sourceOf(credentials: Credentials | CredentialSource | undefined): CredentialSource | undefined {
  if (credentials === undefined || typeof credentials === 'function') return credentials
  return inlineCredentials(credentials)
}

function proxyOf(proxy: string | URL | ProxyFor | undefined): ProxyFor | undefined {
  if (proxy === undefined || typeof proxy === 'function') return proxy
  if (!URL.canParse(String(proxy))) {
    throw new TypeError(`the option "proxy" must be the URL of an HTTP proxy, not ${kindOf(proxy)}`)
  }
  const url = new URL(proxy)
  return () => url
}

function originOf({ url }: RegistryAddress): string {
  return url.origin + (url.pathname === '/' ? '' : url.pathname)
}
