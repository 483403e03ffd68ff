import type { LookupFunction } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { RemoteRequest, RemoteResponse } from '../send.ts'
import { type BulkAnswer, BulkConnection, NotPlainError } from './bulk-connection.ts'

export interface BulkClientOptions {
  readonly tlsFor: (url: URL) => ConnectionOptions
  /** For what must be public. */
  readonly publicLookup: LookupFunction
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxConnections: number
}

/** Connections to one origin, of one kind of lookup. */
interface Pool {
  readonly idle: BulkConnection[]
  readonly all: Set<BulkConnection>
}

/** Reads blobs fast: answers to GETs with a body of known length. Whatever else there is, it leaves to Node's own client. */
export class BulkClient {
  readonly #options: BulkClientOptions
  readonly #pools = new Map<string, Pool>()

  constructor(options: BulkClientOptions) {
    this.#options = options
  }

  /**
   * @returns `undefined` for a request or an answer of another kind
   * @throws what the connection fails with, or the reason of the signal
   */
  async get(request: RemoteRequest): Promise<RemoteResponse | undefined> {
    const { method, url, headers, body, signal, publicOnly = false } = request
    if (method !== 'GET' || body !== undefined) return undefined
    const pool = this.#pool(`${publicOnly} ${url.origin}`)
    const isReused = pool.idle.length > 0
    const connection = pool.idle.pop() ?? this.#connect(url, pool, publicOnly)
    if (connection === undefined) return undefined
    let answer: BulkAnswer | undefined
    // Of an answer its body: by then the connection may serve somebody else.
    const onAbort = () => (answer?.body ?? connection).destroy(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      answer = await connection.get(url, headers)
      answer.body.once('close', () => signal?.removeEventListener('abort', onAbort))
      return answer
    } catch (error) {
      signal?.removeEventListener('abort', onAbort)
      connection.destroy()
      if (signal?.aborted) throw signal.reason
      // The server may have ended a connection that was kept at the moment it was asked.
      if (error instanceof NotPlainError || isReused) return undefined
      throw error
    }
  }

  close(): void {
    for (const { all } of this.#pools.values()) for (const connection of all) connection.destroy()
    this.#pools.clear()
  }

  #pool(key: string): Pool {
    const known = this.#pools.get(key)
    if (known !== undefined) return known
    const pool: Pool = { idle: [], all: new Set() }
    this.#pools.set(key, pool)
    return pool
  }

  #connect(url: URL, pool: Pool, publicOnly: boolean): BulkConnection | undefined {
    const { tlsFor, publicLookup, connectTimeoutMs, idleTimeoutMs, maxConnections } = this.#options
    if (pool.all.size >= maxConnections) return undefined
    const connection = new BulkConnection(url, {
      ...(publicOnly && { lookup: publicLookup }),
      ...{ tls: tlsFor(url), connectTimeoutMs, idleTimeoutMs },
      onIdle: (idle) => void pool.idle.push(idle),
      onClose: (closed) => {
        pool.all.delete(closed)
        const at = pool.idle.indexOf(closed)
        if (at !== -1) pool.idle.splice(at, 1)
      },
    })
    pool.all.add(connection)
    return connection
  }
}
