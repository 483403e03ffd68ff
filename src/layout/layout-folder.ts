import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DirectorySync } from '../drivers/filesystem/directory-sync.ts'
import { codeOf, isMissing } from '../drivers/filesystem/errors.ts'
import { type FileOps, type FileStat, nodeFileOps } from '../drivers/filesystem/file-ops.ts'
import { makeDirectories } from '../drivers/filesystem/root.ts'
import { WriteTimes } from '../drivers/filesystem/write-times.ts'
import { RegistryError } from '../errors.ts'
import { fileOpsFor, malformed } from './errors.ts'
import { checkLayoutFile, LAYOUT_FILE, MAX_INDEX_BYTES } from './layout-index.ts'
import { removeLeftover } from './leftovers.ts'

/** What we write to before it has its name, and our lock, begin with this. */
const TEMPORARY = '.wharfage-'
/** So many names are told of what was found instead of a layout. */
const NAMES_TOLD = 5

/** The directory of a layout: whether it is one, and how files get into it that survive a power loss. */
export class LayoutFolder {
  /** As the caller wrote it, for messages. */
  readonly path: string
  readonly ops: FileOps
  readonly #root: string
  readonly mayCreate: boolean
  readonly #directories = new DirectorySync(nodeFileOps)
  readonly #times = new WriteTimes()
  #isChecked = false
  #ready: Promise<void> | undefined
  readonly #made = new Map<string, Promise<void>>()

  constructor(path: string, options: { readonly mayCreate: boolean }) {
    this.path = path
    this.ops = fileOpsFor(path)
    this.#root = resolve(path)
    this.mayCreate = options.mayCreate
  }

  at(name: string): string {
    return `${this.#root}/${name}`
  }

  /** A name for a file that is not to be found yet. */
  temporary(name: string): string {
    return this.at(`${TEMPORARY}${name}`)
  }

  /**
   * Resolves with whether there is a layout; where there is none there may come one.
   *
   * @throws {@link RegistryError} `MANIFEST_INVALID` for a directory of something else, or for none where one must be
   */
  async check(): Promise<boolean> {
    if (this.#isChecked) return true
    let content = await this.read('oci-layout')
    const found = content === undefined ? await this.#names() : undefined
    // It was made in between.
    if (found?.includes('oci-layout')) content = await this.read('oci-layout')
    if (content !== undefined) {
      checkLayoutFile(content, `${this.path}/oci-layout`)
      this.#isChecked = true
      return true
    }
    if (found !== undefined && found.length > 0) {
      const told = found.slice(0, NAMES_TOLD).join(', ') + (found.length > NAMES_TOLD ? ', …' : '')
      throw malformed(`${this.path} is no OCI image layout: it has no file oci-layout, but ${told}`)
    }
    if (this.mayCreate) return false
    throw malformed(
      `${this.path} is no OCI image layout: ${found === undefined ? 'there is no such directory' : 'it is empty'}`,
    )
  }

  /** Makes a layout where there is none, or none any more. @throws as {@link check} */
  async ensure(): Promise<void> {
    if (this.#ready !== undefined && (await this.version('oci-layout')) === undefined) {
      this.#isChecked = false
      this.#ready = undefined
      this.#made.clear()
    }
    this.#ready ??= this.#ensure().catch((error: unknown) => {
      this.#ready = undefined
      throw error
    })
    return this.#ready
  }

  /** The bytes of a small file; `undefined` when it is missing. @throws {@link RegistryError} `MANIFEST_INVALID` for a large one */
  async read(name: string): Promise<Buffer | undefined> {
    let fd: number
    try {
      fd = await this.ops.open(this.at(name), constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
    try {
      const stat = await this.ops.fstat(fd)
      if (!stat.isFile()) throw malformed(`${this.path}/${name} is no file`)
      if (stat.size > MAX_INDEX_BYTES) {
        throw malformed(`${this.path}/${name} has ${stat.size} bytes, more than ${MAX_INDEX_BYTES}`)
      }
      const content = Buffer.alloc(Number(stat.size))
      let length = 0
      for (let count = 1; count > 0 && length < content.byteLength; length += count) {
        count = await this.ops.read(fd, content, length, content.byteLength - length, length)
      }
      return content.subarray(0, length)
    } finally {
      await this.ops.close(fd)
    }
  }

  /** Puts a file in place, whole or not at all, and durably. Resolves with its version. */
  async write(name: string, content: Uint8Array): Promise<string> {
    const path = this.temporary(randomUUID())
    let version: string
    try {
      const fd = await this.ops.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL)
      try {
        for (let done = 0; done < content.byteLength; ) {
          done += await this.ops.write(fd, content, done, content.byteLength - done, done)
        }
        // For the sake of the version: two files of one size may get the same number within a tick of the clock.
        const now = this.#times.next()
        await this.ops.futimes(fd, now, now)
        await this.ops.fsync(fd)
        version = versionOf(await this.ops.fstat(fd))
      } finally {
        await this.ops.close(fd)
      }
      await this.ops.rename(path, this.at(name))
    } catch (error) {
      await this.ops.unlink(path).catch(() => {})
      throw error
    }
    await this.sync('')
    return version
  }

  /** By which a file is known to be the one that was read before; `undefined` when it is missing. */
  async version(name: string): Promise<string | undefined> {
    try {
      return versionOf(await this.ops.lstat(this.at(name)))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** Makes what is in a folder durable. */
  async sync(name: string): Promise<void> {
    await this.#directories.sync(name === '' ? this.#root : this.at(name))
  }

  /** Makes a folder with its parents, durably, once. */
  makeFolder(name: string): Promise<void> {
    const making = this.#made.get(name) ?? (name === '' ? this.#makeRoot() : this.#makeFolder(this.at(name)))
    this.#made.set(name, making)
    making.catch(() => this.#made.delete(name))
    return making
  }

  async #ensure(): Promise<void> {
    const isLayout = await this.check()
    await this.makeFolder('')
    if (isLayout) await this.#tidy()
    else await this.write('oci-layout', Buffer.from(LAYOUT_FILE))
    await this.makeFolder('blobs/sha256')
  }

  async #makeRoot(): Promise<void> {
    const made = await makeDirectories(this.ops, this.#root, (cause, directory) => {
      const reason = `${directory} cannot be made (${codeOf(cause) ?? 'unknown'})`
      return new RegistryError('UNAVAILABLE', { message: `${this.path}: ${reason}`, cause })
    })
    for (const one of made) await this.#directories.sync(dirname(one))
  }

  async #makeFolder(path: string): Promise<void> {
    const first = await this.ops.mkdir(path)
    if (first === undefined) return
    // The entry of each in the one above it.
    for (let made = path; made.length >= first.length; made = dirname(made)) await this.#directories.sync(dirname(made))
  }

  /** What is in the directory and not ours; `undefined` when there is none. */
  async #names(): Promise<readonly string[] | undefined> {
    try {
      const entries = await this.ops.readdir(this.#root)
      return entries.map(({ name }) => name).filter((name) => !name.startsWith(TEMPORARY))
    } catch (error) {
      if (codeOf(error) === 'ENOTDIR') {
        throw new RegistryError('UNAVAILABLE', { message: `${this.path} is no directory`, cause: error })
      }
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** What a killed process left, a day later. */
  async #tidy(): Promise<void> {
    for (const { name } of await this.ops.readdir(this.#root)) {
      if (name.startsWith(TEMPORARY)) await removeLeftover(this.ops, this.at(name))
    }
  }
}

function versionOf({ ino, size, mtimeNs }: FileStat): string {
  return `${ino}-${size}-${mtimeNs}`
}
