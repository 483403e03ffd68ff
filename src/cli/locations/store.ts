import { stat } from 'node:fs/promises'
import { filesystem } from '../../drivers/filesystem.ts'
import { memory } from '../../drivers/memory.ts'
import { RegistryError } from '../../errors.ts'
import { Registry } from '../../registry.ts'
import { isDigest } from '../../spec/digest.ts'
import { parseRepositoryName, parseTag } from '../../spec/name.ts'
import type { StorageDriver } from '../../storage/driver.ts'
import { CliError, EXIT_FAILURE, EXIT_USAGE } from '../cli-error.ts'
import { directoryOf, openStorage } from '../storage.ts'
import type { LocationKind, OpenLocation, OpenOptions } from './location.ts'

/**
 * What `wharfage serve --storage` takes, then `//` and the image: `file:./registry-data//team/app:v1`. Without them it is everything
 * that is kept there; the last `//` counts, but for those of `://`.
 */
export function storeLocation(scheme: string, form: string): LocationKind {
  return {
    form: `${form}[//REPOSITORY[:TAG|@DIGEST]]`,
    help: 'where wharfage serve keeps images, without a server',
    open: async (rest, options) => {
      const text = `${scheme}:${rest}`
      const [, store = text, image] = /^(.*[^:/])\/\/([^/].*)?$/s.exec(text) ?? []
      const named = image === undefined ? {} : readImage(text, image)
      // No platform has to be there, as when it is served.
      const registry = new Registry({ storage: await openDriver(store, options), sparse: 'index' })
      return { backend: registry, ...named, close: () => registry.close() }
    },
  }
}

async function openDriver(store: string, { role, dryRun = false }: OpenOptions): Promise<StorageDriver> {
  try {
    const isWritten = role === 'target' && !dryRun
    if (!store.startsWith('file:') || isWritten) return (await openStorage(store)).driver
    const directory = directoryOf(store.slice('file:'.length), store)
    const isThere = (await stat(directory).catch(() => undefined))?.isDirectory() ?? false
    if (isThere) return filesystem(directory)
    // Which holds as much, and is not made by looking at it.
    if (role === 'target') return memory()
    throw new CliError(`${store}: there is no directory ${directory}`, EXIT_FAILURE)
  } catch (error) {
    // It speaks of the option by which serve is told.
    if (error instanceof CliError) {
      throw new CliError(error.message.replaceAll('--storage ', ''), error.exitCode, { cause: error })
    }
    throw error
  }
}

function readImage(text: string, image: string): Pick<OpenLocation, 'repository' | 'reference'> {
  const at = image.indexOf('@')
  const colon = image.indexOf(':')
  const end = at !== -1 ? at : colon !== -1 ? colon : image.length
  const reference = end === image.length ? undefined : image.slice(end + 1)
  try {
    const repository = parseRepositoryName(image.slice(0, end))
    if (reference === undefined) return { repository }
    if (!isDigest(reference)) parseTag(reference)
    return { repository, reference }
  } catch (error) {
    if (!RegistryError.is(error)) throw error
    throw new CliError(`${text}: ${error.message}`, EXIT_USAGE, { cause: error })
  }
}
