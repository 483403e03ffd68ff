import { Readable } from 'node:stream'
import type { Upload } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import type { UploadContent } from '../upload-content.ts'

/** A blob, or what is there of one, is larger than is accepted. An upload that ends like this is of no use any more. */
class BlobTooLarge extends RegistryError {
  constructor(maxBytes: number) {
    super('SIZE_INVALID', {
      status: 413,
      message: `blob too large: at most ${maxBytes} bytes`,
      detail: { limit: maxBytes },
    })
  }
}

/**
 * What is uploaded, held to the largest blob while it is read.
 *
 * @param offset - bytes of the blob that came before
 * @param maxBytes - `Infinity` for no limit
 * @throws {@link RegistryError} `SIZE_INVALID` (413), at once where the headers tell that it is too much
 */
export function withinBlobLimit(content: UploadContent, offset: number, maxBytes: number): UploadContent {
  if (maxBytes === Number.POSITIVE_INFINITY) return content
  const { length, range } = content
  const announced = length ?? (range === undefined ? 0 : range.end - range.start)
  if (offset + announced > maxBytes) throw new BlobTooLarge(maxBytes)
  return { ...content, body: atMost(content.body, maxBytes - offset, maxBytes) }
}

/** Runs one step of an upload; whatever was received of a blob that is too large goes. */
export async function endedWhereTooLarge<T>(upload: Upload, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    // What cannot be removed now goes when it is old; the client has its answer either way.
    if (error instanceof BlobTooLarge) await upload.cancel().catch(() => {})
    throw error
  }
}

async function* atMost(body: AsyncIterable<Uint8Array>, room: number, maxBytes: number): AsyncGenerator<Uint8Array> {
  let received = 0
  // Failing must not destroy the request: its socket carries the answer.
  for await (const chunk of body instanceof Readable ? body.iterator({ destroyOnReturn: false }) : body) {
    received += chunk.byteLength
    if (received > room) throw new BlobTooLarge(maxBytes)
    yield chunk
  }
}
