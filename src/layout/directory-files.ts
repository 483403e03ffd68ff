import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { codeOf, isMissing } from '../drivers/filesystem/errors.ts'
import { NOFOLLOW } from '../drivers/filesystem/file-ops.ts'
import { OpenFile } from '../drivers/filesystem/open-file.ts'
import { RegistryError } from '../errors.ts'
import { algorithmOf, type Digest, hexOf, isDigest } from '../spec/digest.ts'
import { compareBytes } from '../storage/byte-order.ts'
import type { BlobFiles, BlobPlace, StagedBlob } from './layout-files.ts'
import type { LayoutFolder } from './layout-folder.ts'

/** Not through a symbolic link, which may lead anywhere, and not waiting at a pipe that somebody put there. */
const READ: number = constants.O_RDONLY | NOFOLLOW | (constants.O_NONBLOCK ?? 0)
const ALGORITHMS = ['sha256', 'sha512'] as const

/** The blobs of a directory: `blobs/<algorithm>/<hex>`. */
export class DirectoryFiles implements BlobFiles {
  readonly #folder: LayoutFolder

  constructor(folder: LayoutFolder) {
    this.#folder = folder
  }

  async size(digest: Digest): Promise<number | undefined> {
    try {
      const stat = await this.#folder.ops.lstat(this.#pathOf(digest))
      return stat.isFile() ? Number(stat.size) : undefined
    } catch (error) {
      if (!isMissing(error)) throw error
      await this.#folder.check()
      return undefined
    }
  }

  async open(digest: Digest): Promise<BlobPlace | undefined> {
    const { ops } = this.#folder
    let fd: number
    try {
      fd = await ops.open(this.#pathOf(digest), READ)
    } catch (error) {
      if (codeOf(error) === 'ELOOP') throw isLink(digest, error)
      if (!isMissing(error)) throw error
      await this.#folder.check()
      return undefined
    }
    const file = new OpenFile(ops, fd)
    try {
      const stat = await ops.fstat(fd)
      if (stat.isFile()) return { file, start: 0, size: Number(stat.size) }
    } catch (error) {
      void file.release()
      throw error
    }
    void file.release()
    return undefined
  }

  async list(): Promise<readonly Digest[]> {
    const found: Digest[] = []
    for (const algorithm of ALGORITHMS) {
      const entries = await this.#folder.ops.readdir(this.#folder.at(`blobs/${algorithm}`)).catch((error: unknown) => {
        if (isMissing(error)) return []
        throw error
      })
      for (const { name } of entries) if (isDigest(`${algorithm}:${name}`)) found.push(`${algorithm}:${name}`)
    }
    return found.sort(compareBytes)
  }

  async stage(): Promise<StagedBlob> {
    await this.#folder.ensure()
    return new StagedFile(this.#folder)
  }

  async delete(digest: Digest): Promise<boolean> {
    try {
      await this.#folder.ops.unlink(this.#pathOf(digest))
    } catch (error) {
      if (!isMissing(error)) throw error
      await this.#folder.check()
      return false
    }
    await this.#folder.sync(`blobs/${algorithmOf(digest)}`)
    return true
  }

  #pathOf(digest: Digest): string {
    return this.#folder.at(blobPath(digest))
  }
}

/** Where a layout keeps a blob, in a directory and in an archive. */
export function blobPath(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`
}

/** A file of its own beside the others, renamed to its place. */
class StagedFile implements StagedBlob {
  readonly #folder: LayoutFolder
  readonly #path: string
  #fd: number | undefined
  #state: 'new' | 'written' | 'over' = 'new'

  constructor(folder: LayoutFolder) {
    this.#folder = folder
    this.#path = folder.temporary(randomUUID())
  }

  async open(): Promise<{ readonly fd: number; readonly start: number }> {
    const flags = constants.O_RDWR | NOFOLLOW | (this.#state === 'new' ? constants.O_CREAT | constants.O_EXCL : 0)
    this.#fd ??= await this.#folder.ops.open(this.#path, flags)
    this.#state = 'written'
    return { fd: this.#fd, start: 0 }
  }

  async publish(digest: Digest): Promise<void> {
    const { ops } = this.#folder
    const { fd } = await this.open()
    await ops.fsync(fd)
    await this.release()
    const parent = `blobs/${algorithmOf(digest)}`
    await this.#folder.makeFolder(parent)
    await ops.rename(this.#path, this.#folder.at(blobPath(digest)))
    this.#state = 'over'
    await this.#folder.sync(parent)
  }

  async release(): Promise<void> {
    const fd = this.#fd
    this.#fd = undefined
    if (fd !== undefined) await this.#folder.ops.close(fd)
  }

  async discard(): Promise<void> {
    await this.release()
    if (this.#state !== 'written') return
    this.#state = 'over'
    await this.#folder.ops.unlink(this.#path).catch((error: unknown) => {
      if (!isMissing(error)) throw error
    })
  }
}

function isLink(digest: Digest, cause: unknown): RegistryError {
  return new RegistryError('UNSUPPORTED', {
    message: `${blobPath(digest)} is a symbolic link, which is not followed: it may lead out of the layout`,
    cause,
  })
}
