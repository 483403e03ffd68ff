import type { Backend } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import { CliError, EXIT_USAGE } from './cli-error.ts'
import type { OpenLocation } from './locations/location.ts'

/** Tags that an error lists. */
const LISTED = 8

export interface ChosenImage {
  readonly backend: Backend
  readonly repository: string
  readonly reference: string
}

/**
 * The one image that a location names: by its reference; by what a registry takes for that where there is none; or because no other
 * is there.
 *
 * @param text - the location as it was given
 * @param otherwise - ends the error's sentence: `, or say --all-tags`
 * @throws {@link CliError}
 */
export async function onlyImage(location: OpenLocation, text: string, otherwise = ''): Promise<ChosenImage> {
  const { backend, repository, reference = location.defaultReference } = location
  if (repository !== undefined && reference !== undefined) return { backend, repository, reference }
  const found: ChosenImage[] = []
  const names = repository === undefined ? backend.repositories() : [repository]
  for await (const name of names) {
    for await (const one of referencesIn(backend, name)) {
      found.push({ backend, repository: name, reference: one })
      if (found.length > LISTED) break
    }
    if (found.length > LISTED) break
  }
  const [only] = found
  if (only === undefined) throw new CliError(`${text}: there is no image`)
  if (found.length === 1) return only
  const listed = found
    .slice(0, LISTED)
    .map((one) => `${one.repository}${one.reference.includes(':') ? '@' : ':'}${one.reference}`)
  const more = found.length > LISTED ? ', …' : ''
  throw new CliError(`${text}: which image? There are ${listed.join(', ')}${more}: name one${otherwise}`, EXIT_USAGE)
}

/** Tags; where there are none, manifests. */
async function* referencesIn(backend: Backend, name: string): AsyncGenerator<string> {
  const { tags, manifests } = backend.repository(name)
  let hasTags = false
  try {
    for await (const tag of tags.list({ limit: LISTED + 1 })) {
      hasTags = true
      yield tag
    }
    if (!hasTags) yield* manifests.list({ limit: LISTED + 1 })
  } catch (error) {
    if (!RegistryError.is(error, 'NAME_UNKNOWN')) throw error
  }
}
