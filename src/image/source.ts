import { kindOf } from '../arguments.ts'
import type { Backend, Repository } from '../backend.ts'
import { type Digest, isDigest } from '../spec/digest.ts'
import { parseTag } from '../spec/name.ts'
import { parseReference } from '../spec/reference.ts'

/** An image in a repository, by tag or digest. Named with its backend, its blobs can be mounted elsewhere in that one. */
export type ImageSource =
  | { readonly repository: Repository; readonly reference: Digest | string }
  | { readonly backend: Backend; readonly repository: string; readonly reference: Digest | string }

/** Where to push to. Named with its backend, it can mount what that one has in other repositories. */
export type ImageTarget = Repository | { readonly backend: Backend; readonly repository: string }

/** The backend for a host as references name it, Docker Hub being `docker.io`. */
export type ResolveRegistry = (registry: string) => Backend

/** A repository, with the backend that it is in, where that is known. */
export interface Place {
  readonly repository: Repository
  readonly backend?: Backend
}

/**
 * What a reference means as Docker reads it, with the digest rather than the tag where it has both.
 *
 * @example
 * imageSource('ubuntu', (registry) => backends.get(registry)) // { backend, repository: 'library/ubuntu', reference: 'latest' }
 * @throws `RegistryError` `NAME_INVALID`, `MANIFEST_INVALID` (the tag), `DIGEST_INVALID`
 */
export function imageSource(reference: string, resolve: ResolveRegistry): ImageSource {
  const { registry, repository, tag, digest } = parseReference(reference)
  return { backend: resolve(registry), repository, reference: digest ?? tag ?? 'latest' }
}

export function placeOfSource(source: ImageSource): Place & { readonly reference: Digest | string } {
  const { reference } = source
  if (typeof reference !== 'string')
    throw new TypeError(`an image needs a reference, a tag or a digest, not ${kindOf(reference)}`)
  return {
    ...placeOf(source, '{ backend, repository, reference }'),
    reference: isDigest(reference) ? reference : parseTag(reference),
  }
}

export function placeOfTarget(target: ImageTarget): Place {
  if ('blobs' in Object(target)) return { repository: target as Repository }
  if ('reference' in Object(target)) {
    throw new TypeError("a target has no reference: its tags are an option, push(target, { tags: ['v1'] })")
  }
  return placeOf(target as Exclude<ImageTarget, Repository>, '{ backend, repository }')
}

function placeOf(place: ImageSource | Exclude<ImageTarget, Repository>, expected: string): Place {
  if (typeof place !== 'object' || place === null) {
    throw new TypeError(`expected ${expected}, not ${kindOf(place)}`)
  }
  if ('backend' in place && typeof place.repository !== 'string') {
    throw new TypeError(`expected ${expected}, the repository by its name, not ${kindOf(place.repository)}`)
  }
  if ('backend' in place) return { repository: place.backend.repository(place.repository), backend: place.backend }
  if ('blobs' in Object(place.repository)) return { repository: place.repository }
  throw new TypeError(`a repository that is given by its name needs its backend: ${expected}`)
}
