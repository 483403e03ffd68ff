import type { OperationContext, Repository } from '../../backend.ts'
import { ClaimedBlobs } from './claimed-blobs.ts'
import { ClaimedManifests } from './claimed-manifests.ts'
import { ClaimedTags } from './claimed-tags.ts'
import type { PullThroughCore } from './core.ts'
import { LocalWrites } from './local-writes.ts'
import type { ManifestSource } from './manifest-source.ts'
import type { Claim } from './router.ts'
import type { TagLookup } from './tag-lookup.ts'

/** A repository that an upstream has, and as much of it as is here. Cheap: what is shared lies in the core. */
export class ClaimedRepository implements Repository {
  readonly name: string
  readonly blobs: ClaimedBlobs
  readonly manifests: ClaimedManifests
  readonly tags: ClaimedTags
  readonly #writes: LocalWrites

  constructor(core: PullThroughCore, claim: Claim, source: ManifestSource, lookup: TagLookup) {
    this.name = claim.localName
    this.#writes = new LocalWrites(core, claim)
    this.blobs = new ClaimedBlobs(core, claim, this.#writes)
    this.manifests = new ClaimedManifests(core, claim, source, lookup, this.#writes)
    this.tags = new ClaimedTags(core, claim, lookup, this.#writes)
  }

  delete(context?: OperationContext): Promise<void> {
    return this.#writes.deleteRepository(context)
  }
}
