import { pipeline, Readable } from 'node:stream'
import * as zlib from 'node:zlib'
import { malformed } from './errors.ts'

/** Bytes by which a compression is known. */
export const MAGIC_BYTES = 6

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2'

/** `undefined` for a byte that may be any. */
const MAGIC: readonly [Compression, readonly (number | undefined)[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  // Longer than `BZh`, with which the name of a file in a tar may begin.
  ['bzip2', [0x42, 0x5a, 0x68, undefined, 0x31, 0x41]],
]

/** How content is compressed that begins with these bytes. */
export function compressionOf(start: Uint8Array): Compression {
  return (
    MAGIC.find(([, bytes]) => bytes.every((byte, index) => byte === undefined || start[index] === byte))?.[0] ?? 'none'
  )
}

/**
 * Node's streams for what it can decompress: gzip, and zstd from 22.15 on.
 *
 * @throws {@link RegistryError} `MANIFEST_INVALID` for what it cannot; the stream fails so for what is damaged or cut short
 */
export async function* decompress(
  content: AsyncIterable<Uint8Array>,
  compression: Compression,
): AsyncGenerator<Uint8Array> {
  const decompressor = decompressorFor(compression)
  // Errors come out where it is read.
  pipeline(Readable.from(content, { objectMode: false }), decompressor, () => {})
  try {
    yield* decompressor as AsyncIterable<Uint8Array>
  } catch (error) {
    const isZlib = error instanceof Error && 'code' in error && /^(Z_|ZSTD_|ERR_ZLIB)/.test(String(error.code))
    throw isZlib ? malformed(`the ${compression} around the archive is damaged or cut short`, error) : error
  }
}

function decompressorFor(compression: Compression): NodeJS.ReadWriteStream & Readable {
  if (compression === 'gzip') return zlib.createGunzip()
  // Not known to Node 20, nor to its types.
  const { createZstdDecompress } = zlib as { readonly createZstdDecompress?: () => zlib.Gunzip }
  if (compression === 'zstd' && createZstdDecompress !== undefined) return createZstdDecompress()
  throw malformed(`the archive is compressed with ${compression}: decompress it first (${compression} -d), or use gzip`)
}
