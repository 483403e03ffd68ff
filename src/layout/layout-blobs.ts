import { checkBlobContent } from '../arguments.ts'
import type {
  BlobReader,
  Blobs,
  ListOptions,
  LocateOptions,
  OpenBlobOptions,
  OperationContext,
  StartUploadOptions,
  StatBlobOptions,
  Upload,
} from '../backend.ts'
import { awaitErrors, type ByteSource } from '../bytes.ts'
import { FileBody } from '../drivers/filesystem/file-body.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import type { Digest } from '../spec/digest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { DigestInspector } from './digest-inspector.ts'
import { readOnlyArchive } from './errors.ts'
import type { LayoutCore } from './layout-core.ts'
import { LayoutUpload } from './layout-upload.ts'

/** Blobs of a layout, which all its repositories share: what is in one is in each of them. */
export class LayoutBlobs implements Blobs {
  readonly #core: LayoutCore
  readonly #repository: string

  constructor(core: LayoutCore, repository: string) {
    this.#core = core
    this.#repository = repository
  }

  async stat(digest: Digest, { signal }: StatBlobOptions = {}): Promise<Descriptor> {
    signal?.throwIfAborted()
    const size = await this.#core.files.size(digest)
    if (size === undefined) throw unknownBlob(digest)
    return { mediaType: MEDIA_TYPES.octetStream, digest, size }
  }

  /** A whole blob is verified as it passes, unless told not to; of a range nothing can be said. */
  async open(digest: Digest, { range, verify = true, signal }: OpenBlobOptions = {}): Promise<BlobReader> {
    signal?.throwIfAborted()
    const place = await this.#core.files.open(digest)
    if (place === undefined) throw unknownBlob(digest)
    const { file, size } = place
    const start = range?.start ?? 0
    const end = Math.min(range?.end ?? size, size)
    try {
      if (range !== undefined && (start >= size || end <= start)) {
        throw new RegistryError('RANGE_INVALID', { message: `the blob has ${size} bytes`, detail: { size } })
      }
      const inspector = verify && start === 0 && end === size ? new DigestInspector(digest) : undefined
      if (size === 0) inspector?.end() // a body of nothing reads nothing
      const body = new FileBody(file, this.#core.pool, place.start + start, end - start, inspector)
      return { descriptor: { mediaType: MEDIA_TYPES.octetStream, digest, size }, range: { start, end }, body }
    } catch (error) {
      void file.release()
      throw error
    }
  }

  startUpload(options: StartUploadOptions = {}): Promise<Upload> {
    return LayoutUpload.begin(this.#core, this.#repository, options)
  }

  /** Finds what this backend began, and it alone. */
  async resumeUpload(id: string, { signal }: OperationContext = {}): Promise<Upload> {
    signal?.throwIfAborted()
    if (this.#core.isReadOnly) throw readOnlyArchive()
    const upload = this.#core.uploads.get(id)
    if (upload?.repository === this.#repository) return upload
    await this.#core.index.read() // a layout that cannot be reached knows of nothing
    throw new RegistryError('BLOB_UPLOAD_UNKNOWN', { detail: { upload: id.slice(0, 128) } })
  }

  async mount(digest: Digest, _from: string | AsyncIterable<string>, context?: OperationContext): Promise<Descriptor> {
    if (this.#core.isReadOnly) throw readOnlyArchive()
    return this.stat(digest, context)
  }

  async delete(digest: Digest, { signal }: OperationContext = {}): Promise<void> {
    signal?.throwIfAborted()
    if (!(await this.#core.files.delete(digest))) throw unknownBlob(digest)
  }

  async locate(digest: Digest, options: LocateOptions): Promise<undefined> {
    await this.stat(digest, options)
  }

  async put(content: ByteSource, options: StartUploadOptions = {}): Promise<Descriptor> {
    checkBlobContent(content)
    awaitErrors(content)
    const upload = await LayoutUpload.begin(this.#core, this.#repository, options)
    try {
      return await upload.commitWhole(content, options)
    } catch (error) {
      await upload.cancel()
      throw error
    }
  }

  /** Of the whole layout, but for what its index says is a manifest. */
  async *list({ after, signal }: ListOptions = {}): AsyncGenerator<Digest> {
    signal?.throwIfAborted()
    const entries = await this.#core.index.read()
    const manifests = await this.#core.graph.reach(
      entries.map(({ descriptor }) => descriptor),
      signal,
    )
    for (const digest of await this.#core.files.list()) {
      if (!manifests.has(digest) && (after === undefined || digest > after)) yield digest
    }
  }
}

function unknownBlob(digest: Digest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', { detail: { digest } })
}
