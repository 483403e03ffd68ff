import { type Decorator, decorate } from '../backend.ts'
import { expose } from './expose.ts'

/** Every change fails with `UNSUPPORTED`; reads pass through, and write nothing by the way either. */
export function readOnly(): Decorator {
  return (inner) =>
    decorate(inner, {
      repository: (repository) => expose(repository, ['blobs', 'manifests', 'tags']),
      blobs: (blobs) =>
        expose(blobs, ['open', 'locate', 'list'], {
          // Nobody can push here, so nobody can rely on a blob for it, and its date stays as it is.
          stat: (digest, options) => blobs.stat(digest, { ...options, reliedUpon: false }),
        }),
      manifests: (manifests) => expose(manifests, ['stat', 'get', 'list', 'referrers']),
      tags: (tags) => expose(tags, ['resolve', 'list']),
    })
}
