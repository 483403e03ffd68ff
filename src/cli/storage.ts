import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { filesystem } from '../drivers/filesystem.ts'
import { memory } from '../drivers/memory.ts'
import { nearest } from '../nearest.ts'
import { type StorageDriver, StorageUnavailableError } from '../storage/driver.ts'
import { CliError, EXIT_FAILURE, EXIT_USAGE, messageOf, systemCodeOf } from './cli-error.ts'

export interface OpenStorage {
  readonly driver: StorageDriver
  /** For people: where the content is. */
  readonly description: string
}

/**
 * Opens what `--storage` names: `file:DIR`, `memory:`, or a bucket. The directory is made where it is missing, a bucket is not.
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
      const driver = filesystem(directory)
      await tryOut(driver, directory)
      return { driver, description: directory }
    }
    case 'memory':
      if (rest !== '') throw new CliError(`--storage ${text}: memory: takes no path`, EXIT_USAGE)
      return { driver: memory(), description: 'memory: gone when this process ends' }
    case 's3':
    case 'azure':
    case 'gs':
      return openBucket(text, scheme)
    default:
      throw unknownScheme(text, scheme)
  }
}

const STORES = {
  s3: {
    packages: '@aws-sdk/client-s3 @aws-sdk/s3-request-presigner',
    open: async (url: string) => {
      const { parseS3Url, s3 } = await import('../drivers/s3.ts')
      return s3(parseS3Url(url))
    },
  },
  azure: {
    packages: '@azure/storage-blob @azure/identity',
    open: async (url: string) => {
      const { azure, parseAzureUrl } = await import('../drivers/azure.ts')
      return azure(await parseAzureUrl(url))
    },
  },
  gs: {
    packages: '@google-cloud/storage',
    open: async (url: string) => {
      const { gcs, parseGcsUrl } = await import('../drivers/gcs.ts')
      return gcs(parseGcsUrl(url))
    },
  },
} as const

/** The SDKs are loaded here and no sooner: who keeps images in a directory need not install one. */
async function openBucket(text: string, scheme: keyof typeof STORES): Promise<OpenStorage> {
  const { packages, open } = STORES[scheme]
  let driver: StorageDriver
  try {
    driver = await open(text)
  } catch (error) {
    if (systemCodeOf(error) === 'ERR_MODULE_NOT_FOUND') {
      throw new CliError(
        `--storage ${text} needs packages that are not installed: npm install ${packages}`,
        EXIT_FAILURE,
        {
          cause: error,
        },
      )
    }
    if (error instanceof TypeError)
      throw new CliError(`--storage ${text}: ${error.message}`, EXIT_USAGE, { cause: error })
    throw error
  }
  try {
    await driver.ping?.()
  } catch (error) {
    await driver.close?.()
    throw new CliError(`--storage ${text}: ${messageOf(error)}`, EXIT_FAILURE, { cause: error })
  }
  return { driver, description: text.replace(/\?.*$/s, '') }
}

/** `file:./data`, `file:/data`, and the URL `file:///data`. @throws {@link CliError} */
export function directoryOf(rest: string, text: string): string {
  if (rest === '') throw new CliError(`--storage ${text}: a directory is missing: file:DIR`, EXIT_USAGE)
  if (rest.startsWith('~')) throw unexpandedHome(rest, text)
  if (!rest.startsWith('//')) return resolve(rest)
  try {
    return fileURLToPath(`file:${rest}`)
  } catch (error) {
    throw new CliError(`--storage ${text}: ${messageOf(error)}; for a path, write file:DIR`, EXIT_USAGE, {
      cause: error,
    })
  }
}

/** A shell reads `~` at the beginning of a word only: here it would make a directory of that name. */
function unexpandedHome(rest: string, text: string): CliError {
  const isOwn = rest === '~' || rest.startsWith('~/')
  const meant = isOwn ? `write --storage file:${join(homedir(), rest.slice(1))}` : 'write the whole path'
  const literal = `for a directory that is called so, --storage file:./${rest}`
  return new CliError(`--storage ${text}: the shell leaves this ~ as it is; ${meant} (${literal})`, EXIT_USAGE)
}

/** Writes and removes a file: whatever stands in the way is told before anybody pushes. */
async function tryOut(driver: StorageDriver, directory: string): Promise<void> {
  try {
    await driver.ping?.()
  } catch (error) {
    const reason = error instanceof StorageUnavailableError ? error.message : `${directory}: ${messageOf(error)}`
    throw new CliError(`${reason}; name another directory with --storage file:DIR`, undefined, { cause: error })
  }
}

const FORMS = {
  file: 'file:DIR',
  memory: 'memory:',
  s3: 's3://BUCKET/PREFIX?…',
  azure: 'azure://CONTAINER/PREFIX?…',
  gs: 'gs://BUCKET/PREFIX?…',
} as const

function unknownScheme(text: string, scheme: string): CliError {
  // `./data` and `/data` are directories without their scheme.
  if (/[/\\]|^\.+$/.test(scheme)) {
    return new CliError(`--storage ${text}: for a directory, write --storage file:${text}`, EXIT_USAGE)
  }
  const guess = nearest(scheme, Object.keys(FORMS))
  const hint =
    guess === undefined
      ? `expected one of ${Object.values(FORMS).join(', ')}`
      : `did you mean ${FORMS[guess as keyof typeof FORMS]}?`
  return new CliError(`--storage ${text}: no such kind of storage: ${hint}`, EXIT_USAGE)
}
