import type { HttpRequest } from '../../http/message.ts'
import { type Middleware, pathOf, withBody } from './middleware.ts'

/** A request as it reached the registry, and what became of it. */
export interface RecordedRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** As it was sent: path and query. */
  readonly url: string
  /** Lower-case names. Of credentials only the scheme is kept: `Basic`, `Bearer`. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Whether it went to the registry, which tokens are part of, or to where blobs are by redirect. */
  readonly origin: 'registry' | 'storage'
  /** `undefined` as long as there is no answer, and for good if the connection was broken off before one. */
  readonly status: number | undefined
  /** Bytes of its body that were read. */
  readonly bytes: number
}

/** Which requests: by all that is given. A text is the whole path, an expression is looked for in path and query. */
export interface RequestMatch {
  readonly method?: string | readonly string[]
  readonly path?: string | RegExp
  readonly status?: number
  readonly origin?: RecordedRequest['origin']
}

export type RequestFilter = RequestMatch | ((request: RecordedRequest) => boolean)

/** Headers that would let whoever reads a log act as somebody else. */
const CREDENTIALS = ['authorization', 'proxy-authorization', 'cookie']

/** What a registry was asked, in the order in which it began to arrive. */
export class RecordedRequests implements Iterable<RecordedRequest> {
  readonly #requests: RecordedRequest[]

  /** @param requests - what they are kept in, by {@link recorder} */
  constructor(requests: RecordedRequest[]) {
    this.#requests = requests
  }

  get length(): number {
    return this.#requests.length
  }

  [Symbol.iterator](): IterableIterator<RecordedRequest> {
    return this.#requests.values()
  }

  /** Negative numbers count from the end, as in an array. */
  at(position: number): RecordedRequest | undefined {
    return this.#requests.at(position)
  }

  filter(filter: RequestFilter): readonly RecordedRequest[] {
    return this.#requests.filter(predicateOf(filter))
  }

  /** The first one. */
  find(filter: RequestFilter): RecordedRequest | undefined {
    return this.#requests.find(predicateOf(filter))
  }

  /** One line for each, as `GET /v2/ 401`: for assertions on what came after what. */
  lines(filter: RequestFilter = {}): readonly string[] {
    return this.filter(filter).map(({ method, url, status }) => `${method} ${url} ${status ?? '-'}`)
  }

  clear(): void {
    this.#requests.length = 0
  }
}

/** Records all that passes. */
export function recorder(requests: RecordedRequest[], origin: RecordedRequest['origin']): Middleware {
  return async (request, next) => {
    const { method, url } = request
    const entry = { method, path: pathOf(request), url, headers: redacted(request), origin, bytes: 0 }
    const record: { -readonly [K in keyof RecordedRequest]: RecordedRequest[K] } = { ...entry, status: undefined }
    requests.push(record)
    const counted = withBody(request, async function* (body) {
      for await (const chunk of body) {
        record.bytes += chunk.byteLength
        yield chunk
      }
    })
    const response = await next(counted)
    if (!request.signal.aborted) record.status = response?.status ?? 404
    return response
  }
}

export function predicateOf(filter: RequestFilter): (request: RecordedRequest) => boolean {
  if (typeof filter === 'function') return filter
  const { method, path, status, origin } = filter
  const methods = typeof method === 'string' ? [method] : method
  return (request) =>
    (methods === undefined || methods.includes(request.method)) &&
    (path === undefined || (typeof path === 'string' ? path === request.path : request.url.search(path) >= 0)) &&
    (status === undefined || status === request.status) &&
    (origin === undefined || origin === request.origin)
}

function redacted({ headers }: HttpRequest): RecordedRequest['headers'] {
  const kept: Record<string, string | readonly string[] | undefined> = { ...headers }
  for (const name of CREDENTIALS) {
    const value = kept[name]
    if (typeof value === 'string') kept[name] = name === 'cookie' ? '' : (value.split(' ', 1)[0] ?? '')
  }
  return kept
}
