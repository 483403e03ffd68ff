import type { FileOps } from '../drivers/filesystem/file-ops.ts'

/** After this nobody can still be writing a temporary file. */
const LEFT_AFTER_MS = 24 * 60 * 60 * 1000

/** Removes a temporary file of ours that nobody has written to for a day; what resists stays for the next time. */
export async function removeLeftover(ops: FileOps, path: string): Promise<void> {
  try {
    const age = Date.now() - Number((await ops.lstat(path)).mtimeNs / 1_000_000n)
    if (age > LEFT_AFTER_MS) await ops.unlink(path)
  } catch {}
}
