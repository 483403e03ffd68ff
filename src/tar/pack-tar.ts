import type { ByteSource } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import { paddingOf, type TarHeader } from './entry.ts'
import { END_OF_ARCHIVE, packHeader } from './pack-header.ts'

/** An entry to be written; `content` brings exactly `header.size` bytes, and is absent where that is 0. */
export interface PackEntry {
  readonly header: TarHeader
  readonly content?: ByteSource
}

/** Smaller pieces than this, in bytes, are handed on together: each piece costs whoever takes it as much as a large one. */
const BATCH_BYTES = 64 * 1024

/**
 * An archive as bytes, entry by entry, each content as it is asked for. What is yielded is never written to again.
 *
 * @throws `SIZE_INVALID` when a content is shorter or longer than its header says
 */
export async function* packTar(entries: AsyncIterable<PackEntry>): AsyncGenerator<Uint8Array, void> {
  const batch = new Batch()
  for await (const { header, content } of entries) {
    yield* batch.add(packHeader(header))
    let left = header.size
    for await (const piece of piecesOf(content)) {
      left -= piece.byteLength
      if (left < 0) throw wrongSize(header, 'more')
      yield* batch.add(piece)
    }
    if (left > 0) throw wrongSize(header, 'less')
    yield* batch.add(new Uint8Array(paddingOf(header.size)))
  }
  yield* batch.add(END_OF_ARCHIVE)
  yield* batch.rest()
}

class Batch {
  #pieces: Uint8Array[] = []
  #size = 0

  /** @returns what is to be handed on now */
  add(piece: Uint8Array): readonly Uint8Array[] {
    if (piece.byteLength >= BATCH_BYTES) return [...this.rest(), piece]
    this.#pieces.push(piece)
    this.#size += piece.byteLength
    return this.#size >= BATCH_BYTES ? this.rest() : []
  }

  rest(): readonly Uint8Array[] {
    if (this.#size === 0) return []
    const joined = Buffer.concat(this.#pieces, this.#size)
    this.#pieces = []
    this.#size = 0
    return [joined]
  }
}

function piecesOf(content: ByteSource | undefined): AsyncIterable<Uint8Array> | readonly Uint8Array[] {
  if (content === undefined) return []
  return content instanceof Uint8Array ? [content] : content
}

function wrongSize({ name, size }: TarHeader, than: 'more' | 'less'): RegistryError {
  return new RegistryError('SIZE_INVALID', {
    message: `${name} brought ${than} than the ${size} bytes that it was said to have`,
  })
}
