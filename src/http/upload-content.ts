import { Readable } from 'node:stream'
import { RegistryError } from '../errors.ts'
import { parseDecimal } from '../spec/decimal.ts'
import { parseContentRange, type Range } from '../spec/range.ts'
import { headerOf } from './headers.ts'
import type { HttpRequest } from './message.ts'

/** The body of an upload request, and what its headers say of it. */
export interface UploadContent {
  readonly body: AsyncIterable<Uint8Array>
  /** `Content-Length`, in bytes; absent when the body is sent in chunks. */
  readonly length?: number
  /** `Content-Range`: which bytes of the blob these are. */
  readonly range?: Range
}

/**
 * Reads the headers, and not yet the body. Where a range is given and no length, the body is held to the range while it is
 * read: a client that lies to itself must not be told that all is well.
 *
 * @throws {@link RegistryError} `UNSUPPORTED` (415) for an encoded body, `RANGE_INVALID` (400) for a range that cannot be
 * read, `SIZE_INVALID` when range and length disagree
 */
export function uploadContentOf(request: HttpRequest): UploadContent {
  refuseEncoded(request)
  const length = contentLengthOf(request)
  const header = headerOf(request, 'content-range')
  if (header === undefined) return { body: request.body, ...(length !== undefined && { length }) }
  const range = parseContentRange(header)
  if (range === undefined) {
    throw new RegistryError('RANGE_INVALID', {
      status: 400,
      message: 'not a content range: expected <first>-<last>, both of them positions of bytes in the blob',
    })
  }
  const expected = range.end - range.start
  if (length === undefined) return { body: exactly(request.body, expected), range }
  // A closing PUT without a body may still say where the blob ended: there is nothing to hold it to.
  if (length !== 0 && length !== expected) throw sizeInvalid(expected, length)
  return { body: request.body, length, range }
}

/** @throws {@link RegistryError} `UNSUPPORTED` (415): a digest covers the bytes as they are, so we never decode any. */
export function refuseEncoded(request: HttpRequest): void {
  const encoding = headerOf(request, 'content-encoding')
  if (encoding === undefined || encoding.trim().toLowerCase() === 'identity') return
  throw new RegistryError('UNSUPPORTED', {
    status: 415,
    message: 'encoded content is not supported: send the bytes that the digest covers',
    headers: { 'accept-encoding': 'identity' },
  })
}

/** @throws {@link RegistryError} `SIZE_INVALID` for a length that is none */
export function contentLengthOf(request: HttpRequest): number | undefined {
  const header = headerOf(request, 'content-length')
  if (header === undefined) return undefined
  const length = parseDecimal(header)
  if (length !== undefined) return length
  throw new RegistryError('SIZE_INVALID', { message: 'not a content length' })
}

/** Whether the headers tell that nothing comes. */
export function hasNoBody(request: HttpRequest): boolean {
  return headerOf(request, 'content-length') === '0'
}

export function sizeInvalid(expected: number, received: number): RegistryError {
  return new RegistryError('SIZE_INVALID', { detail: { expected, received } })
}

/** Passes on at most `size` bytes, and fails, when there are more or fewer, after those. */
async function* exactly(body: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let received = 0
  // Failing must not destroy the request: its socket carries the answer.
  for await (const chunk of body instanceof Readable ? body.iterator({ destroyOnReturn: false }) : body) {
    const room = size - received
    received += chunk.byteLength
    if (received > size) {
      if (room > 0) yield chunk.subarray(0, room)
      throw sizeInvalid(size, received)
    }
    yield chunk
  }
  if (received < size) throw sizeInvalid(size, received)
}
