import { RegistryError } from '../../../src/errors.ts'
import type { Descriptor } from '../../../src/spec/descriptor.ts'
import { MEDIA_TYPES } from '../../../src/spec/media-types.ts'
import { type Broken, brokenManifests, endedByErrors, reversed } from './broken.ts'

export const BROKEN_MANIFESTS: Readonly<Record<string, Broken>> = {
  'manifests that are written anew': {
    by: brokenManifests((manifests) => ({
      get: async (reference, context) => {
        const { descriptor, content } = await manifests.get(reference, context)
        return { descriptor, content: Buffer.from(JSON.stringify(JSON.parse(Buffer.from(content).toString()))) }
      },
    })),
    fails: 'manifests.get and manifests.stat > give back exactly the bytes, however they are written',
  },
  'one media type for all': {
    by: brokenManifests((manifests) => ({
      stat: async (reference, context) => ({
        ...(await manifests.stat(reference, context)),
        mediaType: MEDIA_TYPES.ociManifest,
      }),
    })),
    fails: 'manifests.get and manifests.stat > know images and indexes of both kinds, and artifacts',
  },
  'content that is handed out to be changed': {
    by: brokenManifests((manifests) => {
      const kept = new Map<string, ReturnType<typeof manifests.get>>()
      return {
        get: (reference, context) => {
          const manifest = kept.get(reference) ?? manifests.get(reference, context)
          kept.set(reference, manifest)
          return manifest
        },
      }
    }),
    fails: 'manifests.put > keeps the bytes apart from those of the caller, both ways',
  },
  'a blob taken for a manifest': {
    by: brokenManifests((manifests, { blobs }) => ({
      stat: (reference, context) =>
        manifests.stat(reference, context).catch(async (error: unknown) => {
          if (!reference.startsWith('sha256:')) throw error
          return blobs.stat(reference as `sha256:${string}`).catch(() => {
            // a digest, as far as this goes
            throw error
          })
        }),
    })),
    fails: 'manifests.get and manifests.stat > know no manifest that is not there',
  },
  'all tags but the first left out': {
    by: brokenManifests((manifests) => ({
      put: (content, { tags = [], ...options }) => manifests.put(content, { ...options, tags: tags.slice(0, 1) }),
    })),
    fails: 'manifests.put > answers with the descriptor, and sets all tags at once',
  },
  'a digest that is not checked': {
    by: brokenManifests((manifests) => ({
      put: (content, { digest: _, ...options }) => manifests.put(content, options),
    })),
    fails: 'manifests.put > of another digest than is given is DIGEST_INVALID, and stores nothing',
  },
  'anything taken for a manifest': {
    by: brokenManifests((manifests) => ({
      put: (content, options) =>
        manifests.put(content, options).catch((error: unknown) => {
          if (!RegistryError.is(error, 'MANIFEST_INVALID')) throw error
          return manifests.put(content, { ...options, mediaType: 'application/octet-stream' })
        }),
    })),
    fails: 'manifests.put > refuses with MANIFEST_INVALID what is none, and stores nothing',
  },
  'a refused manifest that is kept': {
    by: brokenManifests((manifests) => ({
      put: async (content, { tags = [], ...options }) => {
        await manifests.put(content, options)
        return manifests.put(content, { ...options, tags })
      },
    })),
    fails: 'manifests.put > refuses with MANIFEST_INVALID what is no tag, and stores nothing',
  },
  'unknown types, which it said it refuses': {
    by: (inner) => inner,
    lacks: ['unknown manifest types'],
    fails: 'manifests.put > refuses media types that nobody here has heard of (lacks unknown manifest types)',
  },
  'untagged manifests, which it said it refuses': {
    by: (inner) => inner,
    lacks: ['untagged manifests'],
    fails: 'manifests.put > is refused without a tag (lacks untagged manifests)',
  },
  'layers that are not looked for': {
    by: brokenManifests((manifests) => ({
      put: (content, options) => manifests.put(content, options).catch(() => manifests.stat('v1')),
    })),
    fails: 'an image that lists what is missing > is refused with MANIFEST_BLOB_UNKNOWN, be it a layer or the config',
  },
  'layers that are looked for, which it said they are not': {
    by: (inner) => inner,
    lacks: ['blob check'],
    fails: 'an image that lists what is missing > is taken (lacks blob check)',
  },
  'subjects that have to be there': {
    by: brokenManifests((manifests) => ({
      put: async (content, options) => {
        const { subject } = JSON.parse(Buffer.from(content).toString()) as { subject?: Descriptor }
        if (subject !== undefined) {
          await manifests.stat(subject.digest).catch(() => {
            throw new RegistryError('MANIFEST_BLOB_UNKNOWN')
          })
        }
        return manifests.put(content, options)
      },
    })),
    fails: 'an image that lists what is missing > is taken when it is its subject',
  },
  'deleted tags that are not told': {
    by: brokenManifests((manifests) => ({
      delete: async (digest, context) => {
        await manifests.delete(digest, context)
        return []
      },
    })),
    fails: 'manifests.delete > takes the tags that point to it along, and tells them',
  },
  'tags told that did not go': {
    by: brokenManifests((manifests) => ({
      delete: async (digest, context) => [...(await manifests.delete(digest, context)), 'v2'],
    })),
    lacks: ['tags of deletions'],
    fails: 'manifests.delete > takes the tags that point to it along, and tells them',
  },
  'tags that stay when their manifest goes': {
    by: brokenManifests((manifests, { tags }) => {
      const gone = new Map<string, string[]>()
      return {
        delete: async (digest, context) => {
          const told = await manifests.delete(digest, context)
          gone.set(digest, [...told])
          return told
        },
        get: (reference, context) =>
          manifests.get(reference, context).catch(async (error: unknown) => {
            const left = [...gone].find(([, names]) => names.includes(reference))
            if (left === undefined) throw error
            return {
              descriptor: { mediaType: '', digest: await tags.resolve('v2'), size: 0 },
              content: Buffer.from(''),
            }
          }),
      }
    }),
    fails: 'manifests.delete > takes the tags that point to it along, and tells them',
  },
  'a deletion that it said it lacks': {
    by: (inner) => inner,
    lacks: ['delete manifests'],
    fails: 'manifests.delete > is refused, and manifest and tags stay (lacks delete manifests)',
  },
  'a listing that runs backwards': {
    by: brokenManifests((manifests) => ({ list: (options) => reversed(manifests.list(options)) })),
    fails: 'manifests.list > tells every manifest, tagged or not, in byte order, from any place on, and in pages',
  },
  'a listing of what is tagged alone': {
    by: brokenManifests((manifests, { tags }) => ({
      async *list(options) {
        const tagged = new Set<string>()
        for await (const tag of tags.list()) tagged.add(await tags.resolve(tag))
        for await (const digest of manifests.list(options)) if (tagged.has(digest)) yield digest
      },
    })),
    fails: 'manifests.list > tells every manifest, tagged or not, in byte order, from any place on, and in pages',
  },
  'referrers of every type': {
    by: brokenManifests((manifests) => ({
      referrers: (subject, { artifactType: _, ...options } = {}) => manifests.referrers(subject, options),
    })),
    fails: 'manifests.referrers > lists those of one artifact type alone, if so asked',
  },
  'referrers in the order of their coming': {
    by: brokenManifests((manifests) => ({
      referrers: (subject, options) => reversed(manifests.referrers(subject, options)),
    })),
    fails: 'manifests.referrers > lists descriptors in byte order of their digests, from any place on, and in pages',
  },
  'referrers from the first on, always': {
    by: brokenManifests((manifests) => ({
      referrers: (subject, { after: _, ...options } = {}) => manifests.referrers(subject, options),
    })),
    fails: 'manifests.referrers > lists descriptors in byte order of their digests, from any place on, and in pages',
  },
  'referrers without annotations': {
    by: brokenManifests((manifests) => ({
      async *referrers(subject, options) {
        for await (const { annotations: _, ...descriptor } of manifests.referrers(subject, options)) yield descriptor
      },
    })),
    fails: 'manifests.referrers > describes each with its media type, size, artifact type and annotations',
  },
  'no referrers of what is not there': {
    by: brokenManifests((manifests) => ({
      async *referrers(subject, options) {
        await manifests.stat(subject)
        yield* manifests.referrers(subject, options)
      },
    })),
    fails: 'manifests.referrers > knows those of a subject that is not there, or not yet; of any other there are none',
  },
  'referrers that are remembered': {
    by: brokenManifests((manifests) => {
      const seen = new Map<string, Descriptor>()
      return {
        async *referrers(subject, options) {
          for await (const one of manifests.referrers(subject, options)) seen.set(one.digest, one)
          yield* [...seen.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1))
        },
        delete: async (digest, context) => {
          // As a cache learns of it that was filled a moment ago.
          for await (const one of manifests.referrers((await subjectOf(manifests, digest)) ?? digest))
            seen.set(one.digest, one)
          return manifests.delete(digest, context)
        },
      }
    }),
    fails:
      'manifests.referrers, when something is deleted > forgets a referrer that is gone, and keeps those of a subject that is',
  },
  'an outage taken for no referrers': {
    by: brokenManifests((manifests) => ({
      referrers: (subject, options) => endedByErrors(manifests.referrers(subject, options)),
    })),
    fails:
      'an outage (a store that cannot be reached) > is said to be one, and is never the absence of what was asked for: manifests.referrers',
  },
  'an outage taken for a missing manifest': {
    by: brokenManifests((manifests) => ({
      get: (reference, context) =>
        manifests.get(reference, context).catch((cause: unknown) => {
          throw new RegistryError('MANIFEST_UNKNOWN', { cause })
        }),
    })),
    fails:
      'an outage (a store that cannot be reached) > is said to be one, and is never the absence of what was asked for: manifests.get by tag',
  },
  'a push that goes on though it was aborted': {
    by: brokenManifests((manifests) => ({
      put: (content, { signal: _, ...options }) => manifests.put(content, options),
    })),
    fails: 'a call whose signal has aborted > rejects with the reason, and changes nothing: manifests.put',
  },
}

async function subjectOf(
  manifests: { get(reference: string): Promise<{ readonly content: Uint8Array }> },
  digest: string,
): Promise<Descriptor['digest'] | undefined> {
  const { content } = await manifests.get(digest)
  return (JSON.parse(Buffer.from(content).toString()) as { subject?: Descriptor }).subject?.digest
}
