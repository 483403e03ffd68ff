import type { AccessContext } from '../auth/access.ts'
import { RegistryError } from '../errors.ts'
import type { Locator } from './location.ts'
import type { HttpRequest } from './message.ts'

/** What a controller said of a decision beyond its outcome. */
export type Notes = Record<string, unknown>

export interface RequestFacts {
  readonly address: string | undefined
  readonly requestId: string
  readonly locator: Locator
}

/** What a controller is told of a request; most never ask for the URL, which is made when they do. */
export function accessContextOf(
  request: HttpRequest,
  { address, requestId, locator }: RequestFacts,
  signal: AbortSignal,
  notes: Notes,
): AccessContext {
  return {
    address,
    requestId,
    signal,
    note: (details) => void Object.assign(notes, details),
    get baseUrl() {
      const url = locator.baseUrl(request)
      if (url !== undefined) return url
      throw new RegistryError('UNSUPPORTED', { status: 400, message: 'the request names no host: send a Host header' })
    },
  }
}
