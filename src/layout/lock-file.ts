import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf, isMissing } from '../drivers/filesystem/errors.ts'
import type { FileOps } from '../drivers/filesystem/file-ops.ts'
import { RegistryError } from '../errors.ts'

/** Between two looks at a lock that somebody else holds. */
const RETRY_MS = 20
/** A lock is held while a small file is written: one this old belongs to a process that was killed. */
const STALE_MS = 30_000
const PATIENCE_MS = 60_000

/**
 * Runs `task` while no other process holds the same lock, a file that is there as long as it is held.
 *
 * @throws {@link RegistryError} `UNAVAILABLE` when it stays locked for a minute
 */
export async function withLock<T>(ops: FileOps, path: string, task: () => Promise<T>): Promise<T> {
  await acquire(ops, path)
  try {
    return await task()
  } finally {
    await ops.unlink(path).catch(() => {})
  }
}

async function acquire(ops: FileOps, path: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      await ops.close(await ops.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL))
      return
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    if (performance.now() > deadline) {
      throw new RegistryError('UNAVAILABLE', { message: `${path} is there: another process writes to this layout` })
    }
    if (!(await breakStale(ops, path))) await delay(RETRY_MS)
  }
}

/** Takes away a lock whose holder is dead. Renamed first: of two who find it, one alone gets it. */
async function breakStale(ops: FileOps, path: string): Promise<boolean> {
  try {
    const { mtimeNs, ino } = await ops.lstat(path)
    if (Date.now() - Number(mtimeNs / 1_000_000n) < STALE_MS) return false
    const doomed = `${path}-${randomUUID()}`
    await ops.rename(path, doomed)
    // Somebody was faster, and this is the lock of the next one: it goes back.
    if ((await ops.lstat(doomed)).ino !== ino) await ops.link(doomed, path)
    await ops.unlink(doomed)
    return true
  } catch (error) {
    if (isMissing(error) || codeOf(error) === 'EEXIST') return true
    throw error
  }
}
