import type { ExpectedTag, Tags } from '../../../src/backend.ts'
import { decorate } from '../../../src/backend.ts'
import { RegistryError } from '../../../src/errors.ts'
import { type Broken, brokenManifests, brokenTags, endedByErrors, inOrder } from './broken.ts'

const ORDER = 'tags.list > tells every tag in byte order, from any place on, and in pages'

export const BROKEN_TAGS: Readonly<Record<string, Broken>> = {
  'the order of a dictionary': {
    by: brokenTags((tags) => ({ list: (options) => inOrder(tags.list(options), (a, b) => a.localeCompare(b, 'en')) })),
    fails: ORDER,
  },
  'a listing from the first on, always': {
    by: brokenTags((tags) => ({ list: ({ after: _, ...options } = {}) => tags.list(options) })),
    fails: ORDER,
  },
  'a listing that begins with what it should begin after': {
    by: brokenTags((tags) => ({
      async *list({ after, ...options } = {}) {
        for await (const tag of tags.list(options)) if (after === undefined || tag >= after) yield tag
      },
    })),
    fails: ORDER,
  },
  'a listing that leaves out the last of a page': {
    by: brokenTags((tags) => ({
      async *list(options) {
        let left = (options?.limit ?? Number.POSITIVE_INFINITY) - 1
        for await (const tag of tags.list(options)) if (left-- > 0) yield tag
      },
    })),
    fails: ORDER,
  },
  'no tags where there is no repository': {
    by: brokenTags((tags) => ({ list: (options) => endedByErrors(tags.list(options)) })),
    fails: 'repository > need not exist: then nothing is in it',
  },
  'no repository where there are no tags': {
    by: brokenTags((tags) => ({
      async *list(options) {
        let any = false
        for await (const tag of tags.list(options)) {
          any = true
          yield tag
        }
        if (!any) throw new RegistryError('NAME_UNKNOWN')
      },
    })),
    fails: ORDER,
  },
  'tags that have no case': {
    by: brokenTags((tags) => ({ resolve: (tag, context) => tags.resolve(tag.toLowerCase(), context) })),
    fails: 'tags.resolve > tells the digest that a tag points to',
  },
  'a tag that can point to nothing': {
    by: brokenTags((tags) => ({ set: (tag, target, options) => tags.set(tag, target, options).catch(() => {}) })),
    fails: 'tags.set > knows no manifest that is not in the repository, and leaves the tag where it was',
  },
  'a tag that is set where it stands already': {
    by: brokenTags((tags) => ({
      set: async (tag, target, options) => {
        if (await isThere(tags, tag)) throw new RegistryError('DENIED')
        await tags.set(tag, target, options)
      },
    })),
    fails: 'tags.set > points a new tag to a manifest, again and again',
  },
  'moving tags, which it said it cannot': {
    by: (inner) => inner,
    lacks: ['move tags'],
    fails: 'tags.set > moves no tag, nor does a push (lacks move tags)',
  },
  'a tag that takes its manifest along': {
    by: brokenTags((tags, { manifests }) => ({
      delete: async (tag, context) => void (await manifests.delete(await tags.resolve(tag, context), context)),
    })),
    fails: 'tags.delete > takes the tag away, and no other; the manifest stays',
  },
  'deleting a tag that is not there': {
    by: brokenTags((tags) => ({ delete: (tag, context) => tags.delete(tag, context).catch(() => {}) })),
    fails: 'tags.delete > knows no tag that is not there',
  },
  'deleting tags, which it said it cannot': {
    by: (inner) => inner,
    lacks: ['delete tags'],
    fails: 'tags.delete > is refused, and the tag stays (lacks delete tags)',
  },
  'what is expected, and not looked at': {
    by: brokenTags((tags) => ({
      set: (tag, target, { expected: _, ...options } = {}) => tags.set(tag, target, options),
    })),
    fails: 'tags.set with expected > null sets a tag only where there is none',
  },
  'what is expected, looked at before it is acted on': {
    by: brokenTags((tags) => ({
      set: async (tag, target, { expected, ...options } = {}) => {
        await checkNow(tags, tag, expected)
        await tags.set(tag, target, options)
      },
    })),
    fails: 'tags.set with expected > lets one of sixteen create a tag',
  },
  'the same of a push': {
    by: brokenManifests((manifests, { tags }) => ({
      put: async (content, { expected, ...options }) => {
        for (const tag of options.tags ?? []) await checkNow(tags, tag, expected)
        return manifests.put(content, options)
      },
    })),
    fails: 'manifests.put with expected > lets one of sixteen move a tag',
  },
  'another status for what was not expected': {
    by: brokenTags((tags) => ({
      set: (tag, target, options) =>
        tags.set(tag, target, options).catch((error: unknown) => {
          throw RegistryError.is(error, 'DENIED') ? new RegistryError('DENIED') : error
        }),
    })),
    fails: 'tags.set with expected > a digest, and any, set no tag where there is none',
  },
  'several tags, of which those before the wrong one move': {
    by: brokenManifests((manifests) => ({
      put: async (content, { tags = [], ...options }) => {
        for (const tag of tags) await manifests.put(content, { ...options, tags: [tag] })
        return manifests.put(content, { mediaType: options.mediaType })
      },
    })),
    fails: 'manifests.put with expected and several tags > moves none of them when one is not where it was expected',
  },
  'conditions, which it said it lacks': {
    by: (inner) => inner,
    lacks: ['conditional tags'],
    fails: 'tags.set with expected > is refused, and sets no tag (lacks conditional tags)',
  },
}

const CHANGES = 'a backend that cannot be changed (lacks write)'

export const BROKEN_REPOSITORIES: Readonly<Record<string, Broken>> = {
  'the order of folders': {
    by: (inner) => ({
      repository: (name) => inner.repository(name),
      repositories: (options) =>
        inOrder(inner.repositories(options), (a, b) => (a.replaceAll('/', '\0') < b.replaceAll('/', '\0') ? -1 : 1)),
    }),
    fails: 'repositories > tells all that hold a manifest in byte order, from any place on, and in pages',
  },
  'a catalog of blobs': {
    by: (inner) => ({
      repository: (name) => inner.repository(name),
      repositories: (options) => inner.repositories({ ...options, withBlobsOnly: true }),
    }),
    fails: 'repositories > tells no repository that holds blobs and no manifest, unless asked',
  },
  'a catalog that it said it lacks': {
    by: (inner) => inner,
    lacks: ['catalog'],
    fails: 'repositories > is refused (lacks catalog)',
  },
  'a deletion that takes along what lies inside': {
    by: (inner) =>
      decorate(inner, {
        repository: (repository) => ({
          ...repository,
          delete: async (context) => {
            for await (const name of inner.repositories()) {
              if (name.startsWith(`${repository.name}/`)) await inner.repository(name).delete(context)
            }
            await repository.delete(context)
          },
        }),
      }),
    fails: 'delete of a repository > takes everything in it away, and nothing of those whose names begin with its own',
  },
  'a deletion of tags alone': {
    by: (inner) =>
      decorate(inner, {
        repository: (repository) => ({
          ...repository,
          delete: async (context) => {
            for await (const tag of repository.tags.list(context)) await repository.tags.delete(tag, context)
          },
        }),
      }),
    fails: 'delete of a repository > takes everything in it away, and nothing of those whose names begin with its own',
  },
  'a deletion of nothing that succeeds': {
    by: (inner) =>
      decorate(inner, {
        repository: (repository) => ({
          ...repository,
          delete: (context) => repository.delete(context).catch(() => {}),
        }),
      }),
    fails:
      'delete of a repository > knows no repository that is not there; one that was deleted can be pushed to again',
  },
  'a deletion that it said it lacks': {
    by: (inner) => inner,
    lacks: ['delete repositories'],
    fails: 'delete of a repository > is refused, and everything stays (lacks delete repositories)',
  },
  'writing, which it said it lacks': {
    by: (inner) => inner,
    lacks: ['write'],
    fails: `${CHANGES} > refuses manifests.put with UNSUPPORTED, and nothing changes`,
  },
  'a change that is refused too late': {
    by: brokenTags((tags) => ({
      delete: async (tag, context) => {
        await tags.delete(tag, context)
        throw new RegistryError('UNSUPPORTED')
      },
    })),
    lacks: ['write'],
    fails: `${CHANGES} > refuses tags.delete with UNSUPPORTED, and nothing changes`,
  },
}

async function isThere(tags: Tags, tag: string): Promise<boolean> {
  return tags.resolve(tag).then(
    () => true,
    () => false,
  )
}

/** Looks where a tag points, and says nothing of the moment after. */
async function checkNow(tags: Tags, tag: string, expected: ExpectedTag | undefined): Promise<void> {
  if (expected === undefined) return
  const now = await tags.resolve(tag).catch(() => null)
  if (expected === 'any' ? now === null : now !== expected) throw new RegistryError('DENIED', { status: 412 })
}
