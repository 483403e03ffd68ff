import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { basename, dirname } from 'node:path'
import { KeyNotFoundError } from '../../storage/driver.ts'
import type { Directories } from './directories.ts'
import { codeOf, hasNoLinks, isMissing, keyError } from './errors.ts'
import { type FileOps, isThere, NOFOLLOW } from './file-ops.ts'

interface StagedFileContext {
  readonly ops: FileOps
  readonly root: string
  readonly directories: Directories
}

/** Who asks: `isNew`, not knowing of a byte so far; `isOwn`, being the process that began the upload. */
interface Asking {
  readonly isNew: boolean
  readonly isOwn: boolean
}

/** What will be published. */
export interface SealedFile {
  readonly path: string
  /** What that is a copy of; the same where it is none. */
  readonly source: string
  /** Bytes. */
  readonly size: number
}

/**
 * The names of an upload's bytes: a file at its key, and beside it
 * - `<key>.shared`: a process that did not begin the upload has opened, or is about to open, the file for writing;
 * - `<key>.sealed-<random>`: what the file is renamed to when the upload is sealed, never to be opened for writing again;
 * - `<key>.copy-<random>`: a copy of that, of one handle.
 *
 * What is published must be an inode that nobody can still write to: a process that stalled in the middle of an upload that
 * another one finished would change a blob that was verified. So whoever did not begin an upload raises the flag before it
 * opens the file, and who seals takes the name away before it looks for the flag: either the opener finds no file, or the
 * sealer finds the flag, and publishes a copy.
 */
export class StagedFile {
  readonly #ops: FileOps
  readonly #root: string
  readonly #directories: Directories
  readonly #key: string
  readonly #path: string
  readonly directory: string
  #isFlagged = false

  constructor({ ops, root, directories }: StagedFileContext, key: string) {
    this.#ops = ops
    this.#root = root
    this.#directories = directories
    this.#key = key
    this.#path = `${root}/${key}`
    this.directory = dirname(this.#path)
  }

  /** Opens it for writing. @throws as the system says, or {@link KeyNotFoundError} where its folder is gone */
  async open({ isNew, isOwn }: Asking): Promise<number> {
    if (!isOwn) await this.#raiseFlag()
    const flags = constants.O_WRONLY | NOFOLLOW | (isNew ? constants.O_CREAT : 0)
    const open = () => this.#ops.open(this.#path, flags)
    return isNew && isOwn ? this.#directories.within(this.directory, open) : open()
  }

  /**
   * Opens, in place of it, a copy: a crash in the middle of a rename may leave both names, and the other one may be of a blob
   * that is published.
   */
  async openCopy(): Promise<number> {
    const copy = this.#random('copy')
    await this.#ops.copyFile(this.#path, copy)
    await this.#ops.rename(copy, this.#path)
    return this.#ops.open(this.#path, constants.O_WRONLY | NOFOLLOW)
  }

  /**
   * Takes the name away from whoever would open it for writing. `isUnshared`: nobody but the process that began the upload
   * can have it open.
   */
  async takeName(asking: Asking): Promise<SealedFile & { readonly isUnshared: boolean }> {
    const own = this.#random('sealed')
    const path = await this.#rename(own, asking)
    const [stat, isShared] = await Promise.all([this.#ops.lstat(path), isThere(this.#ops, this.#flag)])
    const isUnshared = path === own && stat.nlink === 1n && !isShared
    return { path, source: path, size: Number(stat.size), isUnshared }
  }

  /** @throws when the copy has fewer bytes than what it is of */
  async copyOf(sealed: SealedFile): Promise<SealedFile> {
    const path = this.#random('copy')
    try {
      await this.#ops.copyFile(sealed.path, path)
      const size = Number((await this.#ops.lstat(path)).size)
      if (size < sealed.size) throw new Error(`a copy of upload ${this.#key} has ${size} of ${sealed.size} bytes`)
      return { path, source: sealed.path, size }
    } catch (error) {
      await unlinkIfThere(this.#ops, path).catch(() => {})
      throw error
    }
  }

  /**
   * Gives it a second name, not another one: until the upload's folder is removed, whoever asks again for an upload whose end
   * was not told to its client finds all its bytes, and not an upload that lost them.
   */
  async publish(from: string, to: string): Promise<void> {
    try {
      await this.#directories.within(dirname(to), () => this.#link(from, to))
    } catch (error) {
      throw isMissing(error) ? new KeyNotFoundError(this.#key, { cause: error }) : error
    }
  }

  /** What was sealed, by whoever did not come to publish it or was not heard to; `undefined` for nothing. */
  async sealedBefore(): Promise<SealedFile | 'no folder' | undefined> {
    const prefix = `${basename(this.#path)}.sealed-`
    let found: SealedFile | undefined
    try {
      for (const { name } of await this.#ops.readdir(this.directory)) {
        if (!name.startsWith(prefix)) continue
        const path = `${this.directory}/${name}`
        const size = Number((await this.#ops.lstat(path)).size)
        if (found === undefined || size > found.size) found = { path, source: path, size }
      }
    } catch (error) {
      if (!isMissing(error)) throw error
      return found ?? 'no folder'
    }
    return found
  }

  /** The bytes of an upload that is there, also without a byte so far; `undefined` where not even its folder is. */
  async find(): Promise<{ readonly path: string; readonly size: number } | undefined> {
    try {
      const stat = await this.#ops.lstat(this.#path)
      return stat.isFile() ? { path: this.#path, size: Number(stat.size) } : undefined
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    const sealed = await this.sealedBefore()
    return sealed === 'no folder' ? undefined : (sealed ?? { path: this.#path, size: 0 })
  }

  /** Removes what a published copy leaves behind; nothing depends on it. */
  async removeFlags({ source }: SealedFile): Promise<void> {
    await unlinkIfThere(this.#ops, source).catch(() => {})
    await unlinkIfThere(this.#ops, this.#flag).catch(() => {})
  }

  /** Removes all of its names. */
  async remove(): Promise<void> {
    const name = basename(this.#path)
    try {
      for (const entry of await this.#ops.readdir(this.directory)) {
        const isOurs = entry.name === name || entry.name.startsWith(`${name}.`)
        if (isOurs) await unlinkIfThere(this.#ops, `${this.directory}/${entry.name}`)
      }
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }

  get #flag(): string {
    return `${this.#path}.shared`
  }

  #random(kind: 'sealed' | 'copy'): string {
    return `${this.#path}.${kind}-${randomUUID()}`
  }

  async #raiseFlag(): Promise<void> {
    if (this.#isFlagged) return
    try {
      await this.#ops.close(await this.#ops.open(this.#flag, constants.O_WRONLY | constants.O_CREAT | NOFOLLOW))
    } catch (error) {
      throw keyError(error, this.#root, this.#key)
    }
    this.#isFlagged = true
  }

  /** Resolves with what the file is called now: `own`, or what somebody who sealed it before renamed it to. */
  async #rename(own: string, { isNew, isOwn }: Asking): Promise<string> {
    try {
      await this.#ops.rename(this.#path, own)
      return own
    } catch (error) {
      if (!isMissing(error)) throw error
      const before = await this.sealedBefore()
      if (before instanceof Object) return before.path
      if (!isNew) throw new KeyNotFoundError(this.#key, { cause: error })
    }
    // Not a byte was ever appended.
    const make = () => this.#ops.open(own, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL)
    try {
      await this.#ops.close(await (isOwn ? this.#directories.within(this.directory, make) : make()))
    } catch (error) {
      throw keyError(error, this.#root, this.#key)
    }
    return own
  }

  async #link(from: string, to: string): Promise<void> {
    try {
      await this.#ops.link(from, to)
    } catch (error) {
      if (hasNoLinks(error)) return this.#ops.rename(from, to)
      if (codeOf(error) !== 'EEXIST') throw error
      const second = this.#random('copy')
      await this.#ops.link(from, second)
      await this.#ops.rename(second, to)
    }
  }
}

async function unlinkIfThere(ops: FileOps, path: string): Promise<void> {
  try {
    await ops.unlink(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}
