import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { ByteBody, ByteSource } from '../../bytes.ts'
import {
  type AppendOptions,
  type DriverOptions,
  type DriverUpload,
  KeyNotFoundError,
  type SealedUpload,
} from '../../storage/driver.ts'
import { consume } from '../consume.ts'
import { checkKey } from '../key.ts'
import type { KeyedMutex } from '../keyed-mutex.ts'
import { Appender } from './appender.ts'
import type { BegunUploads } from './begun-uploads.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { Directories } from './directories.ts'
import { codeOf, hasNoLinks, isMissing, keyError, storageError } from './errors.ts'
import { FileBody } from './file-body.ts'
import { type FileOps, NOFOLLOW } from './file-ops.ts'
import { OpenFile } from './open-file.ts'

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
}

/**
 * An upload is a file at its key, and beside it
 * - `<key>.shared`: a process that did not begin the upload has opened, or is about to open, the file for writing;
 * - `<key>.sealed-<random>`: what the file is renamed to when the upload is sealed, never to be opened for writing again;
 * - `<key>.copy-<random>`: a copy of that, of one handle.
 *
 * What is published must be an inode that nobody can still write to: a process that stalled in the middle of an upload
 * that another one finished would change a blob that was verified. So whoever did not begin an upload raises the flag before it opens the
 * file, and who seals takes the name away before it looks for the flag: either the opener finds no file, or the sealer
 * finds the flag, and publishes a copy.
 */
export class FilesystemUpload implements DriverUpload {
  readonly #context: UploadContext
  readonly #key: string
  readonly #path: string
  #size: number
  #state: 'open' | 'sealed' | 'published' | 'committed' | 'gone' = 'open'
  #isFlagged = false
  #isEntryDurable = false
  #sealed: Sealed | undefined
  #target: string | undefined

  constructor(context: UploadContext, key: string, size: number) {
    this.#context = context
    this.#key = key
    this.#path = `${context.root}/${key}`
    this.#size = size
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

  /** Waits for nothing: an append in flight goes on writing to a file without a name. */
  async abort(): Promise<void> {
    if (this.#state === 'committed') return
    this.#state = 'gone'
    const { ops, root, begun } = this.#context
    begun.delete(this.#key)
    const directory = dirname(this.#path)
    const name = basename(this.#path)
    try {
      for (const entry of await ops.readdir(directory)) {
        if (entry.name === name || entry.name.startsWith(`${name}.`))
          await unlinkIfThere(ops, `${directory}/${entry.name}`)
      }
    } catch (error) {
      if (!isMissing(error)) throw storageError(error, root)
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
    const { ops, pool, directories, isDurable } = this.#context
    options.signal?.throwIfAborted()
    if (this.#state === 'gone') throw new KeyNotFoundError(this.#key)
    if (this.#state !== 'open') throw isSealed(this.#key)
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
        const settled = options.durable === false || this.#isEntryDurable || directories.settle(dirname(this.#path))
        await Promise.all([settled, this.#syncContent(fd)])
        if (options.durable !== false) this.#isEntryDurable = true
      })
    } finally {
      this.#size = appender.position
      await this.#close(fd)
    }
    if (interrupted) throw interrupted.error
  }

  async #openToAppend(): Promise<number> {
    const { ops, begun, directories } = this.#context
    if (!begun.has(this.#key)) await this.#raiseFlag()
    const isNew = this.#size === 0
    const flags = constants.O_WRONLY | NOFOLLOW | (isNew ? constants.O_CREAT : 0)
    const open = () => ops.open(this.#path, flags)
    let fd: number
    try {
      fd = await (isNew && begun.has(this.#key) ? directories.within(dirname(this.#path), open) : open())
    } catch (error) {
      throw await this.#whyMissing(error)
    }
    try {
      const stat = await ops.fstat(fd)
      if (stat.size !== BigInt(this.#size)) {
        throw new Error(`upload ${this.#key} has ${stat.size} bytes, not ${this.#size}: somebody else continued it`)
      }
      if (stat.nlink <= 1n) return fd
    } catch (error) {
      await ops.close(fd)
      throw error
    }
    // A crash in the middle of a rename may leave both names, and the other one may be of a blob that is published.
    await ops.close(fd)
    const copy = `${this.#path}.copy-${randomUUID()}`
    await ops.copyFile(this.#path, copy)
    await ops.rename(copy, this.#path)
    return ops.open(this.#path, constants.O_WRONLY | NOFOLLOW)
  }

  async #raiseFlag(): Promise<void> {
    if (this.#isFlagged) return
    const { ops, root } = this.#context
    try {
      await ops.close(await ops.open(`${this.#path}.shared`, constants.O_WRONLY | constants.O_CREAT | NOFOLLOW))
    } catch (error) {
      throw keyError(error, root, this.#key)
    }
    this.#isFlagged = true
  }

  async #whyMissing(error: unknown): Promise<unknown> {
    if (!isMissing(error)) return error
    const left = await findSealed(this.#context.ops, this.#path)
    return left instanceof Object ? isSealed(this.#key) : new KeyNotFoundError(this.#key, { cause: error })
  }

  /** A failed sync is final: the system forgets it, and a second one would succeed without the bytes. */
  async #syncContent(fd: number): Promise<void> {
    try {
      await this.#context.ops.fsync(fd)
    } catch (error) {
      await this.abort().catch(() => {})
      throw error
    }
  }

  /** What a close reports are bytes that were taken but not kept. */
  async #close(fd: number): Promise<void> {
    try {
      await this.#context.ops.close(fd)
    } catch (error) {
      await this.abort().catch(() => {})
      throw error
    }
  }

  async #seal(): Promise<Sealed> {
    if (this.#sealed) return this.#sealed
    if (this.#state === 'gone') throw new KeyNotFoundError(this.#key)
    const { ops, begun } = this.#context
    const own = `${this.#path}.sealed-${randomUUID()}`
    const source = await this.#takeName(own)
    const [stat, isShared] = await Promise.all([ops.lstat(source), isThere(ops, `${this.#path}.shared`)])
    const size = Number(stat.size)
    if (size < this.#size) throw new Error(`upload ${this.#key} lost bytes: it has ${size}, had ${this.#size}`)
    const isExclusive = source === own && begun.has(this.#key) && size === this.#size && stat.nlink === 1n && !isShared
    this.#sealed = isExclusive
      ? { path: source, source, size, isExclusive, isSynced: size > 0 }
      : await this.#copySealed(source)
    this.#size = this.#sealed.size
    this.#state = 'sealed'
    return this.#sealed
  }

  /** Resolves with what the upload's file is called now: `own`, or what somebody who sealed it before renamed it to. */
  async #takeName(own: string): Promise<string> {
    const { ops, begun, directories } = this.#context
    try {
      await ops.rename(this.#path, own)
      return own
    } catch (error) {
      if (!isMissing(error)) throw error
      const left = await findSealed(ops, this.#path)
      if (left instanceof Object) return left.path
      if (this.#size > 0) throw new KeyNotFoundError(this.#key, { cause: error })
      // Not a byte was ever appended.
      const make = () => ops.open(own, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL)
      try {
        await ops.close(await (begun.has(this.#key) ? directories.within(dirname(own), make) : make()))
      } catch (failure) {
        throw keyError(failure, this.#context.root, this.#key)
      }
      return own
    }
  }

  async #copySealed(source: string): Promise<Sealed> {
    const { ops } = this.#context
    const path = `${this.#path}.copy-${randomUUID()}`
    try {
      await ops.copyFile(source, path)
      const size = Number((await ops.lstat(path)).size)
      if (size < this.#size) throw new Error(`upload ${this.#key} lost bytes: it has ${size}, had ${this.#size}`)
      return { path, source, size, isExclusive: false, isSynced: false }
    } catch (error) {
      await unlinkIfThere(ops, path).catch(() => {})
      throw error
    }
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
    const { ops, root, directories, begun } = this.#context
    if (this.#state === 'committed' && this.#target === target) return
    if (this.#state === 'committed') throw new KeyNotFoundError(this.#key)
    const sealed = await this.#seal()
    const path = `${root}/${target}`
    const directory = dirname(path)
    try {
      const isNew = await directories.ensure(directory)
      if (!sealed.isSynced) await this.#syncSealed(sealed)
      if (this.#state === 'sealed') await this.#publish(sealed.path, path)
      this.#state = 'published'
      await directories.settle(directory, isNew)
    } catch (error) {
      await directories.prune(directory)
      throw error
    }
    this.#state = 'committed'
    this.#target = target
    begun.delete(this.#key)
    if (sealed.isExclusive) return
    await unlinkIfThere(ops, sealed.source).catch(() => {})
    await unlinkIfThere(ops, `${this.#path}.shared`).catch(() => {})
  }

  async #syncSealed(sealed: Sealed): Promise<void> {
    if (!this.#context.isDurable) return
    const fd = await this.#context.ops.open(sealed.path, constants.O_RDWR | NOFOLLOW)
    try {
      await this.#syncContent(fd)
    } finally {
      await this.#close(fd)
    }
    sealed.isSynced = true
  }

  async #publish(from: string, to: string): Promise<void> {
    const { directories } = this.#context
    try {
      await directories.within(dirname(to), () => this.#link(from, to))
    } catch (error) {
      throw isMissing(error) ? new KeyNotFoundError(this.#key, { cause: error }) : error
    }
  }

  /**
   * A second name, not another one: until the upload's folder is removed, whoever asks again for an upload whose end was not
   * told to its client finds all its bytes, and not an upload that lost them.
   */
  async #link(from: string, to: string): Promise<void> {
    const { ops } = this.#context
    try {
      await ops.link(from, to)
    } catch (error) {
      if (hasNoLinks(error)) return ops.rename(from, to)
      if (codeOf(error) !== 'EEXIST') throw error
      const second = `${this.#path}.copy-${randomUUID()}`
      await ops.link(from, second)
      await ops.rename(second, to)
    }
  }
}

/** Bytes of an upload that is there, also without a byte so far; `undefined` where not even its folder is. */
export async function resumedSize({ ops, root }: UploadContext, key: string): Promise<number | undefined> {
  const path = `${root}/${key}`
  try {
    const stat = await ops.lstat(path)
    return stat.isFile() ? Number(stat.size) : undefined
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const left = await findSealed(ops, path)
  return left === 'no folder' ? undefined : (left?.size ?? 0)
}

interface Sealed {
  /** What will be published. */
  readonly path: string
  /** What that is a copy of; the same where it is none. */
  readonly source: string
  readonly size: number
  readonly isExclusive: boolean
  isSynced: boolean
}

/** What a process that did not come to publish it has sealed; `undefined` for nothing. */
async function findSealed(
  ops: FileOps,
  path: string,
): Promise<{ readonly path: string; readonly size: number } | 'no folder' | undefined> {
  const prefix = `${basename(path)}.sealed-`
  let found: { path: string; size: number } | undefined
  try {
    for (const { name } of await ops.readdir(dirname(path))) {
      if (!name.startsWith(prefix)) continue
      const candidate = `${dirname(path)}/${name}`
      const size = Number((await ops.lstat(candidate)).size)
      if (found === undefined || size > found.size) found = { path: candidate, size }
    }
  } catch (error) {
    if (!isMissing(error)) throw error
    return found ?? 'no folder'
  }
  return found
}

async function isThere(ops: FileOps, path: string): Promise<boolean> {
  try {
    await ops.lstat(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

async function unlinkIfThere(ops: FileOps, path: string): Promise<void> {
  try {
    await ops.unlink(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

function isSealed(key: string): Error {
  return new Error(`upload ${key} is sealed`)
}
