import { checkManifestPut, checkOptions } from '../arguments.ts'
import {
  type Decorator,
  decorate,
  type ExpectedTag,
  type Manifests,
  type OperationContext,
  type PutManifestOptions,
  type SetTagOptions,
  type Tags,
} from '../backend.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, digestOf } from '../spec/digest.ts'
import { expose } from './expose.ts'
import { type Match, matcher } from './pattern.ts'

export interface ImmutableTagsOptions {
  /** Which tags: patterns such as `v*`, or a function. Default: all. */
  readonly match?: Match
}

/** How often a push looks again after somebody else changed a tag in between. */
const ATTEMPTS = 3

/** How many tags are looked at together when something is deleted. */
const TAGS_AT_ONCE = 16

/**
 * A tag that exists keeps pointing where it does: it may be pushed again with the same content, anything else is `DENIED`; and
 * neither it, nor the manifest it points to, nor the repository it is in can be deleted. Of many who create one tag at once
 * one succeeds, which takes a storage with conditional writes: with any other, creating such a tag is `UNSUPPORTED`. A manifest
 * that is tagged while it is being deleted may go, and the tag with it.
 *
 * The content is the bytes and their media type: bytes that do not tell their type cannot be pushed as another one while such a
 * tag points to them. Every push therefore looks up its digest, and, where that is stored as another type, the tags. It is not
 * told apart who of two was first that push the same bytes as different types at the same time.
 */
export function immutableTags(options: ImmutableTagsOptions = {}): Decorator {
  checkOptions('immutableTags()', options, { match: true })
  const { match = '**' } = options
  const isImmutable = matcher(match)
  return (inner) =>
    decorate(inner, {
      repository: (repository) =>
        expose(repository, ['blobs', 'manifests', 'tags'], {
          delete: async (context) => {
            for await (const tag of immutableIn(repository.tags, context)) throw immutable(tag)
            await repository.delete(context)
          },
        }),
      manifests: (manifests, { tags }) =>
        expose(manifests, ['stat', 'get', 'list', 'referrers'], {
          put: async (content, putOptions) => {
            checkManifestPut(content, putOptions)
            const { mediaType, digest: given, tags: wanted = [] } = putOptions
            const digest = digestOf(content, given && algorithmOf(given))
            const keepType = async () => {
              const stored = await storedType(manifests, digest, putOptions)
              if (stored === undefined || stored.toLowerCase() === mediaType.toLowerCase()) return
              const holder = await holderOf(tags, immutableIn(tags, putOptions), digest, putOptions)
              if (holder !== undefined) throw immutableType(holder, stored)
            }
            const frozen = wanted.filter(isImmutable)
            if (frozen.length > 0) {
              return putImmutable({ manifests, tags, keepType }, content, putOptions, { digest, frozen })
            }
            await keepType()
            return manifests.put(content, putOptions)
          },
          delete: async (digest, context) => {
            const holder = await holderOf(tags, immutableIn(tags, context), digest, context)
            if (holder !== undefined) throw immutable(holder)
            return manifests.delete(digest, context)
          },
        }),
      tags: (tags) =>
        expose(tags, ['resolve', 'list'], {
          set: (tag, target, options) =>
            isImmutable(tag) ? setImmutable(tags, tag, target, options) : tags.set(tag, target, options),
          delete: async (tag, context) => {
            if (!isImmutable(tag)) return tags.delete(tag, context)
            await tags.resolve(tag, context)
            throw immutable(tag)
          },
        }),
    })

  async function* immutableIn(tags: Tags, context: OperationContext = {}): AsyncGenerator<string> {
    try {
      for await (const tag of tags.list(context)) if (isImmutable(tag)) yield tag
    } catch (error) {
      if (!RegistryError.is(error, 'NAME_UNKNOWN')) throw error // a repository that does not exist has no tags
    }
  }
}

interface Stores {
  readonly manifests: Manifests
  readonly tags: Tags
  /** Rejects when the push would change the media type of what an immutable tag points to. */
  readonly keepType: () => Promise<void>
}

async function putImmutable(
  { manifests, tags, keepType }: Stores,
  content: Uint8Array,
  options: PutManifestOptions,
  { digest, frozen }: { readonly digest: Digest; readonly frozen: readonly string[] },
): Promise<Descriptor> {
  const descriptor = await retried(async () => {
    await keepType()
    const open = await unclaimed(tags, frozen, digest, options)
    // A condition on nothing would be refused by some storage for nothing.
    const { expected: _, ...unconditional } = options
    const claim: PutManifestOptions =
      open.length === 0 ? { ...unconditional, tags: [] } : { ...options, tags: open, expected: null }
    return manifests.put(content, claim)
  })
  const others = options.tags?.filter((tag) => !frozen.includes(tag)) ?? []
  return others.length === 0 ? descriptor : manifests.put(content, { ...options, tags: others })
}

async function setImmutable(tags: Tags, tag: string, target: Digest, options: SetTagOptions = {}): Promise<void> {
  await retried(async () => {
    const open = await unclaimed(tags, [tag], target, options)
    if (open.length > 0) await tags.set(tag, target, { ...options, expected: null })
  })
}

/** Those of `names` that do not exist; the others point to `digest` already. @throws `DENIED` */
async function unclaimed(
  tags: Tags,
  names: readonly string[],
  digest: Digest,
  { expected, ...context }: SetTagOptions,
): Promise<string[]> {
  const open: string[] = []
  for (const tag of names) {
    const current = await targetOf(tags, tag, context)
    if (current !== undefined && current !== digest) throw immutable(tag)
    if (!meets(current, expected)) throw unexpected(tag)
    if (current === undefined) open.push(tag)
  }
  return open
}

/** One of `names` that points to `digest`. */
async function holderOf(
  tags: Tags,
  names: AsyncIterable<string>,
  digest: Digest,
  context: OperationContext = {},
): Promise<string | undefined> {
  let batch: string[] = []
  const look = async (): Promise<string | undefined> => {
    const looked = batch
    batch = []
    const targets = await Promise.all(looked.map((tag) => targetOf(tags, tag, context)))
    return looked.find((_, i) => targets[i] === digest)
  }
  for await (const tag of names) {
    const holder = batch.push(tag) === TAGS_AT_ONCE ? await look() : undefined
    if (holder !== undefined) return holder
  }
  return look()
}

async function storedType(
  manifests: Manifests,
  digest: Digest,
  context: OperationContext,
): Promise<string | undefined> {
  try {
    return (await manifests.stat(digest, context)).mediaType
  } catch (error) {
    if (RegistryError.is(error, 'MANIFEST_UNKNOWN')) return undefined
    throw error
  }
}

async function targetOf(tags: Tags, tag: string, context: OperationContext): Promise<Digest | undefined> {
  try {
    return await tags.resolve(tag, context)
  } catch (error) {
    if (RegistryError.is(error, 'MANIFEST_UNKNOWN')) return undefined
    throw error
  }
}

function meets(current: Digest | undefined, expected: ExpectedTag | undefined): boolean {
  if (expected === undefined) return true
  if (expected === null) return current === undefined
  return current !== undefined && (expected === 'any' || expected === current)
}

/** Whoever lost a race looks again: the winner may have set the very tag that was wanted. */
async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await attempt()
    } catch (error) {
      const lostRace = RegistryError.is(error, 'DENIED') && error.status === 412
      if (!lostRace || left === 1) throw error
    }
  }
}

function immutable(tag: string): RegistryError {
  return new RegistryError('DENIED', { message: `the tag ${tag} exists and cannot be changed`, detail: { tag } })
}

function immutableType(tag: string, mediaType: string): RegistryError {
  return new RegistryError('DENIED', {
    message: `the tag ${tag} points to this manifest as ${mediaType}, and cannot be changed`,
    detail: { tag, mediaType },
  })
}

function unexpected(tag: string): RegistryError {
  return new RegistryError('DENIED', {
    status: 412,
    message: 'the tag is not where it was expected to be',
    detail: { tag },
  })
}
