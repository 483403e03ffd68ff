import { RegistryError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { CliError, EXIT_FAILURE, EXIT_USAGE } from './cli-error.ts'
import { dockerArchive, layoutArchive, layoutLocation } from './locations/layout.ts'
import type { LocationKind, OpenLocation, OpenOptions } from './locations/location.ts'
import { registryLocation } from './locations/registry.ts'
import { storeLocation } from './locations/store.ts'

/** Prefix → what opens it; the help lists them in this order. */
export const LOCATIONS: Readonly<Record<string, LocationKind>> = {
  docker: registryLocation,
  oci: layoutLocation,
  'oci-archive': layoutArchive,
  'docker-archive': dockerArchive,
  file: storeLocation('file', 'file:DIR'),
  s3: storeLocation('s3', 's3://BUCKET/PREFIX?…'),
  azure: storeLocation('azure', 'azure://CONTAINER/PREFIX?…'),
  gs: storeLocation('gs', 'gs://BUCKET/PREFIX?…'),
}

/**
 * Opens what the command line names. To be closed.
 *
 * @throws {@link CliError} for what is no location, or not there
 */
export async function openLocation(text: string, options: OpenOptions): Promise<OpenLocation> {
  const colon = text.indexOf(':')
  const prefix = text.slice(0, Math.max(colon, 0))
  const kind = Object.hasOwn(LOCATIONS, prefix) ? LOCATIONS[prefix] : undefined
  if (kind === undefined) throw unknownPrefix(text, prefix)
  try {
    return await kind.open(text.slice(colon + 1), options)
  } catch (error) {
    if (!RegistryError.is(error)) throw error
    throw new CliError(`${text}: ${error.message}`, EXIT_FAILURE, { cause: error })
  }
}

function unknownPrefix(text: string, prefix: string): CliError {
  if (text.startsWith('./') || text.startsWith('/')) {
    return new CliError(
      `${text}: for a layout in a directory, write oci:${text}; for an archive, oci-archive:${text}`,
      EXIT_USAGE,
    )
  }
  const guess = prefix === '' ? undefined : nearest(prefix, Object.keys(LOCATIONS))
  const form = guess === undefined ? `docker://${text}` : LOCATIONS[guess]?.form
  const hint = guess === undefined ? `for an image in a registry, write ${form}` : `did you mean ${form}?`
  return new CliError(`${text}: no such kind of location: ${hint}`, EXIT_USAGE)
}
