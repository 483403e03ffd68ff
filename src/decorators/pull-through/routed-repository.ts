import type { Blobs, Manifests, OperationContext, Repository, Tags } from '../../backend.ts'
import { expose } from '../expose.ts'

/** The repository that one operation is about. */
export type PickRepository = (context: OperationContext | undefined) => Repository

/**
 * A repository that is another one for each operation, as its context says. What is not named here is refused: nobody has decided yet
 * where it would go.
 */
export function routedRepository(inner: Repository, pick: PickRepository): Repository {
  return expose<Repository>(inner, [], {
    name: inner.name,
    delete: (context) => pick(context).delete(context),
    blobs: routedBlobs(inner.blobs, pick),
    manifests: routedManifests(inner.manifests, pick),
    tags: routedTags(inner.tags, pick),
  })
}

function routedBlobs(inner: Blobs, pick: PickRepository): Blobs {
  return expose<Blobs>(inner, [], {
    stat: (digest, options) => pick(options).blobs.stat(digest, options),
    open: (digest, options) => pick(options).blobs.open(digest, options),
    startUpload: (options) => pick(options).blobs.startUpload(options),
    resumeUpload: (id, context) => pick(context).blobs.resumeUpload(id, context),
    mount: (digest, from, context) => pick(context).blobs.mount(digest, from, context),
    delete: (digest, context) => pick(context).blobs.delete(digest, context),
    locate: (digest, options) => pick(options).blobs.locate(digest, options),
    put: (content, options) => pick(options).blobs.put(content, options),
    list: (options) => pick(options).blobs.list(options),
  })
}

function routedManifests(inner: Manifests, pick: PickRepository): Manifests {
  return expose<Manifests>(inner, [], {
    stat: (reference, context) => pick(context).manifests.stat(reference, context),
    get: (reference, context) => pick(context).manifests.get(reference, context),
    put: (content, options) => pick(options).manifests.put(content, options),
    delete: (digest, context) => pick(context).manifests.delete(digest, context),
    list: (options) => pick(options).manifests.list(options),
    referrers: (subject, options) => pick(options).manifests.referrers(subject, options),
  })
}

function routedTags(inner: Tags, pick: PickRepository): Tags {
  return expose<Tags>(inner, [], {
    resolve: (tag, context) => pick(context).tags.resolve(tag, context),
    set: (tag, target, options) => pick(options).tags.set(tag, target, options),
    delete: (tag, context) => pick(context).tags.delete(tag, context),
    list: (options) => pick(options).tags.list(options),
  })
}
