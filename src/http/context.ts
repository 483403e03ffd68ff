import { randomUUID } from 'node:crypto'
import type { Grant } from '../auth/access.ts'
import type { OperationContext } from '../backend.ts'
import type { Forwarded } from './forwarded.ts'
import { headerOf } from './headers.ts'
import type { HttpRequest } from './message.ts'
import { namespaceOf } from './namespace.ts'

/** Longest request id that we take from a client, in characters. */
const MAX_REQUEST_ID_LENGTH = 128

/** The client's own `X-Request-Id` where it is fit for logs and headers, else a random one. */
export function requestIdOf(request: HttpRequest): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && isRequestId(given) ? given : randomUUID()
}

/** What every call to the backend carries along. */
export function contextOf(
  request: HttpRequest,
  grant: Grant,
  requestId: string,
  forwarded: Forwarded | undefined,
): OperationContext {
  const address = forwarded?.address ?? request.remoteAddress
  const host = forwarded?.host ?? headerOf(request, 'host')
  const userAgent = headerOf(request, 'user-agent')
  const namespace = namespaceOf(request)
  return {
    signal: request.signal,
    requestId,
    ...(grant.subject !== undefined && { actor: grant.subject }),
    ...(namespace !== undefined && { namespace }),
    request: {
      method: request.method,
      ...(address !== undefined && { address }),
      ...(host !== undefined && { host }),
      ...(userAgent !== undefined && { userAgent }),
    },
  }
}

/** Printable ASCII without spaces, quotes, or anything that a log or a shell may trip over. */
function isRequestId(text: string): boolean {
  if (text.length === 0 || text.length > MAX_REQUEST_ID_LENGTH) return false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    const alphanumeric = (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a)
    if (!alphanumeric && !'-._:+/='.includes(text.charAt(i))) return false
  }
  return true
}
