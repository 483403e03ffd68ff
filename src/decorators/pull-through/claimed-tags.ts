import type { ListOptions, OperationContext, SetTagOptions, Tags } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import type { Digest } from '../../spec/digest.ts'
import type { PullThroughCore } from './core.ts'
import { listingWithFallback, mergeListings } from './listings.ts'
import type { LocalWrites } from './local-writes.ts'
import type { Claim } from './router.ts'
import type { TagLookup } from './tag-lookup.ts'
import { isOutage } from './upstream-errors.ts'

/** Tags of a repository that an upstream has. */
export class ClaimedTags implements Tags {
  readonly #core: PullThroughCore
  readonly #claim: Claim
  readonly #lookup: TagLookup
  readonly #writes: LocalWrites

  constructor(core: PullThroughCore, claim: Claim, lookup: TagLookup, writes: LocalWrites) {
    this.#core = core
    this.#claim = claim
    this.#lookup = lookup
    this.#writes = writes
  }

  async resolve(tag: string, { signal }: OperationContext = {}): Promise<Digest> {
    await this.#core.options.keeper.ready()
    return (await this.#lookup.resolve(this.#claim, tag, signal)).digest
  }

  set(tag: string, target: Digest, options?: SetTagOptions): Promise<void> {
    return this.#writes.setTag(tag, target, options)
  }

  delete(tag: string, context?: OperationContext): Promise<void> {
    return this.#writes.deleteTag(tag, context)
  }

  /** The upstream's, and those that were pushed here; while the upstream cannot tell, those that are here. */
  list(options: ListOptions = {}): AsyncIterable<string> {
    const there = this.#ask(options)
    if (!this.#core.options.writable) {
      return listingWithFallback(there, isOutage, (error) => this.#here(options, error))
    }
    return mergeListings(
      listingWithFallback(this.#core.local(this.#claim).tags.list(options), isNoRepository, none),
      listingWithFallback(there, isOutageOrNoRepository, (error) => this.#here(options, error)),
      (tag) => tag,
    )
  }

  /** Those that are here. Where there is nothing, what the upstream failed with is the answer: it may have had some. */
  #here(options: ListOptions, error: unknown): AsyncIterable<string> {
    return listingWithFallback(this.#core.local(this.#claim).tags.list(options), isNoRepository, () => {
      throw error
    })
  }

  async *#ask(options: ListOptions): AsyncGenerator<string> {
    const { signal, after, limit } = options
    const question = { content: 'manifest', reference: 'list of tags' } as const
    const { calls } = this.#core.options
    try {
      yield* calls.list(this.#claim, question, signal, () =>
        this.#core.remote(this.#claim).tags.list({
          ...(signal && { signal }),
          ...(after !== undefined && { after }),
          ...(limit !== undefined && { limit }),
        }),
      )
    } catch (error) {
      if (!RegistryError.is(error, 'MANIFEST_UNKNOWN')) throw error
      throw new RegistryError('NAME_UNKNOWN', { detail: { name: this.#claim.localName }, cause: error })
    }
  }
}

function isNoRepository(error: unknown): boolean {
  return RegistryError.is(error, 'NAME_UNKNOWN')
}

function isOutageOrNoRepository(error: unknown): boolean {
  return isOutage(error) || isNoRepository(error)
}

async function* none(): AsyncGenerator<never> {}
