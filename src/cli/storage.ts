import { constants } from 'node:fs'
import { access, mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { filesystem } from '../drivers/filesystem.ts'
import { memory } from '../drivers/memory.ts'
import type { StorageDriver } from '../storage/driver.ts'
import { CliError, EXIT_USAGE, messageOf, systemCodeOf } from './cli-error.ts'
import { nearest } from '../nearest.ts'

export interface OpenStorage {
  readonly driver: StorageDriver
  /** For people: where the content is. */
  readonly description: string
}

/**
 * Opens what `--storage` names: `file:DIR` or `memory:`. The directory is made where it is missing.
 *
 * @throws {@link CliError} when there is no such kind of storage, or it cannot be written to
 */
export async function openStorage(text: string): Promise<OpenStorage> {
  const colon = text.indexOf(':')
  const scheme = colon === -1 ? text : text.slice(0, colon)
  const rest = colon === -1 ? '' : text.slice(colon + 1)
  switch (scheme) {
    case 'file': {
      const directory = directoryOf(rest, text)
      await prepareDirectory(directory)
      return { driver: filesystem(directory), description: directory }
    }
    case 'memory':
      if (rest !== '') throw new CliError(`--storage ${text}: memory: takes no path`, EXIT_USAGE)
      return { driver: memory(), description: 'memory: gone when this process ends' }
    default:
      throw unknownScheme(text, scheme)
  }
}

/** `file:./data`, `file:/data`, and the URL `file:///data`. */
function directoryOf(rest: string, text: string): string {
  if (rest === '') throw new CliError(`--storage ${text}: a directory is missing: file:DIR`, EXIT_USAGE)
  if (!rest.startsWith('//')) return resolve(rest)
  try {
    return fileURLToPath(`file:${rest}`)
  } catch (error) {
    throw new CliError(`--storage ${text}: ${messageOf(error)}; for a path, write file:DIR`, EXIT_USAGE, {
      cause: error,
    })
  }
}

async function prepareDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true })
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new CliError(`cannot use ${directory} as storage: ${reason(error)}`, undefined, { cause: error })
  }
}

function reason(error: unknown): string {
  switch (systemCodeOf(error)) {
    case 'EEXIST':
    case 'ENOTDIR':
      return 'it, or a part of its path, is a file; name a directory with --storage file:DIR'
    case 'EACCES':
    case 'EPERM':
      return 'this user may not write there; give it the permission, or name another directory with --storage file:DIR'
    case 'EROFS':
      return 'the file system is read-only; name another directory with --storage file:DIR'
    default:
      return messageOf(error)
  }
}

function unknownScheme(text: string, scheme: string): CliError {
  // `./data` and `/data` are directories without their scheme.
  if (/[/\\]|^\.+$/.test(scheme)) {
    return new CliError(`--storage ${text}: for a directory, write --storage file:${text}`, EXIT_USAGE)
  }
  const guess = nearest(scheme, ['file', 'memory'])
  const hint =
    guess === undefined ? 'expected file:DIR or memory:' : `did you mean ${guess}:${guess === 'file' ? 'DIR' : ''}?`
  return new CliError(`--storage ${text}: no such kind of storage: ${hint}`, EXIT_USAGE)
}
