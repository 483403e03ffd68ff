import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import type { BlobReader } from '../backend.ts'
import { type ByteBody, bytesBody } from '../bytes.ts'
import { formatContentRange, type Range } from '../spec/range.ts'

/** Ranges nearer to each other than this, in bytes, are sent as one: a part's own header costs about as much. */
const MIN_GAP_BYTES = 80

/** Ascending, with those merged that overlap or lie close together (RFC 9110 §15.3.7.2). */
export function coalesce(ranges: readonly Range[]): readonly Range[] {
  if (ranges.length < 2) return ranges
  const merged: { start: number; end: number }[] = []
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1)
    if (last !== undefined && start - last.end < MIN_GAP_BYTES) last.end = Math.max(last.end, end)
    else merged.push({ start, end })
  }
  return merged
}

/**
 * A `multipart/byteranges` body. The first range is open when this resolves, the others are opened one after the other as
 * the body is read: what cannot be read at all fails in time for an error document.
 *
 * @param contentType - of each part
 * @param size - of the whole, in bytes
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.6
 */
export async function openMultipart(
  ranges: readonly Range[],
  contentType: string,
  size: number,
  open: (range: Range) => Promise<BlobReader>,
): Promise<{ readonly contentType: string; readonly body: ByteBody }> {
  const boundary = randomUUID()
  const heads = ranges.map((range, i) => {
    const delimiter = `${i === 0 ? '' : '\r\n'}--${boundary}\r\n`
    return `${delimiter}content-type: ${contentType}\r\ncontent-range: ${formatContentRange(range, size)}\r\n\r\n`
  })
  const tail = `\r\n--${boundary}--\r\n`
  const [first, ...rest] = ranges
  if (first === undefined) throw new RangeError('no ranges to send')
  const parts = new Parts(await open(first), rest, heads, tail, open)
  const total = [...heads, tail].reduce((sum, text) => sum + text.length, 0)
  const content = ranges.reduce((sum, { start, end }) => sum + end - start, 0)
  return {
    contentType: `multipart/byteranges; boundary=${boundary}`,
    body: {
      size: total + content,
      // A generator that nobody has begun to read does not clean up: the stream's end does.
      stream: () => Readable.from(parts.chunks(), { objectMode: false }).once('close', () => void parts.dispose()),
      sendTo: async (sink, signal) => {
        for await (const body of parts) await body.sendTo(sink, signal)
      },
      [Symbol.asyncDispose]: () => parts.dispose(),
    },
  }
}

/** The bodies of a multipart answer in turn: a head, its content, the next head, the tail. One content is open at a time. */
class Parts {
  readonly #rest: readonly Range[]
  readonly #heads: readonly string[]
  readonly #tail: string
  readonly #open: (range: Range) => Promise<BlobReader>
  #current: ByteBody | undefined

  constructor(
    first: BlobReader,
    rest: readonly Range[],
    heads: readonly string[],
    tail: string,
    open: (range: Range) => Promise<BlobReader>,
  ) {
    this.#current = first.body
    this.#rest = rest
    this.#heads = heads
    this.#tail = tail
    this.#open = open
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ByteBody> {
    try {
      for (const [i, head] of this.#heads.entries()) {
        const range = this.#rest[i - 1]
        if (range !== undefined) this.#current = (await this.#open(range)).body
        yield bytesBody(Buffer.from(head, 'latin1'))
        if (this.#current !== undefined) yield this.#current
        await this.dispose()
      }
      yield bytesBody(Buffer.from(this.#tail, 'latin1'))
    } finally {
      await this.dispose()
    }
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for await (const body of this) yield* body.stream()
  }

  async dispose(): Promise<void> {
    const current = this.#current
    this.#current = undefined
    await current?.[Symbol.asyncDispose]()
  }
}
