import { RegistryError } from '../errors.ts'
import type { StorageDriver } from './driver.ts'

export interface OpenUploadsOptions {
  /** Uploads of one repository that may be open at once. */
  readonly maxPerRepository: number
  /** Uploads of one actor that may be open at once. */
  readonly maxPerActor: number
}

/** One that nobody has touched for this long is abandoned, most likely: it may be resumed, and is not counted. */
const IDLE_MS = 60 * 60 * 1000

/** For how long nobody looks again whether some of those that fill a limit have ended elsewhere. */
const LOOK_AGAIN_MS = 5_000

/** Looked for at once. */
const LOOKS = 10

/** Counted at most, over all repositories; for one more, the longest idle is not counted any more. */
const MAX_COUNTED = 100_000

interface OpenUpload {
  readonly repository: string
  readonly actor: string | undefined
  /** The key that is there for as long as it is open. */
  readonly mark: string
  /** In milliseconds of the monotonic clock. */
  usedAt: number
}

/** Keys of uploads, the longest idle first, and when all of them were found to be open last. */
interface Group {
  readonly keys: Set<string>
  allOpenAt: number
  looking: Promise<boolean> | undefined
}

/**
 * Counts the uploads that were begun in this process and are open. Other processes count theirs; one that was ended by another is
 * looked for in the storage before anybody is refused because of it.
 */
export class OpenUploads {
  readonly #driver: StorageDriver
  readonly #options: OpenUploadsOptions
  readonly #uploads = new Map<string, OpenUpload>()
  readonly #repositories = new Map<string, Group>()
  readonly #actors = new Map<string, Group>()

  constructor(driver: StorageDriver, options: OpenUploadsOptions) {
    this.#driver = driver
    this.#options = options
  }

  /**
   * Takes a place for an upload that is about to begin.
   *
   * @throws {@link RegistryError} `TOOMANYREQUESTS` with `retry-after`
   */
  async enter(key: string, upload: Omit<OpenUpload, 'usedAt'>): Promise<void> {
    const { repository, actor } = upload
    for (;;) {
      const full = this.#full(repository, actor)
      if (full === undefined) break
      if (full.group === undefined || !(await this.#makeRoom(full.group))) throw full.refusal
    }
    this.#uploads.set(key, { ...upload, usedAt: performance.now() })
    groupOf(this.#repositories, repository).keys.add(key)
    if (actor !== undefined) groupOf(this.#actors, actor).keys.add(key)
    if (this.#uploads.size <= MAX_COUNTED) return
    for (const oldest of this.#uploads.keys()) {
      this.leave(oldest)
      return
    }
  }

  /** Somebody goes on with it. */
  touch(key: string): void {
    const upload = this.#uploads.get(key)
    if (upload === undefined) return
    upload.usedAt = performance.now()
    this.#uploads.delete(key)
    this.#uploads.set(key, upload)
    for (const { keys } of this.#groupsOf(upload)) {
      keys.delete(key)
      keys.add(key)
    }
  }

  /** It has ended, or was never begun. */
  leave(key: string): void {
    const upload = this.#uploads.get(key)
    if (upload === undefined) return
    this.#uploads.delete(key)
    for (const { keys } of this.#groupsOf(upload)) keys.delete(key)
    if (this.#repositories.get(upload.repository)?.keys.size === 0) this.#repositories.delete(upload.repository)
    if (upload.actor !== undefined && this.#actors.get(upload.actor)?.keys.size === 0) this.#actors.delete(upload.actor)
  }

  #groupsOf({ repository, actor }: OpenUpload): readonly Group[] {
    const groups = [this.#repositories.get(repository), actor === undefined ? undefined : this.#actors.get(actor)]
    return groups.filter((group) => group !== undefined)
  }

  /** The limit that leaves no place, if one does. */
  #full(repository: string, actor: string | undefined) {
    const { maxPerRepository, maxPerActor } = this.#options
    const ofRepository = this.#repositories.get(repository)
    if (this.#counted(ofRepository) >= maxPerRepository) {
      return { group: ofRepository, refusal: tooMany('this repository', maxPerRepository) }
    }
    if (actor === undefined) return undefined
    const ofActor = this.#actors.get(actor)
    if (this.#counted(ofActor) >= maxPerActor) return { group: ofActor, refusal: tooMany('you', maxPerActor) }
    return undefined
  }

  #counted(group: Group | undefined): number {
    if (group === undefined) return 0
    for (const key of group.keys) {
      const upload = this.#uploads.get(key)
      if (upload !== undefined && performance.now() - upload.usedAt < IDLE_MS) break
      this.leave(key)
    }
    return group.keys.size
  }

  /** Looks in the storage for uploads that other processes have ended: one look for all who ask meanwhile. */
  #makeRoom(group: Group): Promise<boolean> {
    if (performance.now() - group.allOpenAt < LOOK_AGAIN_MS) return Promise.resolve(false)
    group.looking ??= this.#look(group.keys).then(
      (found) => {
        if (!found) group.allOpenAt = performance.now()
        group.looking = undefined
        return found
      },
      (error: unknown) => {
        group.looking = undefined
        throw error
      },
    )
    return group.looking
  }

  /** Stops at the first that have ended. */
  async #look(all: ReadonlySet<string>): Promise<boolean> {
    const keys = [...all]
    for (let i = 0; i < keys.length; i += LOOKS) {
      const some = keys.slice(i, i + LOOKS)
      const ended = await Promise.all(some.map((key) => this.#hasEnded(key)))
      for (const [j, key] of some.entries()) if (ended[j]) this.leave(key)
      if (ended.includes(true)) return true
    }
    return false
  }

  async #hasEnded(key: string): Promise<boolean> {
    const upload = this.#uploads.get(key)
    return upload === undefined || (await this.#driver.stat(upload.mark)) === undefined
  }
}

function groupOf(groups: Map<string, Group>, name: string): Group {
  const group = groups.get(name) ?? { keys: new Set<string>(), allOpenAt: Number.NEGATIVE_INFINITY, looking: undefined }
  groups.set(name, group)
  return group
}

function tooMany(who: string, limit: number): RegistryError {
  return new RegistryError('TOOMANYREQUESTS', {
    message: `too many uploads are open: ${who} may have ${limit} at once`,
    detail: { limit },
    headers: { 'retry-after': '10' },
  })
}
