import { kindOf } from '../arguments.ts'
import type { Backend, OperationContext, Repository } from '../backend.ts'
import { type Match, matcher } from '../decorators/pattern.ts'
import { RegistryError } from '../errors.ts'

/** Where images are, and which of them. */
export interface ImageLocation {
  readonly backend: Backend
  /** Absent: all repositories, or those that the option `repositories` matches; in a target, those of the same names. */
  readonly repository?: string
  /** A tag or a digest: one image. Absent: all tags, or those that the option `tags` matches; in a target, the same ones. */
  readonly reference?: string
}

/** A backend is all its repositories, a repository all its tags. Of a repository nobody knows where it is, so nothing is mounted from it. */
export type CopyLocation = Backend | Repository | ImageLocation

/** One repository to copy, and where to. */
export interface RepositoryPair {
  readonly source: Repository
  readonly target: Repository
  /** Whether both are in one place, so that the target can mount what the source has. */
  readonly isSamePlace: boolean
  /** Whether the target is reached over a network and hashes nothing here: the source has to. */
  readonly verifySource: boolean
}

/** A location, by its parts. */
export interface Place {
  readonly backend?: Backend
  readonly repository?: Repository
  readonly reference?: string
}

/**
 * @param role - for the message: `source` or `target`
 * @throws `TypeError` for what is no location; {@link RegistryError} `NAME_INVALID`
 */
export function readLocation(role: string, location: CopyLocation): Place {
  const given: unknown = location
  if (given instanceof Object) {
    if ('blobs' in location && 'manifests' in location) return { repository: location }
    if ('repository' in location && typeof location.repository === 'function') return { backend: location as Backend } // it is one
    if ('backend' in location && typeof location.backend?.repository === 'function') return readImageLocation(location)
  }
  throw new TypeError(
    `the ${role} of copy() must be { backend, repository, reference }, a repository, or a backend, not ${kindOf(given)}`,
  )
}

function readImageLocation({ backend, repository, reference }: ImageLocation): Place {
  if (reference !== undefined && repository === undefined) {
    throw new TypeError(`the reference ${kindOf(reference)} needs the name of a repository beside it`)
  }
  return {
    backend,
    ...(repository !== undefined && { repository: backend.repository(repository) }),
    ...(reference !== undefined && { reference }),
  }
}

export interface PairOptions {
  readonly match: Match
  /** Source's name → target's. */
  readonly rename?: ((repository: string) => string) | undefined
  readonly context: OperationContext
}

/**
 * Every repository to copy, with its counterpart.
 *
 * @throws `TypeError` for many repositories into one; {@link RegistryError} `NAME_INVALID` where `rename` makes one of two
 */
export async function* pairRepositories(
  source: Place,
  target: Place,
  { match, rename, context }: PairOptions,
): AsyncGenerator<RepositoryPair> {
  if (source.repository !== undefined) {
    yield pair(source, source.repository, target, rename)
    return
  }
  const { backend } = source
  if (backend === undefined) return
  const names = matching(backend, match, context)
  for await (const name of rename === undefined ? names : await distinct(names, rename)) {
    yield pair(source, backend.repository(name), target, rename)
  }
}

async function* matching(backend: Backend, match: Match, context: OperationContext): AsyncGenerator<string> {
  const isWanted = matcher(match)
  for await (const name of backend.repositories(context)) if (isWanted(name)) yield name
}

/** All of them, before the first is copied: a copy that mixed two repositories could not be undone. */
async function distinct(
  names: AsyncIterable<string>,
  rename: (repository: string) => string,
): Promise<readonly string[]> {
  const sources = new Map<string, string>()
  for await (const name of names) {
    const renamed = rename(name)
    const other = sources.get(renamed)
    if (other !== undefined) {
      const message = `${other} and ${name} would both be ${renamed} in the target: copy one at a time, and name its repository there`
      throw new RegistryError('NAME_INVALID', { message })
    }
    sources.set(renamed, name)
  }
  return [...sources.values()]
}

function pair(
  { backend: from }: Place,
  source: Repository,
  { backend: to, repository }: Place,
  rename: ((repository: string) => string) | undefined,
): RepositoryPair {
  const target = repository ?? to?.repository(rename === undefined ? source.name : rename(source.name))
  if (target === undefined) throw new TypeError('the target of copy() has no repository')
  const isSamePlace = from !== undefined && to !== undefined && (from === to || isSameOrigin(from, to))
  return { source, target, isSamePlace, verifySource: to === undefined || to.origin !== undefined }
}

function isSameOrigin(from: Backend, to: Backend): boolean {
  return from.origin !== undefined && from.origin === to.origin
}
