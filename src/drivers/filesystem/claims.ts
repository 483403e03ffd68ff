import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { PreconditionFailedError, StorageUnavailableError } from '../../storage/driver.ts'
import type { Directories } from './directories.ts'
import { codeOf, isMissing } from './errors.ts'
import type { FileOps, FileStat } from './file-ops.ts'

/** A claim this old belongs to a process that is dead, by the clock of the file system. */
const STALE_AFTER_MS = 60_000

/** Whoever took longer from claim to write gives up: its claim may pass for stale soon. By the monotonic clock. */
const GIVE_UP_AFTER_MS = 10_000

/** What one version of a file is called: it has another with every write. */
export function versionOf(stat: FileStat): string {
  return `${stat.ino}-${stat.mtimeNs}-${stat.size}`
}

/**
 * Lets one of all processes replace a certain version of a file. There is no system call for "rename if it is still the same", so
 * whoever wants to replace or remove version V of a key makes a claim file, named after both, which succeeds for one; looks
 * whether V is still there; changes it; removes the claim. A version never comes back, so a claim made later fails at the look.
 *
 * A claim whose maker died is not removed, since two could do that and the second remove the first one's new claim: its successor is
 * a claim with the next number. It holds among conditional writers; somebody who writes unconditionally in another process
 * in the very moment between look and rename is overwritten.
 */
export class Claims {
  readonly #ops: FileOps
  readonly #folder: string
  readonly #directories: Directories
  readonly #monotonicMs: () => number

  constructor(ops: FileOps, folder: string, directories: Directories, monotonicMs: () => number) {
    this.#ops = ops
    this.#folder = folder
    this.#directories = directories
    this.#monotonicMs = monotonicMs
  }

  /** Renames `temp` to `path` if that has `version` still, or, with `null`, if nothing is there. @throws {@link PreconditionFailedError} */
  replace(key: string, path: string, temp: string, version: string | null): Promise<void> {
    return this.#claimed(key, path, temp, version, () => this.#ops.rename(temp, path))
  }

  /** Unlinks `path` if it has `version` still; `temp` is a file made just now. @throws {@link PreconditionFailedError} */
  remove(key: string, path: string, temp: string, version: string): Promise<void> {
    return this.#claimed(key, path, temp, version, () => this.#ops.unlink(path))
  }

  async #claimed(
    key: string,
    path: string,
    temp: string,
    version: string | null,
    change: () => Promise<void>,
  ): Promise<void> {
    const base = `${this.#folder}/${createHash('sha256').update(key).digest('hex')}-${version ?? 'absent'}`
    const claimedAt = this.#monotonicMs()
    const claims = await this.#claim(key, base, temp)
    let isChanged = false
    try {
      if ((await this.#versionAt(path)) !== version) throw new PreconditionFailedError(key)
      if (this.#monotonicMs() - claimedAt > GIVE_UP_AFTER_MS) {
        throw new StorageUnavailableError(`storage took over ${GIVE_UP_AFTER_MS} ms for a conditional write of ${key}`)
      }
      await this.#change(key, version, change)
      isChanged = true
    } finally {
      // One that took too long leaves its claim to be found stale: somebody may hold the next one already.
      const isOurs = this.#monotonicMs() - claimedAt <= GIVE_UP_AFTER_MS
      if (isChanged) await this.#remove(claims)
      else if (isOurs) await this.#remove(claims.slice(-1))
    }
  }

  /** What was there a moment ago may have been deleted since, with its folder. */
  async #change(key: string, version: string | null, change: () => Promise<void>): Promise<void> {
    try {
      await change()
    } catch (error) {
      throw version !== null && isMissing(error) ? new PreconditionFailedError(key, { cause: error }) : error
    }
  }

  /** Makes the claim; resolves with the stale ones before it, and it. */
  async #claim(key: string, base: string, temp: string): Promise<string[]> {
    const claims: string[] = []
    for (let number = 0; ; number++) {
      const claim = `${base}.${number}`
      claims.push(claim)
      try {
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL
        const fd = await this.#directories.within(this.#folder, () => this.#ops.open(claim, flags))
        // It is the name that counts: there is nothing in it to be lost.
        await this.#ops.close(fd).catch(() => {})
        return claims
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
        if (!(await this.#isStale(claim, temp))) throw new PreconditionFailedError(key, { cause: error })
      }
    }
  }

  /** `temp` was made just now: its date is the present, by the same clock. */
  async #isStale(claim: string, temp: string): Promise<boolean> {
    try {
      const [made, now] = await Promise.all([this.#ops.lstat(claim), this.#ops.lstat(temp)])
      return Number((now.ctimeNs - made.ctimeNs) / 1_000_000n) > STALE_AFTER_MS
    } catch (error) {
      // Removed meanwhile, by somebody who replaced the version, or failed to.
      if (isMissing(error)) return false
      throw error
    }
  }

  async #versionAt(path: string): Promise<string | null> {
    try {
      return versionOf(await this.#ops.lstat(path))
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  }

  async #remove(claims: readonly string[]): Promise<void> {
    for (const claim of claims) await this.#ops.unlink(claim).catch(() => {})
  }
}
