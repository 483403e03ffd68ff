import { canDecompress, decompress, type FoundCompression } from '../tar/compression.ts'
import { malformed } from './errors.ts'

/**
 * An archive as a tar.
 *
 * @throws {@link RegistryError} `MANIFEST_INVALID` for what Node cannot decompress; the stream fails so for what is damaged or cut short
 */
export function decompressArchive(
  content: AsyncIterable<Uint8Array>,
  compression: FoundCompression,
): AsyncIterable<Uint8Array> {
  if (!canDecompress(compression)) {
    throw malformed(
      `the archive is compressed with ${compression}: decompress it first (${compression} -d), or use gzip`,
    )
  }
  return decompress(content, compression, (cause) =>
    malformed(`the ${compression} around the archive is damaged or cut short${because(cause)}`, cause),
  )
}

function because(cause: unknown): string {
  return cause instanceof Error ? `: ${cause.message}` : ''
}
