import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Pace } from './bytes/pace.ts'
import { SinkWriter } from './bytes/sink-writer.ts'

/** What we accept: `Uint8Array`, `IncomingMessage`, `fs.ReadStream`, web `ReadableStream`, generators. */
export type ByteSource = Uint8Array | AsyncIterable<Uint8Array>

/** What we return: always a Node stream, so it can be `pipeline`d without conversion. */
export type ByteStream = Readable

/** Half-open byte range `[start, end)`; `end` omitted means "to the end". */
export interface ByteRange {
  readonly start: number
  readonly end?: number
}

/**
 * Bytes that are ready to go: whatever can fail to open has failed already. Read once, by one of the two ways;
 * disposing an unread or half-read body releases its file descriptor or socket.
 */
export interface ByteBody extends SendableBytes {
  /** Bytes. */
  readonly size: number
}

/** A {@link ByteBody} whose length only its end will tell: a listing that is written as it is read. */
export interface SendableBytes extends AsyncDisposable {
  /** Takes over the body: destroying the stream releases what the body held. */
  stream(): ByteStream
  /**
   * The fast way out for `node:http`: pooled large reads for a file, a pipeline for the rest. Honours back-pressure,
   * does not end `sink`. Rejects when the bytes cannot be read, when `sink` closes, and when `signal` aborts.
   */
  sendTo(sink: Writable, signal?: AbortSignal): Promise<void>
}

/** A body over bytes that are in memory already. */
export function bytesBody(content: Uint8Array): ByteBody {
  return {
    size: content.byteLength,
    stream: () => Readable.from([content], { objectMode: false }),
    sendTo: (sink, signal) => writeAll(sink, content, signal),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/** A body over any Node stream of known length. */
export function streamBody(stream: Readable, size: number): ByteBody {
  return {
    size,
    stream: () => stream,
    sendTo: (sink, signal) => sendStream(stream, sink, signal),
    [Symbol.asyncDispose]: async () => void stream.destroy(),
  }
}

/**
 * Reads a whole source into memory, up to `maxBytes`.
 *
 * @param beforeJoin - awaited before several pieces are put together, which takes a while for millions of bytes
 * @returns `undefined` when there is more. A Node stream is then left where it is, neither read on nor destroyed: behind an
 * `IncomingMessage` is the socket on which a refusal has to travel.
 */
export async function readAll(
  source: ByteSource,
  maxBytes: number,
  beforeJoin?: (size: number) => unknown,
): Promise<Uint8Array | undefined> {
  if (source instanceof Uint8Array) return source.byteLength > maxBytes ? undefined : source
  const chunks: Uint8Array[] = []
  const pace = new Pace()
  let size = 0
  const kept = source instanceof Readable ? source.iterator({ destroyOnReturn: false }) : source
  for await (const chunk of kept) {
    size += chunk.byteLength
    if (size > maxBytes) return undefined
    chunks.push(chunk)
    await pace.take(chunk.byteLength)
  }
  if (chunks.length === 1) return chunks[0]
  await beforeJoin?.(size)
  return Buffer.concat(chunks, size)
}

/**
 * Lets a stream fail before it is read: whoever reads it then meets the error, which with nobody to hear it would end the process. To be
 * called by whoever is handed a source and has something else to do first.
 */
export function awaitErrors(source: ByteSource): void {
  if (source instanceof Readable) source.on('error', () => {})
}

/** Resolves when the sink has taken everything: a pipeline that does not end its sink is done when the last write is queued. */
async function sendStream(stream: Readable, sink: Writable, signal?: AbortSignal): Promise<void> {
  try {
    await pipeline(stream, sink, { end: false, ...(signal && { signal }) })
  } catch (error) {
    stream.destroy() // which pipeline() does not do when the sink was closed before, from Node 24 on
    throw signal?.aborted ? signal.reason : error
  }
  if (sink.writableLength > 0) await writeAll(sink, new Uint8Array(), signal)
}

/** One write, resolved when the sink has taken the bytes. */
async function writeAll(sink: Writable, content: Uint8Array, signal?: AbortSignal): Promise<void> {
  const writer = new SinkWriter(sink, signal)
  try {
    await writer.write(content)
  } finally {
    writer.release()
  }
}
