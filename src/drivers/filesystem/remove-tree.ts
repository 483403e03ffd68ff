import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { codeOf, isMissing } from './errors.ts'
import { type FileOps, isThere } from './file-ops.ts'

/** After this nobody can still be writing a temporary file, or deleting a folder. */
const LEFT_AFTER_MS = 24n * 60n * 60n * 1000n

/** Removes a file, or a folder with all that is in it; somebody else may be doing the same. */
async function removeTree(ops: FileOps, path: string): Promise<void> {
  try {
    if ((await ops.lstat(path)).isDirectory()) await removeFolder(ops, path)
    else await ops.unlink(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

/** The same for what is known to be a folder. */
export async function removeFolder(ops: FileOps, path: string): Promise<void> {
  for (;;) {
    try {
      for (const entry of await ops.readdir(path)) {
        if (entry.isDirectory()) await removeFolder(ops, `${path}/${entry.name}`)
        else await ops.unlink(`${path}/${entry.name}`)
      }
      await ops.rmdir(path)
      return
    } catch (error) {
      if (isMissing(error) && !(await isThere(ops, path))) return
      // Somebody who had the folder open made one more file in it, or removed one before us.
      if (!isMissing(error) && codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error
    }
  }
}

/**
 * Removes what has been in `folder` for a day; resolves with how many entries that were. What resists stays for the next time.
 *
 * The present is the date of a file made now: this machine's clock may be days from that of the file system, and from what
 * it was yesterday, and files that other processes are writing lie in the same folder.
 */
export async function removeLeftovers(ops: FileOps, folder: string): Promise<number> {
  const entries = await ops.readdir(folder).catch(() => [])
  if (entries.length === 0) return 0
  let now: bigint
  try {
    now = await present(ops, folder)
  } catch {
    // Whatever it is, a full disk perhaps, the write that we come before will say so, or can do without.
    return 0
  }
  let removed = 0
  for (const { name } of entries) {
    const path = `${folder}/${name}`
    try {
      if ((now - (await ops.lstat(path)).ctimeNs) / 1_000_000n < LEFT_AFTER_MS) continue
      await removeTree(ops, path)
      removed++
    } catch {}
  }
  return removed
}

async function present(ops: FileOps, folder: string): Promise<bigint> {
  const probe = `${folder}/${randomUUID()}`
  await ops.close(await ops.open(probe, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL))
  try {
    return (await ops.lstat(probe)).ctimeNs
  } finally {
    await ops.unlink(probe)
  }
}
