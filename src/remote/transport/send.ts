import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { ByteSource } from '../../bytes.ts'

/** One request to one URL. What follows from its answer (a login, a redirect, another try) is for the caller. */
export interface RemoteRequest {
  readonly method: string
  readonly url: URL
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** Its length is in `content-length` where it is known; else it is sent in chunks. */
  readonly body?: ByteSource
  /** Whether every address of the host must be a public one; see `judgeUrl`. */
  readonly publicOnly?: boolean
  /** Whether the answer may be a large one, which is then read in large pieces. */
  readonly bulk?: boolean
  /** Ends the request, and the body of its answer until that was read; its reason is thrown. */
  readonly signal?: AbortSignal
}

export interface RemoteResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** To be read to its end or destroyed: until then it holds a connection. */
  readonly body: Readable
}

/**
 * Sends a request as it is, and follows nothing.
 *
 * @throws {@link RegistryError} `UNAVAILABLE` where no answer came, with the reason as its `cause`; `DENIED` for a forbidden address
 */
export type Send = (request: RemoteRequest) => Promise<RemoteResponse>
