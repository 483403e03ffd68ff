import { RegistryError } from '../../errors.ts'
import type { HttpRequest } from '../message.ts'
import type { Route } from '../route.ts'
import { hasNoBody } from '../upload-content.ts'
import { clientKey } from './client-key.ts'

export interface ConcurrentUploadsOptions {
  readonly maxConcurrentUploads: number
  readonly maxConcurrentUploadsPerClient: number
}

/** Routes whose requests bring content. */
const RECEIVING: ReadonlySet<Route['kind']> = new Set(['uploadBlob', 'uploadChunk', 'finishUpload', 'putManifest'])

/** Requests whose content is being received, in this process. */
export class ConcurrentUploads {
  readonly #options: ConcurrentUploadsOptions
  readonly #perClient = new Map<string, number>()
  #running = 0

  constructor(options: ConcurrentUploadsOptions) {
    this.#options = options
  }

  /** Answers, if there is a place for what the request brings. @throws {@link RegistryError} `TOOMANYREQUESTS` with `retry-after` */
  async during<T>({ request, route, subject, address }: Receiving, answer: () => T | Promise<T>): Promise<T> {
    if (!RECEIVING.has(route.kind) || hasNoBody(request)) return answer()
    const { maxConcurrentUploads, maxConcurrentUploadsPerClient } = this.#options
    const client = clientKey(subject, address)
    const own = this.#perClient.get(client) ?? 0
    if (own >= maxConcurrentUploadsPerClient) throw tooMany('by you', maxConcurrentUploadsPerClient)
    if (this.#running >= maxConcurrentUploads) throw tooMany('here', maxConcurrentUploads)
    this.#running++
    this.#perClient.set(client, own + 1)
    try {
      return await answer()
    } finally {
      this.#running--
      const left = (this.#perClient.get(client) ?? 1) - 1
      if (left === 0) this.#perClient.delete(client)
      else this.#perClient.set(client, left)
    }
  }
}

interface Receiving {
  readonly request: HttpRequest
  readonly route: Route
  readonly subject: string | undefined
  readonly address: string | undefined
}

function tooMany(where: string, limit: number): RegistryError {
  return new RegistryError('TOOMANYREQUESTS', {
    message: `too much is being uploaded ${where}: ${limit} requests at once`,
    detail: { limit },
    headers: { 'retry-after': '5' },
  })
}
