import { createHash, type Hash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import type { OperationContext, Repository } from '../backend.ts'
import type { ByteSource } from '../bytes.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { type Digest, finishDigest } from '../spec/digest.ts'
import { type PackEntry, packTar } from '../tar/pack-tar.ts'
import { type Compression, createCompressor, LAYER_MEDIA_TYPES, withoutTraces } from './compression.ts'

/** A layer that is in a repository. */
export interface PushedLayer {
  readonly descriptor: Descriptor
  readonly diffId: Digest
}

export interface PushLayerOptions extends OperationContext {
  readonly compression: Compression
  readonly level?: number
}

/** Packs, compresses and uploads entries in one pass, of which no more than a few pieces are in memory. */
export async function pushLayer(
  repository: Repository,
  entries: AsyncIterable<PackEntry>,
  { compression, level, signal }: PushLayerOptions,
): Promise<PushedLayer> {
  const context = signal ? { signal } : {}
  const tar = new HashedTar(entries, signal)
  const put = async (content: ByteSource) => {
    const { digest, size } = await repository.blobs.put(content, context)
    return { mediaType: LAYER_MEDIA_TYPES[compression], digest, size }
  }
  try {
    if (compression === 'none') return { descriptor: await put(tar), diffId: tar.digest() }
    const compressor = createCompressor(compression, level)
    const packing = pipeline(tar, compressor, context)
    packing.catch(() => {}) // told by the compressor as well
    try {
      const descriptor = await put(withoutTraces(compressor, compression))
      await packing
      return { descriptor, diffId: tar.digest() }
    } finally {
      compressor.destroy()
      await packing.catch(() => {}) // whatever was open for reading is closed by then
    }
  } catch (error) {
    // Why an upload ended early is less than why there was nothing to upload.
    throw signal?.aborted ? signal.reason : (tar.failure?.error ?? error)
  }
}

/** A tar as it is packed, and the digest of what has passed. */
class HashedTar implements AsyncIterable<Uint8Array> {
  readonly #entries: AsyncIterable<PackEntry>
  readonly #signal: AbortSignal | undefined
  readonly #hash: Hash = createHash('sha256')
  failure: { readonly error: unknown } | undefined

  constructor(entries: AsyncIterable<PackEntry>, signal: AbortSignal | undefined) {
    this.#entries = entries
    this.#signal = signal
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    try {
      for await (const piece of packTar(this.#entries)) {
        this.#signal?.throwIfAborted()
        this.#hash.update(piece)
        yield piece
      }
    } catch (error) {
      this.failure = { error }
      throw error
    }
  }

  digest(): Digest {
    return finishDigest('sha256', this.#hash)
  }
}
