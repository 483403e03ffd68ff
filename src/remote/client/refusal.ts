import { readAll } from '../../bytes.ts'
import { ERROR_CODES, type ErrorCode, RegistryError } from '../../errors.ts'
import type { RemoteResponse } from '../transport/send.ts'

/** Bytes of an error document that are read. */
const MAX_ERROR_BYTES = 64 * 1024
/** Characters of what a registry says that are repeated. */
const MAX_MESSAGE_LENGTH = 500

/** What a status means by itself, where the registry's own code says nothing better. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHORIZED',
  403: 'DENIED',
  405: 'UNSUPPORTED',
  412: 'DENIED',
  413: 'SIZE_INVALID',
  415: 'UNSUPPORTED',
  416: 'RANGE_INVALID',
  429: 'TOOMANYREQUESTS',
  501: 'UNSUPPORTED',
}

/** What Go's servers, nginx and Apache answer, in words alone, to plain HTTP on a port for TLS. */
const WANTS_TLS = /HTTP request (was sent )?to (an )?HTTPS (server|port)|speaking plain HTTP to an SSL-enabled/i

/** Codes that are believed of a registry that answers 400 or 422: they are about what it was sent. */
const ABOUT_CONTENT: readonly ErrorCode[] = [
  'BLOB_UPLOAD_INVALID',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'NAME_INVALID',
  'SIZE_INVALID',
  'UNSUPPORTED',
  'RANGE_INVALID',
]

/**
 * The error that an answer stands for; reads its body. Only 404 is absence, and only where `absent` says what of: whatever else
 * goes wrong is something that cannot be told.
 *
 * @param registry - its name, for the message
 */
export async function refusalOf(
  registry: string,
  response: RemoteResponse,
  absent: ErrorCode | undefined,
): Promise<RegistryError> {
  const { status } = response
  const said = await readError(response)
  const code = codeOf(status, said?.code, absent)
  const retryAfter = response.headers['retry-after']
  return new RegistryError(code, {
    status: status === 412 || status === 413 ? status : ERROR_CODES[code].status,
    message: `${registry}: ${said?.message ?? ERROR_CODES[code].message} (${status})`,
    ...(retryAfter !== undefined && isRetryable(code) && { headers: { 'retry-after': retryAfter } }),
  })
}

/** Whether the same request may succeed later. */
export function isRetryable(code: ErrorCode): boolean {
  return code === 'UNAVAILABLE' || code === 'TOOMANYREQUESTS'
}

/** Reads what is left, so that the connection can be used again; a long rest is not waited for. */
export async function discard({ body }: RemoteResponse): Promise<void> {
  try {
    if ((await readAll(body, MAX_ERROR_BYTES)) === undefined) body.destroy()
  } catch {
    body.destroy()
  }
}

function codeOf(status: number, said: string | undefined, absent: ErrorCode | undefined): ErrorCode {
  if (status === 404) return absent ?? 'UNSUPPORTED'
  const known = CODES[status]
  if (known !== undefined) return known
  if (status >= 500 || status === 408 || status === 425) return 'UNAVAILABLE'
  const believed = ABOUT_CONTENT.find((code) => code === said)
  return believed ?? 'UNKNOWN'
}

/** The first error of the specification's document; `undefined` where the body is none. */
async function readError(response: RemoteResponse): Promise<{ code?: string; message?: string } | undefined> {
  try {
    const content = await readAll(response.body, MAX_ERROR_BYTES)
    if (content === undefined) {
      response.body.destroy()
      return undefined
    }
    const text = Buffer.from(content).toString()
    if (response.status === 400 && WANTS_TLS.test(text)) return { message: 'it was sent plain HTTP, and speaks TLS' }
    const { errors } = JSON.parse(text) as { errors?: unknown } // looked at field by field
    const [first] = Array.isArray(errors) ? (errors as unknown[]) : []
    if (typeof first !== 'object' || first === null) return undefined
    const { code, message } = first as { code?: unknown; message?: unknown }
    return {
      ...(typeof code === 'string' && { code }),
      ...(typeof message === 'string' && message !== '' && { message: printable(message) }),
    }
  } catch {
    response.body.destroy()
    return undefined
  }
}

/** Fit for a terminal and a log: one line, and no control characters. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim()
  return line.length > MAX_MESSAGE_LENGTH ? `${line.slice(0, MAX_MESSAGE_LENGTH)}…` : line
}
