import { constants } from 'node:fs'
import { codeOf, isMissing } from './errors.ts'
import type { FileOps } from './file-ops.ts'

interface Running {
  readonly current: Promise<boolean>
  next?: Promise<boolean>
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
   * Resolves when every entry that was in the directory at the time of the call is durable: with whether there is such a
   * directory.
   */
  sync(directory: string): Promise<boolean> {
    const running = this.#running.get(directory)
    if (!running) return this.#begin(directory)
    running.next ??= running.current.then(ignore, ignore).then(() => this.#begin(directory))
    return running.next
  }

  #begin(directory: string): Promise<boolean> {
    const running: Running = { current: this.#syncNow(directory) }
    this.#running.set(directory, running)
    const end = (): void => {
      // Where a next one waits, it takes this one's place itself.
      if (running.next === undefined) this.#running.delete(directory)
    }
    running.current.then(end, end)
    return running.current
  }

  async #syncNow(directory: string): Promise<boolean> {
    let fd: number
    try {
      fd = await this.#ops.open(directory, constants.O_RDONLY | (constants.O_DIRECTORY ?? 0))
    } catch (error) {
      if (isMissing(error)) return false
      if (cannotSyncDirectories(error)) return true
      throw error
    }
    try {
      await this.#ops.fsync(fd)
    } catch (error) {
      if (!cannotSyncDirectories(error)) throw error
    } finally {
      await this.#ops.close(fd)
    }
    return true
  }
}

/** Windows opens or syncs no directories, some FUSE file systems neither: there the system itself has to care. */
function cannotSyncDirectories(error: unknown): boolean {
  const code = codeOf(error)
  if (code === 'EINVAL' || code === 'ENOTSUP') return true
  return process.platform === 'win32' && (code === 'EPERM' || code === 'EISDIR')
}

function ignore(): void {}
