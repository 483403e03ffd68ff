import { dirname, join, resolve } from 'node:path'
import { StorageUnavailableError } from '../../storage/driver.ts'
import { DirectorySync } from './directory-sync.ts'
import { codeOf, storageError } from './errors.ts'
import { type FileOps, isThere } from './file-ops.ts'

/**
 * The root directory without symbolic links, made where it is missing.
 *
 * @throws {@link StorageUnavailableError} when it is no directory, cannot be made, or takes no directories: that nothing is there
 * must not be told of the keys in it
 */
export async function openRoot(ops: FileOps, directory: string, isDurable: boolean): Promise<string> {
  const path = resolve(directory)
  try {
    const root = await ops.realpath(path).catch((error) => makeRoot(ops, directory, isDurable, error))
    if (!(await ops.lstat(root)).isDirectory()) throw unusable(directory, 'it is a file')
    await probe(ops, root, directory)
    return root
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOTDIR' || code === 'EEXIST')
      throw unusable(directory, 'it, or something above it, is a file', error)
    if (code === 'ENOENT') throw unusable(directory, 'it is a symbolic link that leads nowhere', error)
    throw storageError(error, directory)
  }
}

async function makeRoot(ops: FileOps, directory: string, isDurable: boolean, error: unknown): Promise<string> {
  if (codeOf(error) !== 'ENOENT') throw error
  const path = resolve(directory)
  const made = await makeDirectories(ops, path, (failure, one) => {
    const code = codeOf(failure) ?? ''
    if (!['ENOENT', 'EACCES', 'EPERM', 'EROFS'].includes(code)) return failure
    return unusable(directory, `it is not there, and cannot be made in ${dirname(one)} (${code})`, failure)
  })
  if (isDurable) {
    const sync = new DirectorySync(ops)
    await Promise.all(made.map((one) => sync.sync(dirname(one))))
  }
  return ops.realpath(path)
}

/**
 * Makes `path` and what is missing above it, step by step: on a file system that makes no directories and says of the path that it is
 * missing (`/proc`), Node's recursive `mkdir` never ends.
 *
 * @param explain - the error to throw for one that cannot be made
 * @returns those that were missing, from the highest to `path`
 */
export async function makeDirectories(
  ops: FileOps,
  path: string,
  explain: (failure: unknown, directory: string) => unknown,
): Promise<readonly string[]> {
  const missing = await missingDirectories(ops, path)
  for (const one of missing) {
    await ops.mkdirAlone(one).catch((failure: unknown) => {
      // Somebody else may have made it a moment ago.
      if (codeOf(failure) !== 'EEXIST') throw explain(failure, one)
    })
  }
  return missing
}

/** From the highest to `path`. */
async function missingDirectories(ops: FileOps, path: string): Promise<string[]> {
  const missing: string[] = []
  for (let one = path; ; one = dirname(one)) {
    if (one === dirname(one) || (await isThere(ops, one))) return missing
    missing.unshift(one)
  }
}

/** Directories below the root are made with their parents: once, it has to be seen that this comes to an end. */
async function probe(ops: FileOps, root: string, directory: string): Promise<void> {
  try {
    await ops.mkdirAlone(join(root, 'docker'))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw unusable(directory, 'no directory can be made in it', error)
    // What cannot be written can still be read; a write will say why it fails.
  }
}

/** Whether `V1` and `v1` are one file in `root`, an open one: so on disks of macOS and Windows as they come. */
export async function foldsCase(ops: FileOps, root: string): Promise<boolean> {
  const inodes = ['docker', 'DOCKER'].map((name) =>
    ops.lstat(join(root, name)).then(
      ({ ino }) => ino,
      () => undefined,
    ),
  )
  const [lower, upper] = await Promise.all(inodes)
  return lower !== undefined && lower === upper
}

function unusable(directory: string, reason: string, cause?: unknown): StorageUnavailableError {
  return new StorageUnavailableError(`storage directory ${directory}: ${reason}`, { cause })
}
