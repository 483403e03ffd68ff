import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import type { ByteSource } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import { canDecompress, compressionOf, decompress, MAGIC_BYTES } from '../tar/compression.ts'

/** How the tar of a layer is kept. */
export type Compression = 'gzip' | 'zstd' | 'none'

export const LAYER_MEDIA_TYPES: Readonly<Record<Compression, string>> = {
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  none: 'application/vnd.oci.image.layer.v1.tar',
}

/** What Node has from 22.15 on. */
interface Zstd {
  createZstdCompress?(options: { readonly params?: Record<number, number>; readonly chunkSize: number }): Transform
}
const { createZstdCompress }: Zstd = zlib as Zstd // the types are those of the oldest Node that we run on

/** zlib's constant of that name, which older types lack. */
const ZSTD_LEVEL = 100
/** Of output, in bytes: fewer pieces than by default, each of which costs its way. */
const CHUNK_BYTES = 64 * 1024

/** @throws `RegistryError` `UNSUPPORTED` for zstd on a Node without it */
export function createCompressor(compression: 'gzip' | 'zstd', level?: number): Transform {
  const chunkSize = CHUNK_BYTES
  if (compression === 'gzip') return zlib.createGzip({ chunkSize, ...(level !== undefined && { level }) })
  if (createZstdCompress === undefined) throw withoutZstd('write')
  return createZstdCompress({ chunkSize, ...(level !== undefined && { params: { [ZSTD_LEVEL]: level } }) })
}

/**
 * What a compressor has made, with nothing in it that tells of the machine: zlib writes the operating system into gzip's header,
 * here it is "unknown" (RFC 1952 §2.3.1). The time there is zero already.
 */
export async function* withoutTraces(
  compressed: AsyncIterable<Buffer>,
  compression: Compression,
): AsyncGenerator<Uint8Array> {
  let isFirst = compression === 'gzip'
  for await (const chunk of compressed) {
    if (isFirst) chunk[GZIP_OS_AT] = GZIP_OS_UNKNOWN
    isFirst = false
    yield chunk
  }
}

/**
 * A layer's bytes as a tar, told by how they begin rather than by their media type, as container runtimes do: old and converted
 * images do not always say what they are.
 *
 * @throws `RegistryError` `MANIFEST_INVALID` for broken data, `UNSUPPORTED` for zstd on a Node without it
 */
export async function* decompressed(source: ByteSource): AsyncGenerator<Uint8Array, void> {
  const pieces = source instanceof Uint8Array ? [source].values() : source[Symbol.asyncIterator]()
  try {
    let head = Buffer.alloc(0)
    for (let step = await pieces.next(); !step.done; step = await pieces.next()) {
      head = Buffer.concat([head, step.value])
      if (head.byteLength >= MAGIC_BYTES) break
    }
    const compression = compressionOf(head)
    if (compression === 'zstd' && !canDecompress(compression)) throw withoutZstd('read')
    if (canDecompress(compression)) yield* decompress(from(head, pieces), compression, broken)
    else yield* from(head, pieces)
  } finally {
    await pieces.return?.()
  }
}

type Pieces = AsyncIterator<Uint8Array> | Iterator<Uint8Array>

async function* from(head: Uint8Array, rest: Pieces): AsyncGenerator<Uint8Array, void> {
  if (head.byteLength > 0) yield head
  for (let step = await rest.next(); !step.done; step = await rest.next()) yield step.value
}

function broken(cause: unknown): RegistryError {
  return new RegistryError('MANIFEST_INVALID', { message: 'the layer is compressed, but broken', cause })
}

function withoutZstd(action: 'read' | 'write'): RegistryError {
  return new RegistryError('UNSUPPORTED', {
    message: `cannot ${action} zstd with Node.js ${process.versions.node}: it takes 22.15 or later`,
  })
}

const GZIP_OS_AT = 9
const GZIP_OS_UNKNOWN = 255
