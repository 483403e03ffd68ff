// How a tar is compressed, told by how it begins, and what decompresses it. For layers and for whole archives.
import type { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import { zstdFrames } from './zstd-frames.ts'

export type FoundCompression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2'

/** Bytes by which a compression is known. */
export const MAGIC_BYTES = 6

/** `undefined` for a byte that may be any. */
const MAGIC: readonly [FoundCompression, readonly (number | undefined)[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  // A stream of it may begin with a frame to skip, which has one of sixteen numbers (RFC 8878 §3.1.2).
  ...Array.from({ length: 16 }, (_, n): [FoundCompression, number[]] => ['zstd', [0x50 + n, 0x2a, 0x4d, 0x18]]),
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

// Not known to Node 20, nor to its types.
const { createZstdDecompress } = zlib as {
  readonly createZstdDecompress?: (options: { readonly chunkSize: number }) => Transform
}

export type Decompressible = 'gzip' | 'zstd'

/** Whether {@link decompress} takes it: zstd only from Node 22.15 on. */
export function canDecompress(compression: FoundCompression): compression is Decompressible {
  return compression === 'gzip' || (compression === 'zstd' && createZstdDecompress !== undefined)
}

/**
 * What was compressed, in one member or frame or several, one after another. An error of `compressed` itself is thrown as it is.
 *
 * @param damaged - the error for content that is damaged or cut short
 */
export async function* decompress(
  compressed: AsyncIterable<Uint8Array>,
  compression: Decompressible,
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
  try {
    if (compression === 'gzip') yield* through(watched(), zlib.createGunzip({ chunkSize: CHUNK_BYTES }))
    else yield* decompressFrames(watched())
  } catch (cause) {
    throw failure === undefined ? damaged(cause) : failure.error
  }
}

async function* decompressFrames(compressed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  if (createZstdDecompress === undefined) throw new Error('this Node has no zstd')
  for await (const frame of zstdFrames(compressed)) {
    yield* through(frame, createZstdDecompress({ chunkSize: CHUNK_BYTES }))
  }
}

async function* through(source: AsyncIterable<Uint8Array>, decompressor: Transform): AsyncGenerator<Uint8Array, void> {
  const feeding = pipeline(source, decompressor)
  feeding.catch(() => {}) // told by the decompressor as well
  try {
    yield* decompressor as AsyncIterable<Buffer>
  } finally {
    decompressor.destroy()
    await feeding.catch(() => {})
  }
}
