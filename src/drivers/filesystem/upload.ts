import { constants } from 'node:fs'
import { dirname } from 'node:path'
import type { ByteBody, ByteSource } from '../../bytes.ts'
import {
  type AppendOptions,
  type DriverOptions,
  type DriverUpload,
  KeyNotFoundError,
  type SealedUpload,
  UploadTakenOverError,
} from '../../storage/driver.ts'
import { consume } from '../consume.ts'
import { checkKey } from '../key.ts'
import type { KeyedMutex } from '../keyed-mutex.ts'
import { Appender } from './appender.ts'
import type { BegunUploads } from './begun-uploads.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { Directories } from './directories.ts'
import { isMissing, keyError, storageError } from './errors.ts'
import { FileBody } from './file-body.ts'
import { type FileOps, NOFOLLOW } from './file-ops.ts'
import { OpenFile } from './open-file.ts'
import { type SealedFile, StagedFile } from './staged-file.ts'

/** What all uploads of one driver share. */
export interface UploadContext {
  readonly ops: FileOps
  readonly root: string
  readonly directories: Directories
  readonly pool: BufferPool
  readonly isDurable: boolean
  readonly begun: BegunUploads
  /** One call at a time on the files of an upload, over all its handles. */
  readonly mutex: KeyedMutex
  /** Removes a folder, by its key, and all that is in it; it may come back when the power fails. */
  readonly removeFolder: (prefix: string) => Promise<void>
}

/**
 * An upload that grows in place, see {@link StagedFile}. Two processes that append from the same offset at the same moment are not
 * kept apart, only handles of one process are: the digest tells whether what they wrote is what the client meant.
 */
export class FilesystemUpload implements DriverUpload {
  readonly #context: UploadContext
  readonly #key: string
  readonly #file: StagedFile
  #size: number
  #state: 'open' | 'sealed' | 'published' | 'committed' | 'gone' = 'open'
  #isEntryDurable = false
  #sealed: Sealed | undefined
  #target: string | undefined

  constructor(context: UploadContext, key: string, size: number) {
    this.#context = context
    this.#key = key
    this.#file = new StagedFile(context, key)
    this.#size = size
  }

  /** @throws {@link KeyNotFoundError} when nothing of it is there */
  static async resume(context: UploadContext, key: string): Promise<FilesystemUpload> {
    const found = await new StagedFile(context, key).find()
    if (found === undefined) throw new KeyNotFoundError(key)
    const upload = new FilesystemUpload(context, key, found.size)
    // What a killed process wrote, or what an append writes at this moment, is not durable yet; a client that is told of it relies on it.
    if (found.size > 0 && !context.begun.isSettled(key, found.size)) await upload.#settleFound(found.path)
    return upload
  }

  get size(): number {
    return this.#size
  }

  append(content: ByteSource, options: AppendOptions = {}): Promise<void> {
    return this.#exclusively(() => this.#append(content, options))
  }

  seal(options?: DriverOptions): Promise<SealedUpload> {
    return this.#exclusively(async () => {
      options?.signal?.throwIfAborted()
      const { path, size, isExclusive } = await this.#seal()
      return { size, exclusive: isExclusive, read: (readOptions) => this.#readSealed(path, size, readOptions) }
    })
  }

  commit(key: string, options?: DriverOptions): Promise<void> {
    return this.#exclusively(async () => {
      checkKey(key)
      options?.signal?.throwIfAborted()
      await this.#commit(key)
    })
  }

  /** The whole folder. Waits for nothing: an append in flight goes on writing to a file without a name. */
  async discard(): Promise<void> {
    this.#forget()
    try {
      await this.#context.removeFolder(dirname(this.#key))
    } catch (error) {
      throw storageError(error, this.#context.root)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #exclusively<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await this.#context.mutex.run(this.#key, task)
    } catch (error) {
      throw storageError(error, this.#context.root)
    }
  }

  async #append(content: ByteSource, options: AppendOptions): Promise<void> {
    const { ops, pool, directories, isDurable, begun } = this.#context
    options.signal?.throwIfAborted()
    if (this.#state === 'gone') throw new KeyNotFoundError(this.#key)
    if (this.#state !== 'open') throw isSealed()
    const fd = await this.#openToAppend()
    const appender = new Appender(ops, fd, { position: this.#size, pool, observe: options.observe })
    let interrupted: { readonly error: unknown } | undefined
    try {
      await consume(content, (chunk) => appender.accept(chunk), options.signal)
    } catch (error) {
      interrupted = { error }
    }
    try {
      await appender.finish(async () => {
        if (!isDurable) return
        // The content also where `commit` follows, which then need not open the file again.
        const settled = options.durable === false || this.#isEntryDurable || directories.settle(this.#file.directory)
        await Promise.all([settled, this.#syncContent(fd)])
        if (options.durable === false) return
        this.#isEntryDurable = true
        begun.settled(this.#key, appender.position)
      })
    } finally {
      this.#size = appender.position
      await this.#close(fd)
    }
    if (interrupted) throw interrupted.error
  }

  #forget(): void {
    if (this.#state !== 'committed') this.#state = 'gone'
    this.#context.begun.delete(this.#key)
  }

  /** The bytes alone. */
  async #drop(): Promise<void> {
    this.#forget()
    await this.#file.remove()
  }

  async #openToAppend(): Promise<number> {
    const { ops, begun } = this.#context
    let fd: number
    try {
      fd = await this.#file.open({ isNew: this.#size === 0, isOwn: begun.has(this.#key) })
    } catch (error) {
      throw await this.#whyMissing(error)
    }
    try {
      const stat = await ops.fstat(fd)
      if (stat.size !== BigInt(this.#size)) {
        throw new UploadTakenOverError(
          `the upload has ${stat.size} bytes, not ${this.#size}: another request continued it`,
        )
      }
      if (stat.nlink <= 1n) return fd
    } catch (error) {
      await ops.close(fd)
      throw error
    }
    await ops.close(fd)
    return this.#file.openCopy()
  }

  async #whyMissing(error: unknown): Promise<unknown> {
    if (!isMissing(error)) return error
    return (await this.#file.sealedBefore()) instanceof Object
      ? isSealed()
      : new KeyNotFoundError(this.#key, { cause: error })
  }

  /** A failed sync is final: the system forgets it, and a second one would succeed without the bytes. */
  async #syncContent(fd: number): Promise<void> {
    try {
      await this.#context.ops.fsync(fd)
    } catch (error) {
      await this.#drop().catch(() => {})
      throw error
    }
  }

  /** What a close reports are bytes that were taken but not kept. */
  async #close(fd: number): Promise<void> {
    try {
      await this.#context.ops.close(fd)
    } catch (error) {
      await this.#drop().catch(() => {})
      throw error
    }
  }

  async #seal(): Promise<Sealed> {
    if (this.#sealed) return this.#sealed
    if (this.#state === 'gone') throw new KeyNotFoundError(this.#key)
    const isOwn = this.#context.begun.has(this.#key)
    const taken = await this.#file.takeName({ isNew: this.#size === 0, isOwn })
    if (taken.size < this.#size)
      throw new Error(`upload ${this.#key} lost bytes: ${taken.size} of ${this.#size} are left`)
    this.#sealed =
      isOwn && taken.isUnshared && taken.size === this.#size
        ? { ...taken, isExclusive: true, isSynced: taken.size > 0 }
        : { ...(await this.#file.copyOf(taken)), isExclusive: false, isSynced: false }
    this.#size = this.#sealed.size
    this.#state = 'sealed'
    return this.#sealed
  }

  async #readSealed(path: string, size: number, options: DriverOptions | undefined): Promise<ByteBody> {
    const { ops, pool, root } = this.#context
    options?.signal?.throwIfAborted()
    try {
      return new FileBody(new OpenFile(ops, await ops.open(path, constants.O_RDONLY | NOFOLLOW)), pool, 0, size)
    } catch (error) {
      throw keyError(error, root, this.#key)
    }
  }

  async #commit(target: string): Promise<void> {
    const { root, directories, begun } = this.#context
    if (this.#state === 'committed' && this.#target === target) return
    if (this.#state === 'committed') throw new KeyNotFoundError(this.#key)
    const sealed = await this.#seal()
    const path = `${root}/${target}`
    const directory = dirname(path)
    try {
      const isNew = await directories.ensure(directory)
      if (!sealed.isSynced) await this.#syncSealed(sealed)
      if (this.#state === 'sealed') await this.#file.publish(sealed.path, path)
      this.#state = 'published'
      await directories.settle(directory, isNew)
    } catch (error) {
      await directories.prune(directory)
      throw error
    }
    this.#state = 'committed'
    this.#target = target
    begun.delete(this.#key)
    if (!sealed.isExclusive) await this.#file.removeFlags(sealed)
  }

  async #syncSealed(sealed: Sealed): Promise<void> {
    await this.#syncFile(sealed.path)
    sealed.isSynced = true
  }

  async #settleFound(path: string): Promise<void> {
    try {
      await this.#syncFile(path)
      await this.#context.directories.settle(this.#file.directory)
    } catch (error) {
      // Being sealed at this moment, and synced then.
      if (!isMissing(error)) throw error
    }
  }

  async #syncFile(path: string): Promise<void> {
    if (!this.#context.isDurable) return
    const fd = await this.#context.ops.open(path, constants.O_RDWR | NOFOLLOW)
    try {
      await this.#syncContent(fd)
    } finally {
      await this.#close(fd)
    }
  }
}

interface Sealed extends SealedFile {
  /** Whether nobody but this process can have written to it. */
  readonly isExclusive: boolean
  isSynced: boolean
}

function isSealed(): Error {
  return new UploadTakenOverError('the upload is being finished by another request')
}
