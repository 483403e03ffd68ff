import {
  type Backend,
  type Blobs,
  type Decorator,
  decorate,
  type Manifests,
  type Repository,
  type Tags,
} from '../backend.ts'
import { type ErrorCode, RegistryError } from '../errors.ts'
import { expose } from './expose.ts'
import { type Match, matcher } from './pattern.ts'

/**
 * Only the repositories that match are there: the others look as if they did not exist, cannot be written to (`DENIED`), and no
 * blob can be mounted from them.
 *
 * @param match - patterns such as `team/**`, or a function of the repository's name
 */
export function select(match: Match): Decorator {
  const isSelected = matcher(match)
  return (inner) => {
    const selected = decorate(inner, {
      repository: (repository) => expose(repository, ['blobs', 'manifests', 'tags', 'delete']),
      blobs: (blobs) =>
        expose(blobs, ['stat', 'open', 'startUpload', 'resumeUpload', 'delete', 'locate', 'put', 'list'], {
          mount: async (digest, from, context) => {
            if (typeof from !== 'string') return blobs.mount(digest, filter(from, isSelected), context)
            if (!isSelected(from)) throw new RegistryError('BLOB_UNKNOWN', { detail: { digest } })
            return blobs.mount(digest, from, context)
          },
        }),
      manifests: (manifests) => expose(manifests, ['stat', 'get', 'put', 'delete', 'list', 'referrers']),
      tags: (tags) => expose(tags, ['resolve', 'set', 'delete', 'list']),
    })
    const backend: Backend = {
      repository: (name) => (isSelected(name) ? selected.repository(name) : hiddenRepository(inner.repository(name))),
      repositories: (options) => filter(inner.repositories(options), isSelected),
    }
    return backend
  }
}

/** What a repository that does not exist would answer; the one there is is never asked. */
export function hiddenRepository({ name, blobs, manifests, tags }: Repository): Repository {
  const fail = (code: ErrorCode) => () => Promise.reject<never>(new RegistryError(code, { detail: { name } }))
  const unknownBlob = fail('BLOB_UNKNOWN')
  const unknownManifest = fail('MANIFEST_UNKNOWN')
  const denied = fail('DENIED')
  const hiddenBlobs: Blobs = {
    stat: unknownBlob,
    open: unknownBlob,
    locate: unknownBlob,
    resumeUpload: fail('BLOB_UPLOAD_UNKNOWN'),
    list: nothing,
    startUpload: denied,
    mount: denied,
    delete: denied,
    put: denied,
  }
  const hiddenManifests: Manifests = {
    stat: unknownManifest,
    get: unknownManifest,
    list: nothing,
    referrers: nothing,
    put: denied,
    delete: denied,
  }
  const hiddenTags: Tags = {
    resolve: unknownManifest,
    list: () => failing(new RegistryError('NAME_UNKNOWN', { detail: { name } })),
    set: denied,
    delete: denied,
  }
  return {
    name,
    delete: denied,
    blobs: expose(blobs, [], hiddenBlobs),
    manifests: expose(manifests, [], hiddenManifests),
    tags: expose(tags, [], hiddenTags),
  }
}

async function* filter(names: AsyncIterable<string>, keep: (name: string) => boolean): AsyncGenerator<string> {
  for await (const name of names) if (keep(name)) yield name
}

async function* nothing(): AsyncGenerator<never> {}

// biome-ignore lint/correctness/useYield: a listing that fails as soon as it is read
async function* failing(error: RegistryError): AsyncGenerator<never> {
  throw error
}
