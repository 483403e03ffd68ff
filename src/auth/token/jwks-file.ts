import { checkOptions, kindOf } from '../../arguments.ts'
import type { Logger } from '../../logger.ts'
import { watchedFile } from '../watched-file.ts'
import { keysOfJwks, matching, type TokenKeys } from './trusted-key.ts'

export interface JwksFileOptions {
  /** A JSON Web Key Set; read again when it changes. */
  readonly file: string | URL
  /** Default: warnings and errors to standard error. */
  readonly logger?: Logger
}

/** More than any issuer has keys. */
export const MAX_JWKS_BYTES: number = 1024 * 1024

/** Keys of an issuer, from a file. */
export function jwksFile(options: JwksFileOptions): TokenKeys {
  checkOptions('jwksFile()', options, { file: true, logger: true })
  const { file, logger } = options ?? {}
  if (typeof file !== 'string' && !(file instanceof URL)) {
    throw new TypeError(`the option "file" must be the path of a JSON Web Key Set, not ${kindOf(file)}`)
  }
  const keys = watchedFile({ file, parse: keysOfJwks, maxBytes: MAX_JWKS_BYTES, logger })
  return { find: async (hint) => matching(await keys.current(), hint) }
}
