import {
  type Backend,
  type Blobs,
  type Decorator,
  decorate,
  type Manifests,
  type Repository,
  type Tags,
  type Upload,
} from '../../../src/backend.ts'
import type { BackendTrait } from '../../../src/testing/backend-contract/options.ts'

/** A backend that breaks the contract, and the test of the suite that has to fail for it. */
export interface Broken {
  readonly by: Decorator
  /** `group > test`, as the suite names them. */
  readonly fails: string
  /** What it claims not to be able to do. */
  readonly lacks?: readonly BackendTrait[]
}

/** `inner`, some of whose members are others. */
export function changed<T extends object>(inner: T, own: Partial<T>): T {
  return new Proxy(inner, {
    get(target, key) {
      if (Object.hasOwn(own, key)) return Reflect.get(own, key) as unknown
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

export function brokenBlobs(
  own: (blobs: Blobs, repository: Repository, backend: Backend) => Partial<Blobs>,
): Decorator {
  return (inner) => decorate(inner, { blobs: (blobs, repository) => changed(blobs, own(blobs, repository, inner)) })
}

export function brokenManifests(own: (manifests: Manifests, repository: Repository) => Partial<Manifests>): Decorator {
  return (inner) =>
    decorate(inner, { manifests: (manifests, repository) => changed(manifests, own(manifests, repository)) })
}

export function brokenTags(own: (tags: Tags, repository: Repository) => Partial<Tags>): Decorator {
  return (inner) => decorate(inner, { tags: (tags, repository) => changed(tags, own(tags, repository)) })
}

export function brokenUploads(own: (upload: Upload, blobs: Blobs) => Partial<Upload>): Decorator {
  return brokenBlobs((blobs) => ({
    startUpload: async (options) => {
      const upload = await blobs.startUpload(options)
      return changed(upload, own(upload, blobs))
    },
  }))
}

export function brokenBackend(own: (backend: Backend) => Partial<Backend>): Decorator {
  return (inner) => ({
    repository: (name) => inner.repository(name),
    repositories: (options) => inner.repositories(options),
    ...own(inner),
  })
}

export async function* reversed<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  const all: T[] = []
  for await (const item of items) all.unshift(item)
  yield* all
}

export async function* inOrder<T>(items: AsyncIterable<T>, compare: (a: T, b: T) => number): AsyncGenerator<T> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  yield* all.sort(compare)
}

/** A listing of which an error is the end. */
export async function* endedByErrors<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items
  } catch {}
}
