import type { OperationContext } from '../backend.ts'
import { NO_BLOB, RegistryError, unless } from '../errors.ts'
import { inParallel } from '../in-parallel.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import type { Digest } from '../spec/digest.ts'
import { aboutBlob } from './errors.ts'
import type { RepositoryPair } from './location.ts'
import type { PlannedBlob } from './plan.ts'

export interface BlobPlannerOptions {
  readonly pair: RepositoryPair
  readonly foreignLayers: boolean
  readonly dryRun: boolean
  readonly concurrency: number
  /** Blobs, and a repository of the target that has them by now. */
  readonly placed: ReadonlyMap<Digest, string>
  readonly context: OperationContext
}

interface Wanted {
  readonly descriptor: Descriptor
  readonly image: string
}

/** Collects the blobs that are needed, each once, and finds out which are there. */
export class BlobPlanner {
  readonly #options: BlobPlannerOptions
  readonly #wanted = new Map<Digest, Wanted>()
  readonly #foreign = new Set<Digest>()

  constructor(options: BlobPlannerOptions) {
    this.#options = options
  }

  /** @throws {@link RegistryError} `SIZE_INVALID` where two manifests disagree on its size */
  add(descriptor: Descriptor, image: string): void {
    const { digest, size } = descriptor
    if (!this.#options.foreignLayers && isForeign(descriptor)) {
      this.#foreign.add(digest)
      return
    }
    const known = this.#wanted.get(digest)
    if (known === undefined) this.#wanted.set(digest, { descriptor, image })
    else if (known.descriptor.size !== size) {
      throw aboutBlob(digest, image, wrongSize(known.descriptor.size, size, `${known.image} says`))
    }
  }

  async plan(): Promise<{ readonly blobs: readonly PlannedBlob[]; readonly foreign: number }> {
    const blobs: PlannedBlob[] = []
    for (const digest of this.#wanted.keys()) this.#foreign.delete(digest)
    await inParallel([...this.#wanted.values()], this.#options.concurrency, async (wanted) => {
      const planned = await this.#look(wanted)
      if (planned === undefined) this.#foreign.add(wanted.descriptor.digest)
      else blobs.push(planned)
    })
    blobs.sort((a, b) => b.descriptor.size - a.descriptor.size || (a.descriptor.digest < b.descriptor.digest ? -1 : 1))
    return { blobs, foreign: this.#foreign.size }
  }

  /** `undefined` for what is to be had elsewhere alone. */
  async #look({ descriptor, image }: Wanted): Promise<PlannedBlob | undefined> {
    const { pair, placed, dryRun, context } = this.#options
    const { source, target } = pair
    const { digest, size, urls = [] } = descriptor
    try {
      const reliedUpon = !dryRun // to rely on a blob may write down that somebody does
      const there = await unless(NO_BLOB, target.blobs.stat(digest, { ...context, reliedUpon }))
      if (there !== undefined) {
        if (there.size !== size) throw wrongSize(there.size, size, 'the target has')
        return { descriptor, image, action: 'skip', mountFrom: [] }
      }
      if (urls.length > 0 && (await unless(NO_BLOB, source.blobs.stat(digest, context))) === undefined) return undefined
    } catch (error) {
      throw aboutBlob(digest, image, error)
    }
    const near = pair.isSamePlace && source.name !== target.name ? source.name : undefined
    const mountFrom = [...new Set([placed.get(digest), near])].filter((name) => name !== undefined)
    return { descriptor, image, action: mountFrom.length > 0 ? 'mount' : 'move', mountFrom }
  }
}

/** The manifest says another size than whoever has the blob, or another manifest. */
export function wrongSize(actual: number, announced: number, whoSays: string): RegistryError {
  return new RegistryError('SIZE_INVALID', {
    message: `${whoSays} ${actual} bytes, its manifest says ${announced}`,
    detail: { expected: announced, received: actual },
  })
}

/** By a media type that says that a layer must not be handed on. */
function isForeign({ mediaType }: Descriptor): boolean {
  return /nondistributable|\.foreign\./.test(mediaType)
}
