import { Readable } from 'node:stream'
import type { Backend, Blobs, Decorator, Repository } from '../../src/backend.ts'
import { decorate } from '../../src/backend.ts'
import { streamBody } from '../../src/bytes.ts'
import type { Copying } from '../../src/copy/copying.ts'
import type { CopyOptions } from '../../src/copy/options.ts'
import type { CopyProgress, CopyResult } from '../../src/copy/progress.ts'
import { type MemoryDriver, memory } from '../../src/drivers/memory.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import type { Descriptor } from '../../src/spec/descriptor.ts'
import type { Digest } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import type { Sparseness } from '../../src/storage/storage-core.ts'
import { collect, json } from '../support/images.ts'

export interface TestRegistry {
  readonly registry: Registry
  readonly driver: MemoryDriver
}

export function testRegistry(sparse: Sparseness = 'index'): TestRegistry {
  const driver = memory()
  return { driver, registry: new Registry({ storage: driver, sparse, logger: silentLogger }) }
}

/** Every key with its content, but for the mark of who wrote. */
export async function contentsOf(driver: MemoryDriver): Promise<Map<string, string>> {
  const contents = new Map<string, string>()
  for await (const { key } of driver.list('')) {
    if (key.endsWith('/_wharfage/format.json')) continue
    contents.set(key, Buffer.from((await driver.get(key)).content).toString('latin1'))
  }
  return contents
}

export async function pushIndex(
  repository: Repository,
  manifests: readonly unknown[],
  { tags = [], ...fields }: { readonly tags?: readonly string[]; readonly subject?: Descriptor } = {},
): Promise<Descriptor & { readonly content: Uint8Array }> {
  const content = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests, ...fields })
  return { content, ...(await repository.manifests.put(content, { mediaType: MEDIA_TYPES.ociIndex, tags })) }
}

export function childOf(
  image: { readonly digest: Digest; readonly content: Uint8Array },
  fields: Readonly<Record<string, unknown>> = {},
): Descriptor {
  return { mediaType: MEDIA_TYPES.ociManifest, digest: image.digest, size: image.content.byteLength, ...fields }
}

export function platform(text: string) {
  const [os = '', architecture = '', variant] = text.split('/')
  return { platform: { os, architecture, ...(variant !== undefined && { variant }) } }
}

/** Manifests and blobs of a repository, in byte order. */
export async function holdings(repository: Repository) {
  return {
    tags: await collect(repository.tags.list()).catch(() => []),
    manifests: await collect(repository.manifests.list()),
    blobs: await collect(repository.blobs.list()),
  }
}

/** Reads all of the progress, then the result. */
export async function follow(copying: Copying): Promise<{ events: CopyProgress[]; result: CopyResult }> {
  const events = await collect(copying)
  return { events, result: await copying }
}

/** Does not wait. @param waits - told how long it was to */
export function noWaiting(waits: number[] = []): Pick<Required<CopyOptions>, 'sleep'> {
  return { sleep: async (ms) => void waits.push(ms) }
}

/** An image whose config tells nothing of its one layer, and is smaller. */
export async function pushLayer(repository: Repository, layer: string): Promise<void> {
  const layers = [await repository.blobs.put(Buffer.from(layer))]
  const config = await repository.blobs.put(json({}))
  const content = json({ schemaVersion: 2, config, layers })
  await repository.manifests.put(content, { mediaType: MEDIA_TYPES.ociManifest, tags: ['v1'] })
}

export function withBlobs(change: (blobs: Blobs, repository: Repository) => Partial<Blobs>): Decorator {
  return (inner) => decorate(inner, { blobs: (blobs, repository) => overlay(blobs, change(blobs, repository)) })
}

/** `inner` with some of its members replaced. */
export function overlay<T extends object>(inner: T, own: Partial<T>): T {
  return new Proxy(inner, {
    get(target, key) {
      if (Object.hasOwn(own, key)) return Reflect.get(own, key) as unknown
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** A source whose streams break after so many bytes, as long as there are any in the list; with the offsets it was read from. */
export function breaking(inner: Backend, after: number[], error: () => Error): { backend: Backend; starts: number[] } {
  const starts: number[] = []
  const decorator = withBlobs((blobs) => ({
    open: async (digest, options) => {
      const reader = await blobs.open(digest, options)
      starts.push(reader.range.start)
      const limit = after.shift()
      if (limit === undefined) return reader
      return { ...reader, body: streamBody(cut(reader.body.stream(), limit, error), reader.body.size) }
    },
  }))
  return { backend: decorator(inner), starts }
}

/** Hands on each chunk before it asks for the next: all that came before the break has been taken when it comes. */
function cut(from: Readable, limit: number, error: () => Error): Readable {
  const chunks = from.iterator() as AsyncIterator<Buffer>
  let left = limit
  return new Readable({
    highWaterMark: 1,
    read() {
      if (left === 0) {
        this.destroy(error())
        return
      }
      void chunks.next().then(({ value, done }) => {
        const part = done ? null : value.subarray(0, left)
        left -= part?.byteLength ?? 0
        this.push(part)
      })
    },
    destroy(reason, done) {
      from.destroy()
      done(reason)
    },
  })
}
