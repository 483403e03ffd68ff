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
  async *list(options: ListOptions = {}): AsyncGenerator<string> {
    const here = () => this.#core.local(this.#claim).tags.list(options)
    const there = this.#ask(options)
    if (!this.#core.options.writable) {
      yield* listingWithFallback(there, isOutage, here)
      return
    }
    const nothing = () => none()
    yield* mergeListings(
      listingWithFallback(here(), isNoRepository, nothing),
      // Where there is nothing on either side, "no such repository" is the answer.
      listingWithFallback(there, (error) => isOutage(error) || isNoRepository(error), here),
      (tag) => tag,
    )
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

async function* none(): AsyncGenerator<never> {}
