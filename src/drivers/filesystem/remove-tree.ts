import { codeOf, isMissing } from './errors.ts'
import type { FileOps } from './file-ops.ts'

/** After this nobody can still be writing a temporary file, or deleting a folder. */
const LEFT_AFTER_MS = 24 * 60 * 60 * 1000

/** Removes a file, or a folder with all that is in it; somebody else may be doing the same. */
export async function removeTree(ops: FileOps, path: string): Promise<void> {
  try {
    if (!(await ops.lstat(path)).isDirectory()) {
      await ops.unlink(path)
      return
    }
    for (;;) {
      for (const { name } of await ops.readdir(path)) await removeTree(ops, `${path}/${name}`)
      try {
        await ops.rmdir(path)
        return
      } catch (error) {
        // Somebody who had the folder open made one more file in it.
        if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error
      }
    }
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

/** Removes what has been in `folder` for a day; resolves with how many entries that were. What resists stays for the next time. */
export async function removeLeftovers(ops: FileOps, folder: string): Promise<number> {
  let removed = 0
  const entries = await ops.readdir(folder).catch(() => [])
  for (const { name } of entries) {
    const path = `${folder}/${name}`
    try {
      const age = Date.now() - Number((await ops.lstat(path)).ctimeNs / 1_000_000n)
      if (age < LEFT_AFTER_MS) continue
      await removeTree(ops, path)
      removed++
    } catch {}
  }
  return removed
}
