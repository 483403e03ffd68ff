import { type ByteSource, readAll } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import { ByteQueue } from './byte-queue.ts'
import { BLOCK_BYTES, paddingOf, type TarHeader } from './entry.ts'
import { malformed, unsupported } from './errors.ts'
import { upToZero } from './fields.ts'
import { applyRecords, type MetaType, parseHeader, type RawHeader } from './parse-header.ts'
import { isSparse, parsePax } from './pax.ts'

/** One entry of an archive that is being read. */
export interface TarEntry {
  readonly header: TarHeader
  /** The content, empty for all but files; to be read, if at all, before the next entry is asked for. */
  readonly body: AsyncIterable<Uint8Array>
  /**
   * The content as a whole, for small files.
   *
   * @param maxBytes - default: 16 MiB
   * @throws `SIZE_INVALID` when it is larger
   */
  bytes(maxBytes?: number): Promise<Uint8Array>
}

/** Names and records ahead of an entry, in bytes: what has to be held in memory. Of all records of extended attributes Linux takes 64 KiB. */
const MAX_META_BYTES = 1024 * 1024
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024

/**
 * Reads an archive entry by entry: v7, ustar, pax and GNU's. What is not read of a content is read over. When the last entry has
 * been, the source is read to its end, whatever follows the archive; when the reader stops early, it is let go.
 *
 * Nothing that is broken is guessed at: a wrong checksum, a number that is none, a content that ends early fail with
 * `MANIFEST_INVALID`. An archive may lack the blocks that end it, as some writers leave them out.
 *
 * @throws {@link RegistryError} `MANIFEST_INVALID`, `UNSUPPORTED` for sparse files
 */
export async function* readTar(source: ByteSource): AsyncGenerator<TarEntry, void> {
  const queue = new ByteQueue(source)
  let globals = new Map<string, string>()
  let ahead = new Map<string, string>()
  try {
    for (;;) {
      const block = await queue.exactly(BLOCK_BYTES)
      if (block.byteLength === 0) return
      if (block.byteLength < BLOCK_BYTES) throw malformed('it ends within a header')
      if (isZero(block)) return await readEnd(queue)
      const raw = parseHeader(block)
      const { type } = raw
      if (isMeta(type)) {
        const records = await readMeta(queue, raw, type)
        if (type === 'global-pax') globals = join(globals, records)
        else ahead = type === 'pax' ? join(ahead, records) : join(records, ahead)
        continue
      }
      const header = applyRecords(raw, type, new Map([...globals, ...ahead]))
      ahead = new Map()
      const body = new EntryBody(queue, header.size)
      yield { header, body, bytes: (maxBytes = DEFAULT_MAX_BYTES) => readWhole(header, body, maxBytes) }
      await body.end()
    }
  } finally {
    await queue.close()
  }
}

/** The content of one entry within the archive's own bytes. */
class EntryBody implements AsyncIterable<Uint8Array> {
  readonly #queue: ByteQueue
  readonly #size: number
  #left: number
  #isOver = false

  constructor(queue: ByteQueue, size: number) {
    this.#queue = queue
    this.#size = size
    this.#left = size
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      // Whoever kept it would be given the next entry's bytes for this one's.
      if (this.#isOver) throw new TypeError('the content of a tar entry is read before the next entry is asked for')
      if (this.#left === 0) return
      const piece = await this.#queue.some(this.#left)
      if (piece === undefined) throw malformed('it ends within the content of an entry')
      this.#left -= piece.byteLength
      yield piece
    }
  }

  /** Reads over what is left, and what fills the last block. */
  async end(): Promise<void> {
    this.#isOver = true
    const missing = await this.#queue.skip(this.#left + paddingOf(this.#size))
    if (missing > 0) throw malformed('it ends within the content of an entry')
  }
}

async function readWhole(header: TarHeader, body: EntryBody, maxBytes: number): Promise<Uint8Array> {
  const content = header.size > maxBytes ? undefined : await readAll(body, maxBytes)
  if (content !== undefined) return content
  throw new RegistryError('SIZE_INVALID', {
    message: `${header.name} has ${header.size} bytes, more than the ${maxBytes} that were asked for`,
  })
}

/** As pax records, under whose names GNU's long names are put as well. */
async function readMeta(queue: ByteQueue, { size }: RawHeader, type: MetaType): Promise<Map<string, string>> {
  if (size > MAX_META_BYTES) throw malformed(`a header has ${size} bytes of extensions, more than ${MAX_META_BYTES}`)
  const content = await queue.exactly(size)
  if (content.byteLength < size || (await queue.skip(paddingOf(size))) > 0) throw malformed('it ends within a header')
  if (type === 'pax' || type === 'global-pax') {
    const records = parsePax(content)
    if (isSparse(records)) throw unsupported('sparse files are not read')
    return records
  }
  return new Map([[type === 'long-name' ? 'path' : 'linkpath', upToZero(content)]])
}

/** The later ones of the same names count. Bounded: any number of headers may stand ahead of an entry. */
function join(first: ReadonlyMap<string, string>, second: ReadonlyMap<string, string>): Map<string, string> {
  const joined = new Map([...first, ...second])
  let size = 0
  for (const [key, value] of joined) size += key.length + value.length
  if (size > MAX_META_BYTES) throw malformed(`an entry has more than ${MAX_META_BYTES} characters of extensions`)
  return joined
}

/** One block of zeros ends it to most readers; another one has to follow it, if anything does. */
async function readEnd(queue: ByteQueue): Promise<void> {
  const block = await queue.exactly(BLOCK_BYTES)
  if (!isZero(block)) throw malformed('a block of zeros stands between its entries')
  while ((await queue.some(Number.MAX_SAFE_INTEGER)) !== undefined) {
    // What follows belongs to the blob, and to its digest.
  }
}

function isMeta(type: RawHeader['type']): type is MetaType {
  return type === 'pax' || type === 'global-pax' || type === 'long-name' || type === 'long-linkname'
}

function isZero(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0)
}
