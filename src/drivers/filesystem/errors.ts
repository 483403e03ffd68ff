import { KeyNotFoundError, StorageUnavailableError } from '../../storage/driver.ts'

/** The `code` of a system error, `undefined` for any other. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** The name leads nowhere: the one kind of failure that means absence. */
export function isMissing(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** What an operator can do about each failure that says nothing about the content. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free some space',
  EDQUOT: 'the disk quota is used up: free some space or raise it',
  EFBIG: 'the file is larger than the file system or the limit of the process (ulimit -f) allows',
  EROFS: 'the file system is mounted read-only: remount it for writing',
  EACCES: 'permission denied: give the user that runs this process read and write access to it and all below it',
  EPERM: 'not permitted: give the user that runs this process read and write access to it and all below it',
  EIO: 'the disk reports an input/output error: check it before trusting what is on it',
  EMFILE: 'this process has too many open files: raise its limit (ulimit -n)',
  ENFILE: 'the system has too many open files: raise its limit (fs.file-max)',
  EMLINK: 'too many entries in one directory for this file system',
  ENOMEM: 'the system is out of memory',
  EBUSY: 'it is in use',
  EAGAIN: 'the system is short of resources',
  ETIMEDOUT: 'the file system does not answer',
  ESTALE: 'the network file system was remounted or replaced: restart this process',
  EHOSTDOWN: 'the network file system does not answer',
  ENOTCONN: 'the file system is not connected: mount it again',
  ENODEV: 'the disk is gone: mount it again',
  ENXIO: 'the disk is gone: mount it again',
}

/** Translates what the operating system said, at the driver's boundary; anything that is not about the store passes as it is. */
export function storageError(error: unknown, root: string): unknown {
  const advice = adviceOn(error)
  return advice === undefined
    ? error
    : new StorageUnavailableError(`storage directory ${root}: ${advice}`, { cause: error })
}

/** What to do about a failure, with its code; `undefined` for one that is not about the file system as such. */
export function adviceOn(error: unknown): string | undefined {
  const code = codeOf(error)
  const advice = code === undefined ? undefined : ADVICE[code]
  return advice === undefined ? undefined : `${advice} (${code})`
}

/** The same for an operation on a key that has to be there. */
export function keyError(error: unknown, root: string, key: string): unknown {
  return isMissing(error) ? new KeyNotFoundError(key, { cause: error }) : storageError(error, root)
}

/** A file system without hard links: exFAT, some network and FUSE ones. */
export function hasNoLinks(error: unknown): boolean {
  return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(codeOf(error) ?? '')
}
