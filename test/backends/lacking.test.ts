// Every lack that can be declared, of a backend that has them all: what is documented in place of each.
import { afterEach, describe, it } from 'vitest'
import { type Decorator, decorate, type Tags } from '../../src/backend.ts'
import { type ErrorCode, RegistryError } from '../../src/errors.ts'
import { type Digest, digestOf } from '../../src/spec/digest.ts'
import type { BackendTrait } from '../../src/testing/backend-contract/options.ts'
import { testBackend } from '../../src/testing/backend-contract.ts'
import { changed } from './broken/broken.ts'
import { decoratedStorage } from './stacks.ts'

/** All but `write`, without which there is little to lack. */
const LACKS: Readonly<Record<Exclude<BackendTrait, 'write' | 'index check'>, true>> = {
  'delete blobs': true,
  'delete manifests': true,
  'delete tags': true,
  'delete repositories': true,
  'tags of deletions': true,
  'move tags': true,
  'conditional tags': true,
  catalog: true,
  'repositories of blobs': true,
  'emptied repositories': true,
  'blob list': true,
  'manifest list': true,
  'untagged manifests': true,
  isolation: true,
  'blob check': true,
  resume: true,
  mount: true,
  sha512: true,
  'unknown manifest types': true,
}

const KNOWN_TYPES = /^application\/vnd\.(oci\.image|docker\.distribution)\./

const refuse = (code: ErrorCode = 'UNSUPPORTED') => Promise.reject<never>(new RegistryError(code))

// biome-ignore lint/correctness/useYield: a listing that fails as soon as it is read
async function* refusing(): AsyncGenerator<never> {
  await refuse()
}

/** Whether `tag` is there, and is not what it is to become. */
function pointsElsewhere(tags: Tags, tag: string, target: Digest): Promise<boolean> {
  return tags.resolve(tag).then(
    (now) => now !== target,
    () => false,
  )
}

/** As a registry may be that keeps blobs in one place, and never lets go of what it has. */
const lacking: Decorator = (inner) => ({
  ...decorate(inner, {
    repository: (repository) => ({ ...repository, delete: () => refuse() }),
    blobs: () => {
      const { blobs } = inner.repository('all')
      return changed(blobs, {
        put: (content, options) =>
          options?.digest?.startsWith('sha512:') ? refuse('DIGEST_INVALID') : blobs.put(content, options),
        resumeUpload: () => refuse('BLOB_UPLOAD_UNKNOWN'),
        mount: () => refuse('BLOB_UNKNOWN'),
        delete: () => refuse(),
        list: refusing,
      })
    },
    manifests: (manifests, { tags }) =>
      changed(manifests, {
        put: async (content, options) => {
          if (options.expected !== undefined || !options.tags?.length) return refuse()
          if (!KNOWN_TYPES.test(options.mediaType)) return refuse('MANIFEST_INVALID')
          for (const tag of options.tags)
            if (await pointsElsewhere(tags, tag, digestOf(content))) return refuse('DENIED')
          return manifests.put(content, options)
        },
        delete: () => refuse(),
        list: refusing,
      }),
    tags: (tags) =>
      changed(tags, {
        set: async (tag, target, options) => {
          if (options?.expected !== undefined) return refuse()
          if (await pointsElsewhere(tags, tag, target)) return refuse('DENIED')
          return tags.set(tag, target, options)
        },
        delete: () => refuse(),
      }),
  }),
  repositories: refusing,
})

describe('a backend that lacks everything', () => {
  // Its own names, each of which the compiler has seen.
  const lacks = Object.keys(LACKS) as (keyof typeof LACKS)[]
  testBackend({ describe, it, afterEach }, decoratedStorage(lacking, { lacks, sparse: 'all' }))
})
