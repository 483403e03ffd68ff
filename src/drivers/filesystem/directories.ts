import { dirname } from 'node:path'
import { DirectorySync } from './directory-sync.ts'
import { codeOf, isMissing } from './errors.ts'
import type { FileOps, FileStat } from './file-ops.ts'

/** Directories remembered as durable; forgetting one costs two or three syncs too many. */
const MAX_KNOWN = 20_000

/** How often a write tries again when the directory that it made is pruned under it. */
const MAX_ATTEMPTS = 8

/**
 * Makes, syncs and prunes the directories below the root.
 *
 * A file survives a power loss only if its directory was synced after it got its name there, and likewise every directory
 * above, up to one that is known to be durable. One found existing may have been made a moment ago by somebody who has not
 * synced yet, so a directory is known as durable only after this process saw its parent synced, and only as long as it is
 * the same directory (see {@link identityOf}).
 */
export class Directories {
  readonly #ops: FileOps
  readonly #root: string
  readonly #keep: (directory: string) => boolean
  readonly #sync: DirectorySync | undefined
  /** Path → identity. The entry of this directory, and of all above it, is durable; where nothing is, it is there. */
  readonly #durable = new Map<string, string>()

  /** `keep` names the directories that are never pruned, however empty. Without `isDurable` nothing is ever synced. */
  constructor(ops: FileOps, root: string, options: { keep: (directory: string) => boolean; isDurable: boolean }) {
    this.#ops = ops
    this.#root = root
    this.#keep = options.keep
    this.#sync = options.isDurable ? new DirectorySync(ops) : undefined
  }

  /**
   * Makes `directory` with its parents, unless it was there a while ago; `within` copes with its going away. Resolves with
   * whether it is new: most new ones are for one digest, and are never written to again.
   */
  async ensure(directory: string): Promise<boolean> {
    if (this.#durable.has(directory) || directory === this.#root || this.#keep(directory)) return false
    const isNew = (await this.#ops.mkdir(directory)) !== undefined
    if (!this.#sync && !isNew) this.#remember(directory, '')
    return isNew
  }

  /** Runs `write`, which makes an entry in `directory`; makes the directory where it is missing, and again when a prune took it away. */
  async within<T>(directory: string, write: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await write()
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' || attempt === MAX_ATTEMPTS) throw error
        this.#durable.delete(directory)
        await this.#ops.mkdir(directory)
      }
    }
  }

  /** Resolves when all that is in `directory` now is durable, and the way to it. One that `isNew` is not worth remembering. */
  async settle(directory: string, isNew: boolean = false): Promise<void> {
    const sync = this.#sync
    if (!sync) return
    for (;;) {
      const unknown = this.#unknownFrom(directory)
      // Before the syncs, so that what is remembered is what was there when the parent was synced.
      const remembered = isNew ? unknown.slice(1) : unknown
      const identities = await Promise.all(remembered.map((path) => this.#identity(path)))
      const known = unknown.length === 0 ? directory : dirname(unknown.at(-1) ?? directory)
      const [isThere] = await Promise.all([known, ...unknown].map((path) => sync.sync(path)))
      // After the sync: an identity never comes back, so if it is the remembered one now, that is what was synced.
      if (known !== this.#root && (await this.#identity(known)) !== this.#durable.get(known)) {
        // Another process removed it and made it again: its own entry is as uncertain as ours.
        this.#durable.delete(known)
        if (!isThere && known === directory) return
        continue
      }
      remembered.forEach((path, index) => {
        this.#remember(path, identities[index])
      })
      return
    }
  }

  /** The same for the removal of an entry: resolves when it cannot come back, also where the directory is gone as well. */
  async settleRemoval(directory: string): Promise<void> {
    if (!this.#sync) return
    for (let path = directory; ; path = dirname(path)) {
      if ((await this.#sync.sync(path)) || path === this.#root) return
    }
  }

  /** Removes `directory` and its parents as far as they are empty; resolves with the deepest that is left. */
  async prune(directory: string): Promise<string> {
    let path = directory
    while (path !== this.#root && !this.#keep(path)) {
      this.#durable.delete(path)
      try {
        await this.#ops.rmdir(path)
      } catch (error) {
        // Not empty, as a rule. Whatever it is, an empty directory left over does no harm.
        if (!isMissing(error)) return path
      }
      path = dirname(path)
    }
    return path
  }

  /** From `directory` upwards: itself and its parents, until one is known to be durable. */
  #unknownFrom(directory: string): string[] {
    const unknown: string[] = []
    for (let path = directory; path !== this.#root && !this.#durable.has(path); path = dirname(path)) unknown.push(path)
    return unknown
  }

  async #identity(path: string): Promise<string | undefined> {
    try {
      return identityOf(await this.#ops.lstat(path))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  #remember(path: string, identity: string | undefined): void {
    if (identity === undefined) return
    if (this.#durable.size >= MAX_KNOWN) {
      const oldest = this.#durable.keys().next().value
      if (oldest !== undefined) this.#durable.delete(oldest)
    }
    this.#durable.set(path, identity)
  }
}

/** Tells a directory from one that took its name later; the inode number alone is used again at once. */
function identityOf(stat: FileStat): string {
  return `${stat.ino}-${stat.birthtimeNs}`
}
