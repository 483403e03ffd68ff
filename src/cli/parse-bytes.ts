import { CliError, EXIT_USAGE } from './cli-error.ts'

/**
 * A number of bytes, or of K, M, G or T, each 1024 of the one before.
 *
 * @param whole - all that the option was given, where `text` is a part of it
 * @throws {@link CliError}
 */
export function parseBytes(option: string, text: string, whole: string = text): number {
  const [, digits, unit = ''] = /^(\d{1,15})([KMGT]?)$/i.exec(text) ?? []
  const bytes = Number(digits) * 1024 ** ['', 'K', 'M', 'G', 'T'].indexOf(unit.toUpperCase())
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes
  throw new CliError(`--${option} ${whole}: expected a number of bytes, or one such as 50G`, EXIT_USAGE)
}
