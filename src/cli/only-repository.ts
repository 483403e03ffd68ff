import { CliError, EXIT_USAGE } from './cli-error.ts'
import type { OpenLocation } from './locations/location.ts'

/** Repositories that an error lists. */
const LISTED = 8

export interface OnlyRepositoryOptions {
  /** Among which. */
  readonly isWanted: (repository: string) => boolean
  /** Where it is to go, for the message. */
  readonly into: string
  readonly signal: AbortSignal
}

/**
 * The repository of a location that names none, where there is a single one.
 *
 * @param text - the location as it was given
 * @throws {@link CliError}
 */
export async function onlyRepository(
  { backend }: OpenLocation,
  text: string,
  { isWanted, into, signal }: OnlyRepositoryOptions,
): Promise<string> {
  const found: string[] = []
  for await (const name of backend.repositories({ signal })) {
    if (isWanted(name) && found.push(name) > LISTED) break
  }
  const [only] = found
  if (only === undefined) throw new CliError(`${text}: there is no such repository`)
  if (found.length === 1) return only
  const listed = found.slice(0, LISTED).join(', ') + (found.length > LISTED ? ', …' : '')
  throw new CliError(
    `${text}: many repositories cannot be copied into one, ${into}. There are ${listed}: name one, or leave out ${into}`,
    EXIT_USAGE,
  )
}
