import { createHash, type Hash, randomUUID } from 'node:crypto'
import type { AppendOptions, CommitOptions, StartUploadOptions } from '../backend.ts'
import { awaitErrors, type ByteSource } from '../bytes.ts'
import { consume } from '../drivers/consume.ts'
import { Appender } from '../drivers/filesystem/appender.ts'
import { FileBody } from '../drivers/filesystem/file-body.ts'
import { OpenFile } from '../drivers/filesystem/open-file.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, finishDigest } from '../spec/digest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import type { LayoutCore, OpenUpload } from './layout-core.ts'
import type { StagedBlob } from './layout-files.ts'

/**
 * An upload into a layout. It lives as long as the backend that began it, which is the only one to resume it; its bytes are made
 * durable when it is committed, not before.
 */
export class LayoutUpload implements OpenUpload {
  readonly id: string = randomUUID()
  readonly startedAt: Date = new Date()
  readonly repository: string
  readonly #core: LayoutCore
  readonly #staged: StagedBlob
  readonly #algorithm: DigestAlgorithm
  readonly #hash: Hash
  readonly #cancelled = new AbortController()
  #offset = 0
  #running: Promise<unknown> | undefined
  #isOver = false

  private constructor(core: LayoutCore, repository: string, staged: StagedBlob, algorithm: DigestAlgorithm) {
    this.#core = core
    this.repository = repository
    this.#staged = staged
    this.#algorithm = algorithm
    this.#hash = createHash(algorithm)
    core.uploads.set(this.id, this)
  }

  static async begin(core: LayoutCore, repository: string, options: StartUploadOptions): Promise<LayoutUpload> {
    const { digest, algorithm = digest === undefined ? 'sha256' : algorithmOf(digest), size, signal } = options
    signal?.throwIfAborted()
    return new LayoutUpload(core, repository, await core.files.stage(size), algorithm)
  }

  get offset(): number {
    return this.#offset
  }

  append(content: ByteSource, options: AppendOptions = {}): Promise<number> {
    return this.#exclusively(options, async () => {
      await this.#receive(content, options.signal)
      return this.#offset
    })
  }

  commit(digest: Digest, options: CommitOptions = {}): Promise<Descriptor> {
    return this.#exclusively(options, async () => {
      if (options.last !== undefined) await this.#receive(options.last, options.signal)
      const found = await this.#digest(algorithmOf(digest), options.signal)
      if (found === digest) return this.#publish(digest)
      await this.#drop()
      throw new RegistryError('DIGEST_INVALID', { detail: { expected: digest, received: found } })
    })
  }

  /** Appends everything and commits it, if it is what `options` say; without a digest under whatever it has. */
  async commitWhole(content: ByteSource, options: StartUploadOptions): Promise<Descriptor> {
    const { digest, size, signal } = options
    return this.#exclusively(options, async () => {
      await this.#receive(content, signal)
      if (size !== undefined && this.#offset !== size) {
        throw new RegistryError('SIZE_INVALID', { detail: { expected: size, received: this.#offset } })
      }
      const found = await this.#digest(this.#algorithm, signal)
      if (digest === undefined || found === digest) return this.#publish(found)
      throw new RegistryError('DIGEST_INVALID', { detail: { expected: digest, received: found } })
    })
  }

  /** Ends a call that is under way as well: nothing may be written any more when the bytes lose their place. */
  async cancel(): Promise<void> {
    this.#isOver = true
    this.#cancelled.abort(this.#unknown())
    await this.#running?.catch(() => {})
    await this.#drop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running === undefined) await this.#staged.release()
  }

  async #drop(): Promise<void> {
    this.#isOver = true
    this.#core.uploads.delete(this.id)
    await this.#staged.discard()
  }

  async #exclusively<T>({ at, signal }: AppendOptions, body: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted()
    if (this.#isOver) throw this.#unknown()
    if (this.#running !== undefined) throw this.#outOfRange('another request is writing to this upload')
    if (at !== undefined && at !== this.#offset) {
      throw this.#outOfRange(`expected to continue at byte ${this.#offset}`)
    }
    const running = body()
    this.#running = running
    try {
      return await running
    } finally {
      this.#running = undefined
    }
  }

  async #receive(content: ByteSource, signal: AbortSignal | undefined): Promise<void> {
    awaitErrors(content)
    const { fd, start } = await this.#staged.open()
    const { maxBytes = Number.POSITIVE_INFINITY } = this.#staged
    const appender = new Appender(this.#core.ops, fd, {
      position: start + this.#offset,
      pool: this.#core.pool,
      observe: (bytes) => void this.#hash.update(bytes),
    })
    let received = this.#offset
    try {
      await consume(
        content,
        (chunk) => {
          received += chunk.byteLength
          if (received > maxBytes) throw tooLong(maxBytes, received)
          return appender.accept(chunk)
        },
        signal === undefined ? this.#cancelled.signal : AbortSignal.any([signal, this.#cancelled.signal]),
      )
    } finally {
      try {
        await appender.finish(() => Promise.resolve())
      } finally {
        this.#offset = appender.position - start
      }
    }
  }

  async #digest(algorithm: DigestAlgorithm, signal: AbortSignal | undefined): Promise<Digest> {
    if (algorithm === this.#algorithm) return finishDigest(algorithm, this.#hash.copy())
    const { fd, start } = await this.#staged.open()
    const hash = createHash(algorithm)
    // The descriptor stays the stage's: this file is never closed.
    await using body = new FileBody(
      new OpenFile({ ...this.#core.ops, close: keepOpen }, fd),
      this.#core.pool,
      start,
      this.#offset,
    )
    for await (const chunk of body.stream()) {
      signal?.throwIfAborted()
      hash.update(chunk as Uint8Array)
    }
    return finishDigest(algorithm, hash)
  }

  async #publish(digest: Digest): Promise<Descriptor> {
    await this.#staged.publish(digest, this.#offset)
    this.#isOver = true
    this.#core.uploads.delete(this.id)
    return { mediaType: MEDIA_TYPES.octetStream, digest, size: this.#offset }
  }

  #unknown(): RegistryError {
    return new RegistryError('BLOB_UPLOAD_UNKNOWN', { detail: { upload: this.id } })
  }

  #outOfRange(message: string): RegistryError {
    return new RegistryError('RANGE_INVALID', { message, detail: { offset: this.#offset } })
  }
}

function tooLong(expected: number, received: number): RegistryError {
  return new RegistryError('SIZE_INVALID', {
    message: `more bytes than the ${expected} that were announced`,
    detail: { expected, received },
  })
}

function keepOpen(): Promise<void> {
  return Promise.resolve()
}
