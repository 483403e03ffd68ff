import { constants } from 'node:fs'
import { codeOf, isMissing } from './errors.ts'
import type { FileOps, FileStat } from './file-ops.ts'

interface Running {
  readonly current: Promise<string | undefined>
  next?: Promise<string | undefined>
}

/**
 * Makes the entries of directories durable. A sync that is asked for while one of the same directory runs cannot rely on
 * that one, which may have begun before the change; it waits for the next, which serves all who asked meanwhile.
 */
export class DirectorySync {
  readonly #ops: FileOps
  readonly #running = new Map<string, Running>()

  constructor(ops: FileOps) {
    this.#ops = ops
  }

  /**
   * Resolves when every entry that was in the directory at the time of the call is durable, with the directory's identity
   * (see {@link identityOf}), or with `undefined` when there is no such directory.
   */
  sync(directory: string): Promise<string | undefined> {
    const running = this.#running.get(directory)
    if (!running) return this.#begin(directory)
    running.next ??= running.current.then(ignore, ignore).then(() => this.#begin(directory))
    return running.next
  }

  #begin(directory: string): Promise<string | undefined> {
    const running: Running = { current: this.#syncNow(directory) }
    this.#running.set(directory, running)
    const end = (): void => {
      // Where a next one waits, it takes this one's place itself.
      if (running.next === undefined) this.#running.delete(directory)
    }
    running.current.then(end, end)
    return running.current
  }

  async #syncNow(directory: string): Promise<string | undefined> {
    let fd: number
    try {
      fd = await this.#ops.open(directory, constants.O_RDONLY | (constants.O_DIRECTORY ?? 0))
    } catch (error) {
      if (isMissing(error)) return undefined
      if (cannotSyncDirectories(error)) return ''
      throw error
    }
    const [synced, stat] = await Promise.allSettled([this.#ops.fsync(fd), this.#ops.fstat(fd)])
    await this.#ops.close(fd)
    if (synced.status === 'rejected' && !cannotSyncDirectories(synced.reason)) throw synced.reason
    if (stat.status === 'rejected') throw stat.reason
    return identityOf(stat.value)
  }
}

/** Tells a directory from one that took its name later; the inode number alone is used again at once. */
export function identityOf(stat: FileStat): string {
  return `${stat.ino}-${stat.birthtimeNs}`
}

/** Windows opens or syncs no directories, some FUSE file systems neither: there the system itself has to care. */
function cannotSyncDirectories(error: unknown): boolean {
  const code = codeOf(error)
  if (code === 'EINVAL' || code === 'ENOTSUP') return true
  return process.platform === 'win32' && (code === 'EPERM' || code === 'EISDIR')
}

function ignore(): void {}
