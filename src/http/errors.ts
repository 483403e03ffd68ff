import { setImmediate } from 'node:timers/promises'
import { type ERROR_CODES, RegistryError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { HttpRequest, HttpResponse } from './message.ts'

/** Of a request whose client has gone: nobody reads it, logs tell it from the rest. */
const CLIENT_CLOSED_REQUEST = 499

/**
 * The one place where what was thrown becomes an answer. What is not a {@link RegistryError} is logged whole, and the client
 * learns no more than that: the texts of unexpected errors name files, buckets and hosts.
 */
export async function errorResponse(
  error: unknown,
  request: HttpRequest,
  requestId: string,
  logger: Logger,
): Promise<HttpResponse> {
  const expected = RegistryError.is(error)
  if (!expected || error.status >= 500) {
    if (await clientIsGone(request)) return { status: CLIENT_CLOSED_REQUEST, headers: {}, body: null }
    const fields = { err: error, requestId, method: request.method, url: request.url }
    logger.error(fields, expected ? 'cannot serve a request' : 'unexpected error')
  }
  return expected ? documentOf(error) : documentOf(new RegistryError('UNKNOWN'))
}

/**
 * The specification's error document.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 */
function documentOf({ code, message, detail, status, headers }: RegistryError): HttpResponse {
  const body = serialize(code, message, detail)
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      // Some 4xx may be cached by default: a tag that was missing once would stay so.
      'cache-control': 'no-store',
      ...headers,
    },
    body,
  }
}

function serialize(code: keyof typeof ERROR_CODES, message: string, detail: unknown): string {
  try {
    return `${JSON.stringify({ errors: [{ code, message, detail }] })}\n`
  } catch {
    return `${JSON.stringify({ errors: [{ code, message }] })}\n` // a detail of ours, or a decorator's, that is no JSON
  }
}

/**
 * Whether an error is only the echo of a lost connection. Its body fails first, and the signal follows: wait one turn of
 * the event loop for it.
 */
async function clientIsGone({ signal }: HttpRequest): Promise<boolean> {
  if (!signal.aborted) await setImmediate()
  return signal.aborted
}
