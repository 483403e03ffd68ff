import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { SendableBytes } from '../bytes.ts'
import type { HttpResponse } from './message.ts'

/** Characters gathered before they go out, and up to which a listing is sent with its length. */
const CHUNK_LENGTH = 64 * 1024

interface Page {
  readonly items: readonly string[]
  /** There is at least one more after these. */
  readonly more: boolean
}

/**
 * Up to `limit` items, and whether there are more. With a limit of 0 the listing is still begun, so that a repository that
 * does not exist says so.
 */
export async function takePage(items: AsyncIterable<string>, limit: number): Promise<Page> {
  const page: string[] = []
  for await (const item of items) {
    if (page.length >= limit) return { items: page, more: true }
    page.push(item)
  }
  return { items: page, more: false }
}

/** A JSON document with its length, and a `Link` to the next page where there is one. */
export function jsonResponse(body: string, contentType: string, next: string | undefined): HttpResponse {
  return {
    status: 200,
    headers: {
      'content-type': contentType,
      'content-length': String(Buffer.byteLength(body)),
      ...(next !== undefined && { link: `<${next}>; rel="next"` }),
    },
    body,
  }
}

/**
 * A JSON document that is written while it is listed, in bounded memory. What fits one chunk goes with its length; so does
 * every failure before that become an error document. A later one breaks the connection: half a list must not pass for one.
 */
export async function streamedJson(document: AsyncGenerator<string>): Promise<HttpResponse> {
  const chunks = gather(document)
  const first = await chunks.next()
  if (first.done === true) return jsonResponse('', 'application/json', undefined)
  const second = await chunks.next()
  if (second.done === true) return jsonResponse(first.value, 'application/json', undefined)
  const rest = following([first.value, second.value], chunks)
  return { status: 200, headers: { 'content-type': 'application/json' }, body: textBody(rest) }
}

function textBody(chunks: AsyncIterableIterator<string>): SendableBytes {
  return {
    stream: () => Readable.from(chunks, { objectMode: false }),
    sendTo: (sink, signal) => pipeline(Readable.from(chunks), sink, { end: false, ...(signal && { signal }) }),
    [Symbol.asyncDispose]: async () => void (await chunks.return?.()),
  }
}

async function* gather(pieces: AsyncGenerator<string>): AsyncGenerator<string> {
  let chunk = ''
  for await (const piece of pieces) {
    chunk += piece
    if (chunk.length < CHUNK_LENGTH) continue
    yield chunk
    chunk = ''
  }
  if (chunk !== '') yield chunk
}

/** Not a generator: one that nobody has begun to read would not close `rest`. */
function following(first: string[], rest: AsyncGenerator<string>): AsyncIterableIterator<string> {
  return {
    next: () => {
      const value = first.shift()
      return value === undefined ? rest.next() : Promise.resolve({ value, done: false })
    },
    return: () => rest.return(undefined),
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
