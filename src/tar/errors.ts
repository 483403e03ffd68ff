import { RegistryError } from '../errors.ts'

/** The archive breaks the format. */
export function malformed(reason: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', { message: `not a readable tar archive: ${reason}` })
}

/** The archive is right, but has something that we do not do. */
export function unsupported(reason: string): RegistryError {
  return new RegistryError('UNSUPPORTED', { message: `tar archive: ${reason}` })
}
