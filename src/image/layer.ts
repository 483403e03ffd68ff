import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { OperationContext, Repository } from '../backend.ts'
import type { ByteStream } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, finishDigest } from '../spec/digest.ts'
import { readTar, type TarEntry } from '../tar/read-tar.ts'
import { mismatch, openChecked } from './checked-blob.ts'
import { decompressed } from './compression.ts'

/** Bytes of an uncompressed layer beyond which it is not read on, unless told otherwise: 16 GiB. */
export const DEFAULT_MAX_LAYER_BYTES: number = 16 * 1024 ** 3

export interface LayerOptions {
  /** Of the uncompressed tar, where the config tells it. */
  readonly diffId?: Digest
  readonly maxLayerBytes: number
}

/** A layer of an image, of which nothing is read before it is asked for; each call reads it anew. */
export class ImageLayer {
  readonly descriptor: Descriptor
  /** Digest of the uncompressed tar, as the config tells it. */
  readonly diffId?: Digest
  readonly #repository: Repository
  readonly #maxBytes: number

  /** @internal Layers come with a pulled image. */
  constructor(repository: Repository, descriptor: Descriptor, { diffId, maxLayerBytes }: LayerOptions) {
    this.#repository = repository
    this.#maxBytes = maxLayerBytes
    this.descriptor = descriptor
    if (diffId !== undefined) this.diffId = diffId
  }

  /**
   * The blob as it is, compressed or not. Its end fails with `DIGEST_INVALID` when the bytes were others than the digest says,
   * and it with `SIZE_INVALID` as soon as they are more. Destroy a stream that is not read to its end.
   *
   * @throws `RegistryError` `BLOB_UNKNOWN`
   */
  open({ signal }: OperationContext = {}): Promise<ByteStream> {
    return openChecked(this.#repository, this.descriptor, signal ? { signal } : {})
  }

  /**
   * The layer as a tar, from gzip, zstd (where Node has it) or as it is. Checked against the digest of the blob, and against
   * {@link diffId} where there is one.
   *
   * @throws `RegistryError` while it is read: `SIZE_INVALID` beyond `maxLayerBytes`, `DIGEST_INVALID`, `MANIFEST_INVALID` when it cannot
   * be decompressed, `UNSUPPORTED` for zstd on a Node without it
   */
  async uncompressed(context: OperationContext = {}): Promise<ByteStream> {
    const blob = await this.open(context)
    const tar = Readable.from(this.#tar(blob), { objectMode: false })
    // A generator that was never begun has nothing that would let go of the blob.
    tar.once('close', () => blob.destroy())
    return tar
  }

  /**
   * What the tar holds, in its order; whiteouts (`etc/.wh.motd`) are entries like others. The content of an entry is read, if at
   * all, before the next entry is asked for. Names are as the archive has them: they may begin with `./` or `/`, or lead out of the
   * root by `..`.
   */
  async *entries(context: OperationContext = {}): AsyncGenerator<TarEntry, void> {
    yield* readTar(this.#tar(await this.open(context)))
  }

  async *#tar(blob: Readable): AsyncGenerator<Uint8Array, void> {
    const hash = this.diffId && createHash(algorithmOf(this.diffId))
    let size = 0
    for await (const piece of decompressed(blob)) {
      size += piece.byteLength
      if (size > this.#maxBytes) {
        throw new RegistryError('SIZE_INVALID', {
          message: `the layer has more than ${this.#maxBytes} bytes once decompressed: see the option "maxLayerBytes"`,
        })
      }
      hash?.update(piece)
      yield piece
    }
    if (hash === undefined || this.diffId === undefined) return
    const received = finishDigest(algorithmOf(this.diffId), hash)
    if (received !== this.diffId)
      throw mismatch('the uncompressed layer is not what the config says', this.diffId, received)
  }
}
