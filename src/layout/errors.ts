import { withErrors } from '../decorators/with-errors.ts'
import { adviceOn } from '../drivers/filesystem/errors.ts'
import { type FileOps, nodeFileOps } from '../drivers/filesystem/file-ops.ts'
import { RegistryError } from '../errors.ts'

/** What is there is no layout, or no archive, that can be read; `message` says what was found, and what would be right. */
export function malformed(message: string, cause?: unknown): RegistryError {
  // Not the fault of whoever asks for an image, so no 400.
  return new RegistryError('MANIFEST_INVALID', { status: 500, message, cause })
}

export function readOnlyArchive(): RegistryError {
  return new RegistryError('UNSUPPORTED', {
    message: 'this archive was opened for reading: createArchive() writes a new one',
  })
}

export function closedArchive(): RegistryError {
  return new RegistryError('UNSUPPORTED', {
    message: 'this archive is closed: openArchive() reads one that was finished',
  })
}

/** The operating system's calls; what an operator can do something about is told as `UNAVAILABLE`, in words. */
export function fileOpsFor(path: string): FileOps {
  return withErrors(nodeFileOps, (error) => {
    const advice = adviceOn(error)
    return advice === undefined
      ? error
      : new RegistryError('UNAVAILABLE', { message: `the image layout ${path}: ${advice}`, cause: error })
  })
}
