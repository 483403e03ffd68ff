import type { Backend } from '../../backend.ts'
import { digestOf } from '../../spec/digest.ts'
import { MEDIA_TYPES } from '../../spec/media-types.ts'
import { text } from '../driver-contract/context.ts'
import { collect, NAME } from './context.ts'
import type { Pushed } from './images.ts'
import { indexOf } from './manifests.ts'
import type { BackendTrait } from './options.ts'

export interface Subject {
  readonly backend: Backend
  readonly signal?: AbortSignal
}

interface Question {
  /** What a backend must be able to do, so that it is asked at all. */
  readonly needs: readonly BackendTrait[]
  ask(subject: Subject): Promise<unknown>
}

const BLOB = text('a blob')
const MANIFEST = indexOf([], MEDIA_TYPES.ociIndex)
const CONTENT = text('new content')

/** The one repository, and one blob and manifest of it that may be there. */
export const ASKED_ABOUT: {
  readonly blob: Uint8Array
  readonly manifest: Pushed
  readonly tag: string
  /** What some questions try to put. */
  readonly unwritten: Uint8Array
} = { blob: BLOB, manifest: MANIFEST, tag: 'v1', unwritten: CONTENT }

function question(
  needs: readonly BackendTrait[],
  ask: (repository: ReturnType<Backend['repository']>, context: { readonly signal?: AbortSignal }) => Promise<unknown>,
): Question {
  return {
    needs,
    ask: ({ backend, signal }) => ask(backend.repository(NAME), signal ? { signal } : {}),
  }
}

/** Every method of the contract that says whether something is there, or changes it. */
export const QUESTIONS: Readonly<Record<string, Question>> = {
  repositories: {
    needs: ['catalog'],
    ask: ({ backend, signal }) => collect(backend.repositories(signal ? { signal } : {})),
  },
  'blobs.stat': question([], ({ blobs }, context) => blobs.stat(digestOf(BLOB), context)),
  'blobs.stat of what is relied upon': question([], ({ blobs }, context) =>
    blobs.stat(digestOf(BLOB), { ...context, reliedUpon: true }),
  ),
  'blobs.open': question([], ({ blobs }, context) => blobs.open(digestOf(BLOB), context)),
  'blobs.open of a range': question([], ({ blobs }, context) =>
    blobs.open(digestOf(BLOB), { ...context, range: { start: 1, end: 2 } }),
  ),
  'blobs.list': question(['blob list'], ({ blobs }, context) => collect(blobs.list(context))),
  'blobs.put': question(['write'], ({ blobs }, context) => blobs.put(CONTENT, context)),
  'blobs.put by digest': question(['write'], ({ blobs }, context) =>
    blobs.put(CONTENT, { ...context, digest: digestOf(CONTENT) }),
  ),
  'blobs.startUpload': question(['write'], async ({ blobs }, context) => {
    await using upload = await blobs.startUpload(context)
    await upload.append(CONTENT, context)
    await upload.commit(digestOf(CONTENT), context)
  }),
  'blobs.resumeUpload': question(['write', 'resume'], ({ blobs }, context) =>
    blobs.resumeUpload('0f2c7a0e-6c1b-4b57-9d5e-3a8f6f3f2f10', context),
  ),
  'blobs.mount': question(['write', 'mount'], ({ blobs }, context) =>
    blobs.mount(digestOf(BLOB), 'team/other', context),
  ),
  'blobs.delete': question(['write', 'delete blobs'], ({ blobs }, context) => blobs.delete(digestOf(BLOB), context)),
  'manifests.stat by tag': question([], ({ manifests }, context) => manifests.stat('v1', context)),
  'manifests.stat by digest': question([], ({ manifests }, context) => manifests.stat(MANIFEST.digest, context)),
  'manifests.get by tag': question([], ({ manifests }, context) => manifests.get('v1', context)),
  'manifests.get by digest': question([], ({ manifests }, context) => manifests.get(MANIFEST.digest, context)),
  'manifests.put': question(['write'], ({ manifests }, context) =>
    manifests.put(MANIFEST.content, { ...context, mediaType: MANIFEST.mediaType, tags: ['new'] }),
  ),
  'manifests.delete': question(['write', 'delete manifests'], ({ manifests }, context) =>
    manifests.delete(MANIFEST.digest, context),
  ),
  'manifests.list': question(['manifest list'], ({ manifests }, context) => collect(manifests.list(context))),
  'manifests.referrers': question([], ({ manifests }, context) =>
    collect(manifests.referrers(MANIFEST.digest, context)),
  ),
  'tags.resolve': question([], ({ tags }, context) => tags.resolve('v1', context)),
  'tags.list': question([], ({ tags }, context) => collect(tags.list(context))),
  'tags.set': question(['write'], ({ tags }, context) => tags.set('new', MANIFEST.digest, context)),
  'tags.delete': question(['write', 'delete tags'], ({ tags }, context) => tags.delete('v1', context)),
  delete: question(['write', 'delete repositories'], (repository, context) => repository.delete(context)),
}
