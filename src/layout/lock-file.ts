import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf, isMissing } from '../drivers/filesystem/errors.ts'
import type { FileOps } from '../drivers/filesystem/file-ops.ts'

/** Between two looks at a lock that somebody else holds. */
const RETRY_MS = 20
/** A lock is held while small files are written: one that stays for so long belongs to a process that was killed. */
const STALE_MS = 15_000

interface LockOptions {
  /** For how long the same lock is waited for before it counts as left behind. Default: 15 seconds. */
  readonly staleMs?: number
}

/**
 * Runs `task` while no other process holds the same lock, a file that is there as long as it is held. A lock that stays is taken away:
 * measured by how long it was looked at, since the clock that dates it may be another machine's.
 */
export async function withLock<T>(
  ops: FileOps,
  path: string,
  task: () => Promise<T>,
  { staleMs = STALE_MS }: LockOptions = {},
): Promise<T> {
  await acquire(ops, path, staleMs)
  try {
    return await task()
  } finally {
    await ops.unlink(path).catch(() => {})
  }
}

async function acquire(ops: FileOps, path: string, staleMs: number): Promise<void> {
  let seen: { readonly lock: string; readonly since: number } | undefined
  for (;;) {
    try {
      await ops.close(await ops.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL))
      return
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    const lock = await identityOf(ops, path)
    if (lock === undefined) continue
    if (lock !== seen?.lock) seen = { lock, since: performance.now() }
    else if (performance.now() - seen.since > staleMs) await breakLock(ops, path, lock)
    await delay(RETRY_MS)
  }
}

/** Takes away a lock whose holder is dead. Renamed first: of two who come to it, one alone gets it. */
async function breakLock(ops: FileOps, path: string, lock: string): Promise<void> {
  const doomed = `${path}-${randomUUID()}`
  try {
    await ops.rename(path, doomed)
    // Somebody was faster, and this is the lock of the next one: it goes back.
    if ((await identityOf(ops, doomed)) !== lock) await ops.link(doomed, path)
    await ops.unlink(doomed)
  } catch (error) {
    if (!isMissing(error) && codeOf(error) !== 'EEXIST') throw error
  }
}

/** Numbers of files are used again: the next lock may have the same one. */
async function identityOf(ops: FileOps, path: string): Promise<string | undefined> {
  try {
    const { ino, mtimeNs } = await ops.lstat(path)
    return `${ino}-${mtimeNs}`
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
