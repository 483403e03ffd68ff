// How a tar is compressed, told by how it begins, and what decompresses it. For layers and for whole archives.
import type { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'

export type FoundCompression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2'

/** Bytes by which a compression is known. */
export const MAGIC_BYTES = 6

/** `undefined` for a byte that may be any. */
const MAGIC: readonly [FoundCompression, readonly (number | undefined)[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  // Longer than `BZh`, with which the name of a file in a tar may begin.
  ['bzip2', [0x42, 0x5a, 0x68, undefined, 0x31, 0x41]],
]

/** Of output, in bytes: fewer pieces than by default, each of which costs its way. */
const CHUNK_BYTES = 256 * 1024

/** How content is compressed that begins with these bytes. */
export function compressionOf(start: Uint8Array): FoundCompression {
  return (
    MAGIC.find(([, bytes]) => bytes.every((byte, index) => byte === undefined || start[index] === byte))?.[0] ?? 'none'
  )
}

/** One of Node's streams; `undefined` for what it cannot decompress, as zstd before 22.15. */
export function createDecompressor(compression: FoundCompression): Transform | undefined {
  if (compression === 'gzip') return zlib.createGunzip({ chunkSize: CHUNK_BYTES })
  // Not known to Node 20, nor to its types.
  const { createZstdDecompress } = zlib as {
    readonly createZstdDecompress?: (options: { readonly chunkSize: number }) => Transform
  }
  return compression === 'zstd' ? createZstdDecompress?.({ chunkSize: CHUNK_BYTES }) : undefined
}

/**
 * What comes out of a decompressor. An error of `compressed` itself is thrown as it is.
 *
 * @param damaged - the error for content that is damaged or cut short
 */
export async function* decompress(
  compressed: AsyncIterable<Uint8Array>,
  decompressor: Transform,
  damaged: (cause: unknown) => Error,
): AsyncGenerator<Uint8Array, void> {
  let failure: { readonly error: unknown } | undefined
  const watched = async function* () {
    try {
      yield* compressed
    } catch (error) {
      failure = { error }
      throw error
    }
  }
  const feeding = pipeline(watched, decompressor)
  feeding.catch(() => {}) // told by the decompressor as well
  try {
    yield* decompressor as AsyncIterable<Buffer>
  } catch (cause) {
    throw failure === undefined ? damaged(cause) : failure.error
  } finally {
    decompressor.destroy()
    await feeding.catch(() => {})
  }
}
