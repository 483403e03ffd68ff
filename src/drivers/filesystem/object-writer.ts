import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { dirname } from 'node:path'
import type { Logger } from '../../logger.ts'
import { type DeleteOptions, PreconditionFailedError, type PutOptions } from '../../storage/driver.ts'
import { KeyedMutex } from '../keyed-mutex.ts'
import { type Claims, versionOf } from './claims.ts'
import type { Directories } from './directories.ts'
import { codeOf, hasNoLinks, isMissing } from './errors.ts'
import { type FileOps, NOFOLLOW } from './file-ops.ts'
import { HIDDEN, TEMPORARY } from './layout.ts'
import { removeFolder, removeLeftovers } from './remove-tree.ts'
import { WriteTimes } from './write-times.ts'

export interface ObjectWriterOptions {
  readonly ops: FileOps
  readonly root: string
  readonly directories: Directories
  readonly claims: Claims
  readonly isDurable: boolean
  readonly logger: Logger
}

/** Writes and removes whole objects. */
export class ObjectWriter {
  readonly #ops: FileOps
  readonly #root: string
  readonly #temporary: string
  readonly #directories: Directories
  readonly #claims: Claims
  readonly #isDurable: boolean
  readonly #logger: Logger
  readonly #mutex = new KeyedMutex()
  readonly #times = new WriteTimes()
  #hasTidied = false

  constructor(options: ObjectWriterOptions) {
    this.#ops = options.ops
    this.#root = options.root
    this.#temporary = `${options.root}/${TEMPORARY}`
    this.#directories = options.directories
    this.#claims = options.claims
    this.#isDurable = options.isDurable
    this.#logger = options.logger
  }

  async put(key: string, content: Uint8Array, { ifVersion, durable = true }: PutOptions = {}): Promise<void> {
    const path = `${this.#root}/${key}`
    const directory = dirname(path)
    const isDurable = this.#isDurable && durable === true
    await this.#tidy()
    // Only to spare a write that is bound to fail.
    if (ifVersion !== undefined) await this.#expect(key, path, ifVersion)
    let temp: string | undefined
    try {
      const made = this.#directories.ensure(directory)
      made.catch(() => {})
      temp = await this.#writeTemporary(content, this.#isDurable && durable !== false)
      const isNew = await made
      const complete = temp
      await this.#mutex.run(key, () => this.#publish(key, path, complete, ifVersion))
      if (isDurable) await this.#directories.settle(directory, isNew)
    } catch (error) {
      if (temp !== undefined) await this.#ops.unlink(temp).catch(() => {})
      await this.#directories.prune(directory)
      throw error
    }
  }

  async delete(key: string, { ifVersion, durable = true }: DeleteOptions = {}): Promise<void> {
    const path = `${this.#root}/${key}`
    try {
      await this.#mutex.run(key, () =>
        ifVersion === undefined ? this.#ops.unlink(path) : this.#deleteVersion(key, path, ifVersion),
      )
    } catch (error) {
      if (await this.#isFolder(path, error)) return
      if (!isMissing(error)) throw error
      // Whoever removed it may not have come to the sync, or failed there.
    }
    const left = await this.#directories.prune(dirname(path))
    if (durable) await this.#directories.settleRemoval(left)
  }

  async deletePrefix(prefix: string, durable: boolean): Promise<void> {
    const folder = prefix === '' ? this.#root : `${this.#root}/${prefix}`
    if (prefix === '' || TEMPORARY.startsWith(`${prefix}/`)) return this.#deleteChildren(prefix, folder, durable)
    if (HIDDEN.has(prefix)) return
    await this.#tidy()
    // At once, and out of sight before the work begins.
    let doomed = `${this.#temporary}/${randomUUID()}`
    try {
      // With a slash, it is no file's name: a key is not below itself.
      await this.#takeAway(`${folder}/`, doomed)
    } catch (error) {
      // Even a name needs space on a full disk, which this is to free.
      if (isFull(error)) doomed = `${folder}/`
      if (!isMissing(error)) await removeFolder(this.#ops, doomed)
      if (!isMissing(error) && !isFull(error)) throw error
    }
    const left = await this.#directories.prune(dirname(folder))
    // A rename from one directory to another is settled in both, or it may be undone.
    try {
      if (durable) await Promise.all([left, this.#temporary].map((one) => this.#directories.settleRemoval(one)))
    } finally {
      await removeFolder(this.#ops, doomed)
    }
  }

  async #takeAway(folder: string, doomed: string): Promise<void> {
    try {
      await this.#ops.rename(folder, doomed)
    } catch (error) {
      // What is missing may be the folder to move it to.
      if (!isMissing(error) || (await this.#ops.mkdir(this.#temporary)) === undefined) throw error
      await this.#ops.rename(folder, doomed)
    }
  }

  /** Whether a file can be made and removed. */
  async probe(): Promise<void> {
    await this.#ops.unlink(await this.#writeTemporary(new Uint8Array(1), false))
  }

  async #publish(key: string, path: string, temp: string, ifVersion: string | null | undefined): Promise<void> {
    const directory = dirname(path)
    if (ifVersion === undefined) return this.#directories.within(directory, () => this.#ops.rename(temp, path))
    if (ifVersion !== null) return this.#claims.replace(key, path, temp, ifVersion)
    try {
      await this.#directories.within(directory, () => this.#ops.link(temp, path))
    } catch (error) {
      if (codeOf(error) === 'EEXIST') throw new PreconditionFailedError(key, { cause: error })
      if (!hasNoLinks(error)) throw error
      return this.#claims.replace(key, path, temp, null)
    }
    await this.#ops.unlink(temp)
  }

  /** The claim needs a date to be compared with, which a file made just now has. */
  async #deleteVersion(key: string, path: string, version: string): Promise<void> {
    await this.#expect(key, path, version)
    const temp = await this.#writeTemporary(new Uint8Array(), false)
    try {
      await this.#claims.remove(key, path, temp, version)
    } finally {
      await this.#ops.unlink(temp)
    }
  }

  async #expect(key: string, path: string, version: string | null): Promise<void> {
    const found = await this.#ops.lstat(path).then(versionOf, (error) => {
      if (isMissing(error)) return null
      throw error
    })
    if (found !== version) throw new PreconditionFailedError(key)
  }

  /** Resolves with the path of a complete file; leaves none when it fails. */
  async #writeTemporary(content: Uint8Array, isDurable: boolean): Promise<string> {
    const path = `${this.#temporary}/${randomUUID()}`
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NOFOLLOW
    const fd = await this.#directories.within(this.#temporary, () => this.#ops.open(path, flags))
    try {
      try {
        for (let done = 0; done < content.byteLength; ) {
          done += await this.#ops.write(fd, content, done, content.byteLength - done, done)
        }
        const settled = await Promise.allSettled([isDurable ? this.#ops.fsync(fd) : undefined, this.#stamp(fd)])
        for (const result of settled) if (result.status === 'rejected') throw result.reason
      } finally {
        await this.#ops.close(fd)
      }
    } catch (error) {
      await this.#ops.unlink(path).catch(() => {})
      throw error
    }
    return path
  }

  /** Gives the file a date of its own, for the sake of its version. */
  #stamp(fd: number): Promise<void> {
    const now = this.#times.next()
    return this.#ops.futimes(fd, now, now)
  }

  async #deleteChildren(prefix: string, folder: string, durable: boolean): Promise<void> {
    for (const { name } of await this.#ops.readdir(folder).catch(noneIfMissing)) {
      const key = prefix === '' ? name : `${prefix}/${name}`
      await this.delete(key, { durable })
      await this.deletePrefix(key, durable)
    }
  }

  /** What unlinking a folder says differs between systems. */
  async #isFolder(path: string, error: unknown): Promise<boolean> {
    const code = codeOf(error)
    if (code === 'EISDIR') return true
    return code === 'EPERM' && (await this.#ops.lstat(path)).isDirectory()
  }

  /** Once, at the first write: a crash may have left temporary files. */
  async #tidy(): Promise<void> {
    if (this.#hasTidied) return
    this.#hasTidied = true
    const removed = await removeLeftovers(this.#ops, this.#temporary)
    if (removed > 0) this.#logger.info({ removed, directory: this.#temporary }, 'removed what a crash had left')
  }
}

function isFull(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}

function noneIfMissing(error: unknown): [] {
  if (isMissing(error)) return []
  throw error
}
