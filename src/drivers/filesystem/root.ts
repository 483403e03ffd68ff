import { dirname, resolve } from 'node:path'
import { StorageUnavailableError } from '../../storage/driver.ts'
import { DirectorySync } from './directory-sync.ts'
import { codeOf } from './errors.ts'
import type { FileOps } from './file-ops.ts'

/**
 * The root directory without symbolic links, made where it is missing.
 *
 * @throws {@link StorageUnavailableError} when it is not a directory
 */
export async function openRoot(ops: FileOps, directory: string, isDurable: boolean): Promise<string> {
  const path = resolve(directory)
  try {
    const root = await ops.realpath(path).catch((error) => makeRoot(ops, path, isDurable, error))
    if ((await ops.lstat(root)).isDirectory()) return root
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'ENOTDIR' && code !== 'EEXIST') throw error
    throw notADirectory(directory, error)
  }
  throw notADirectory(directory)
}

async function makeRoot(ops: FileOps, path: string, isDurable: boolean, error: unknown): Promise<string> {
  if (codeOf(error) !== 'ENOENT') throw error
  const first = await ops.mkdir(path)
  const sync = new DirectorySync(ops)
  if (isDurable && first !== undefined) {
    const parents: string[] = []
    for (let parent = dirname(path); parent.length >= dirname(first).length; parent = dirname(parent)) {
      parents.push(parent)
      if (parent === dirname(parent)) break
    }
    await Promise.all(parents.map((parent) => sync.sync(parent)))
  }
  return ops.realpath(path)
}

function notADirectory(directory: string, cause?: unknown): StorageUnavailableError {
  return new StorageUnavailableError(`storage directory ${directory}: it, or something above it, is a file`, { cause })
}
