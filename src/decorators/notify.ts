import { randomUUID } from 'node:crypto'
import { checkOptions, kindOf } from '../arguments.ts'
import {
  type Blobs,
  type Decorator,
  decorate,
  type Manifests,
  type OperationContext,
  type Tags,
  type Upload,
} from '../backend.ts'
import type { EventSink, RegistryEvent } from '../events.ts'
import { consoleLogger, type Logger } from '../logger.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { isDigest } from '../spec/digest.ts'

export interface NotifyOptions {
  /** Where a failing sink is reported. Default: warnings and errors to standard error. */
  readonly logger?: Logger
}

/** Every event but what `notify` fills in itself. */
type Fact = RegistryEvent extends infer E
  ? E extends RegistryEvent
    ? Omit<E, 'id' | 'at' | 'repository' | 'actor' | 'requestId' | 'request'>
    : never
  : never

type Tell = (fact: Fact, context: OperationContext | undefined) => void

/**
 * Tells `sink` of everything that succeeds. The sink is never waited for, and what it throws is logged: it cannot fail or
 * delay an operation.
 */
export function notify(sink: EventSink, options: NotifyOptions = {}): Decorator {
  if (typeof sink !== 'function') throw new TypeError(`notify() needs a function of an event, not ${kindOf(sink)}`)
  checkOptions('notify()', options, { logger: true })
  const { logger = consoleLogger } = options
  return (inner) =>
    decorate(inner, {
      repository: (repository) => {
        const tell: Tell = (fact, { actor, requestId, request } = {}) => {
          // Each fact is one of the events without its envelope, which is added here.
          const event = {
            id: randomUUID(),
            at: new Date(),
            repository: repository.name,
            ...(actor !== undefined && { actor }),
            ...(requestId !== undefined && { requestId }),
            ...(request && { request }),
            ...fact,
          } as RegistryEvent
          // Called on a turn of its own, so that what a sink throws at once is caught like what it rejects with.
          Promise.resolve(event)
            .then(sink)
            .catch((err: unknown) => logger.error({ err, event: event.type }, 'a listener failed'))
        }
        return {
          name: repository.name,
          delete: async (context) => {
            await repository.delete(context)
            tell({ type: 'repository.deleted' }, context)
          },
          blobs: tellingBlobs(repository.blobs, tell),
          manifests: tellingManifests(repository.manifests, tell),
          tags: tellingTags(repository.tags, tell),
        }
      },
    })
}

function tellingBlobs(inner: Blobs, tell: Tell): Blobs {
  const pushed = (blob: Descriptor, context: OperationContext | undefined) => {
    tell({ type: 'blob.pushed', blob }, context)
    return blob
  }
  return {
    ...(inner.minChunkBytes !== undefined && { minChunkBytes: inner.minChunkBytes }),
    stat: (digest, options) => inner.stat(digest, options),
    locate: (digest, options) => inner.locate(digest, options),
    list: (options) => inner.list(options),
    open: async (digest, options) => {
      const reader = await inner.open(digest, options)
      tell({ type: 'blob.pulled', blob: reader.descriptor }, options)
      return reader
    },
    startUpload: async (options) => tellingUpload(await inner.startUpload(options), pushed, options),
    resumeUpload: async (id, context) => tellingUpload(await inner.resumeUpload(id, context), pushed, context),
    mount: async (digest, from, context) => {
      const blob = await inner.mount(digest, from, context)
      tell({ type: 'blob.mounted', blob, ...(typeof from === 'string' && { from }) }, context)
      return blob
    },
    delete: async (digest, context) => {
      await inner.delete(digest, context)
      tell({ type: 'blob.deleted', digest }, context)
    },
    put: async (content, options) => pushed(await inner.put(content, options), options),
  }
}

function tellingUpload(
  inner: Upload,
  pushed: (blob: Descriptor, context: OperationContext | undefined) => Descriptor,
  context: OperationContext | undefined,
): Upload {
  return {
    id: inner.id,
    startedAt: inner.startedAt,
    get offset() {
      return inner.offset
    },
    append: (content, options) => inner.append(content, options),
    commit: async (digest, options) => pushed(await inner.commit(digest, options), { ...context, ...options }),
    cancel: () => inner.cancel(),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
}

function tellingManifests(inner: Manifests, tell: Tell): Manifests {
  return {
    stat: (reference, context) => inner.stat(reference, context),
    list: (options) => inner.list(options),
    referrers: (subject, options) => inner.referrers(subject, options),
    get: async (reference, context) => {
      const manifest = await inner.get(reference, context)
      const tag = isDigest(reference) ? undefined : reference
      tell({ type: 'manifest.pulled', manifest: manifest.descriptor, ...(tag !== undefined && { tag }) }, context)
      return manifest
    },
    put: async (content, options) => {
      const manifest = await inner.put(content, options)
      tell({ type: 'manifest.pushed', manifest, tags: options.tags ?? [] }, options)
      return manifest
    },
    delete: async (digest, context) => {
      const tags = await inner.delete(digest, context)
      tell({ type: 'manifest.deleted', digest, tags }, context)
      return tags
    },
  }
}

function tellingTags(inner: Tags, tell: Tell): Tags {
  return {
    resolve: (tag, context) => inner.resolve(tag, context),
    list: (options) => inner.list(options),
    set: async (tag, digest, options) => {
      await inner.set(tag, digest, options)
      tell({ type: 'tag.set', tag, digest }, options)
    },
    delete: async (tag, context) => {
      await inner.delete(tag, context)
      tell({ type: 'tag.deleted', tag }, context)
    },
  }
}
