import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import type { AppendOptions, CommitOptions, Upload } from '../backend.ts'
import { awaitErrors, type ByteSource } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, finishDigest } from '../spec/digest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import {
  type AppendOptions as DriverAppendOptions,
  type DriverUpload,
  KeyNotFoundError,
  UploadTakenOverError,
} from './driver.ts'
import { blobData, linkContent, type RepositoryLayout } from './layout.ts'
import type { StorageCore } from './storage-core.ts'
import { rethrowOutage } from './translate-outages.ts'
import type { RunningCall, RunningHash } from './upload-table.ts'

/** A call that brought no byte for this long gives way to the next one: its client has most likely come back. */
const STALLED_MS = 5_000

/** What turned out to be in an upload. */
interface Content {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
}

export interface UploadSessionOptions {
  readonly core: StorageCore
  readonly layout: RepositoryLayout
  readonly id: string
  readonly startedAt: Date
  readonly upload: DriverUpload
  /** What the client announced. Default: sha256; another one only costs a second reading. */
  readonly algorithm?: DigestAlgorithm | undefined
  /** Whether the mark by which others find it was written. Default: true. */
  readonly isMarked?: boolean
  /** Bytes that it must have in the end, where that is certain. */
  readonly size?: number | undefined
}

/**
 * An upload over a storage driver. Lives for one request: the offset is that of the bytes in the storage, and what speeds the
 * next request up (the hash so far) is kept in the core's table, where losing it costs a second reading and nothing else.
 */
export class UploadSession implements Upload {
  readonly id: string
  readonly startedAt: Date
  readonly #core: StorageCore
  readonly #layout: RepositoryLayout
  readonly #key: string
  readonly #upload: DriverUpload
  readonly #algorithm: DigestAlgorithm
  readonly #size: number | undefined
  readonly #beside: readonly string[]

  /** @internal Uploads are begun and resumed by a `BlobStore`. */
  constructor(options: UploadSessionOptions) {
    const { core, layout, id, startedAt, upload, algorithm = 'sha256', isMarked = true, size } = options
    this.#core = core
    this.#layout = layout
    this.#key = layout.uploadData(id)
    this.#upload = upload
    this.#algorithm = algorithm
    this.#size = size
    this.#beside = isMarked ? [layout.uploadStartedAt(id)] : []
    this.id = id
    this.startedAt = startedAt
  }

  get offset(): number {
    return this.#upload.size
  }

  append(content: ByteSource, options: AppendOptions = {}): Promise<number> {
    return this.#exclusively(options, async (call) => {
      await this.#receive(content, call, this.#runningHash(this.#algorithm), {})
      return this.#upload.size
    })
  }

  commit(digest: Digest, options: CommitOptions = {}): Promise<Descriptor> {
    return this.#exclusively(options, async (call) => {
      // Declared while the last bytes arrive: the intent must only be there, and looked past, before anything is published.
      const declaring = this.#core.intents.declare(new Set([digest]), options.signal)
      declaring.catch(() => {}) // awaited below, on the way on
      try {
        const hash = this.#runningHash(algorithmOf(digest))
        if (options.last !== undefined) {
          await this.#receive(options.last, call, hash, { durable: false, target: blobData(digest) })
        }
        // Before the sealing: whoever is told to try again must find an upload that can be tried again.
        await declaring
        const found = await this.#digest(algorithmOf(digest), hash, options.signal)
        if (found.digest !== digest) {
          await this.cancel()
          throw new RegistryError('DIGEST_INVALID', { detail: { expected: digest, received: found.digest } })
        }
        // Before anything is published: nobody may see what its own client takes for cut short.
        if (this.#size !== undefined && found.size !== this.#size) {
          await this.cancel()
          throw new RegistryError('SIZE_INVALID', { detail: { expected: this.#size, received: found.size } })
        }
        return await this.#publish(found)
      } finally {
        await declaring.then(
          (intent) => intent.release(),
          () => {},
        )
      }
    })
  }

  /** Appends everything and commits it under whatever digest it has. */
  async commitAs(content: ByteSource, algorithm: DigestAlgorithm, options: AppendOptions): Promise<Descriptor> {
    const { digest } = await this.#exclusively(options, async (call) => {
      const hash = this.#runningHash(algorithm)
      await this.#receive(content, call, hash, { durable: false })
      return this.#digest(algorithm, hash, options.signal)
    })
    return this.commit(digest, { ...(options.signal && { signal: options.signal }) })
  }

  async cancel(): Promise<void> {
    this.#forget()
    await this.#discard()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#upload[Symbol.asyncDispose]())
  }

  /** Runs one call at a time for this upload, in this process; across processes the storage decides. */
  async #exclusively<T>(
    { at, signal }: AppendOptions,
    body: (call: Pick<RunningCall, 'abort'> & { progressAt: number }) => Promise<T>,
  ): Promise<T> {
    const { running } = this.#core.uploads
    const other = running.get(this.#key)
    if (other !== undefined) {
      if (performance.now() - other.progressAt < STALLED_MS)
        throw this.#outOfRange('another request is writing to this upload')
      other.abort.abort(new Error('the client has come back with another request for this upload'))
      await other.ended
      throw this.#outOfRange('another request was writing to this upload; ask where it stands')
    }
    if (at !== undefined && at !== this.#upload.size)
      throw this.#outOfRange(`expected to continue at byte ${this.#upload.size}`)
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const abort = new AbortController()
    const stop = () => abort.abort(signal?.reason)
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
    const call = { abort, progressAt: performance.now(), ended }
    running.set(this.#key, call)
    try {
      return await body(call)
    } catch (error) {
      if (error instanceof KeyNotFoundError) throw new RegistryError('BLOB_UPLOAD_UNKNOWN', { cause: error })
      if (error instanceof UploadTakenOverError) throw this.#outOfRange(error.message, error)
      return rethrowOutage(error)
    } finally {
      signal?.removeEventListener('abort', stop)
      running.delete(this.#key)
      end()
    }
  }

  async #receive(
    content: ByteSource,
    call: { readonly abort: AbortController; progressAt: number },
    hash: RunningHash | undefined,
    options: Pick<DriverAppendOptions, 'durable' | 'target'>,
  ): Promise<void> {
    const observe = (bytes: Uint8Array) => {
      call.progressAt = performance.now()
      if (hash === undefined) return
      hash.hash.update(bytes)
      hash.size += bytes.byteLength
    }
    awaitErrors(content) // a driver may have a file to open first
    try {
      await this.#upload.append(content, { ...options, signal: call.abort.signal, observe })
    } finally {
      if (hash !== undefined) this.#core.uploads.keep(this.#key, hash)
    }
  }

  /** The hash so far, by `algorithm`; a new one at the start; `undefined` when only reading again can tell. */
  #runningHash(algorithm: DigestAlgorithm): RunningHash | undefined {
    const kept = this.#core.uploads.take(this.#key, this.#upload.size)
    if (kept?.algorithm === algorithm) return kept
    return this.#upload.size === 0
      ? { algorithm, hash: createHash(algorithm), startedAt: this.startedAt, size: 0 }
      : undefined
  }

  /** Ends the appending and says what was uploaded: by the running hash where it is certain to cover it, else by reading it. */
  async #digest(algorithm: DigestAlgorithm, running: RunningHash | undefined, signal?: AbortSignal): Promise<Content> {
    const sealed = await this.#upload.seal(signal && { signal })
    if (running !== undefined && sealed.exclusive && running.size === sealed.size) {
      return { digest: finishDigest(algorithm, running.hash.copy()), size: sealed.size }
    }
    const hash = createHash(algorithm)
    await using body = await sealed.read(signal && { signal })
    await pipeline(body.stream(), hash, { ...(signal && { signal }) })
    return { digest: finishDigest(algorithm, hash), size: sealed.size }
  }

  /** The link may be there before the data: reading asks for both, and whoever got this far has shown to have the content. */
  async #publish({ digest, size }: Content): Promise<Descriptor> {
    // Both must have ended before anybody gives up on either; no signal from here on: a client that leaves changes nothing.
    const [data, link] = await Promise.allSettled([
      this.#upload.commit(blobData(digest)),
      this.#core.driver.put(this.#layout.layerLink(digest), linkContent(digest)),
    ])
    if (data.status === 'rejected') throw data.reason
    if (link.status === 'rejected') throw link.reason
    this.#forget()
    await this.#discard().catch((err: unknown) => {
      this.#core.logger.warn({ err, upload: this.id }, 'could not remove a finished upload') // its age removes it later
    })
    return { mediaType: MEDIA_TYPES.octetStream, digest, size }
  }

  #forget(): void {
    this.#core.uploads.forget(this.#key)
    this.#core.openUploads.leave(this.#key)
  }

  async #discard(): Promise<void> {
    await this.#upload.discard(this.#beside)
  }

  #outOfRange(message: string, cause?: unknown): RegistryError {
    const { size } = this.#upload
    return new RegistryError('RANGE_INVALID', { message, detail: { offset: size }, cause })
  }
}
