import type { Descriptor } from '../spec/descriptor.ts'
import type { CopyPlan } from './plan.ts'
import type { CopiedImage, CopyProgress, CopyResult, CopyTotals } from './progress.ts'

/** An event before the totals are added. */
type Untold<T = CopyProgress> = T extends CopyProgress ? Omit<T, 'totals'> : never

type TagSet = Extract<CopyProgress, { readonly type: 'tag.set' }>

/** Counts what is done, and tells it. */
export class Tally {
  readonly #tell: (event: CopyProgress) => void
  readonly #images: CopiedImage[] = []
  readonly #blobs = { moved: 0, mounted: 0, skipped: 0, foreign: 0 }
  readonly #bytes = { moved: 0, mounted: 0, skipped: 0 }
  readonly #manifests = { written: 0, skipped: 0 }
  readonly #tags = { set: 0, skipped: 0 }
  readonly #total = { bytes: 0, blobs: 0, manifests: 0, tags: 0 }
  /** Bytes of blobs that are on their way. */
  #underWay = 0

  constructor(tell: (event: CopyProgress) => void) {
    this.#tell = tell
  }

  planned(repository: string, plan: CopyPlan): void {
    for (const { descriptor, action } of plan.blobs) if (action === 'move') this.#total.bytes += descriptor.size
    this.#total.blobs += plan.blobs.length
    this.#total.manifests += plan.ranks.flat().length + plan.roots.filter(({ isRanked }) => !isRanked).length
    this.#total.tags += plan.roots.flatMap(({ tags }) => tags).length
    this.#blobs.foreign += plan.foreign
    this.#emit({ type: 'planned', repository })
  }

  started(blob: Descriptor, bytes: number): void {
    this.#underWay += bytes
    this.#emit({ type: 'blob.started', blob, bytes })
  }

  /** @param by - how many of the bytes are new; `tell`: whether it is worth an event */
  advanced(blob: Descriptor, by: number, bytes: number, tell: boolean): void {
    this.#underWay += by
    if (tell) this.#emit({ type: 'blob.advanced', blob, bytes })
  }

  /** @param bytes - how far it was, which is forgotten */
  retried(blob: Descriptor, bytes: number, error: unknown, delayMs: number): void {
    this.#underWay -= bytes
    this.#emit({ type: 'blob.retried', blob, error, delayMs })
  }

  /** @param bytes - how far it was told to be */
  moved(blob: Descriptor, bytes: number): void {
    this.#underWay -= bytes
    this.#blobs.moved++
    this.#bytes.moved += blob.size
    this.#emit({ type: 'blob.done', blob })
  }

  mounted(blob: Descriptor, from: string): void {
    this.#blobs.mounted++
    this.#bytes.mounted += blob.size
    this.#emit({ type: 'blob.mounted', blob, from })
  }

  /** It will move after all. */
  mountRefused(blob: Descriptor): void {
    this.#total.bytes += blob.size
  }

  skipped(blob: Descriptor): void {
    this.#blobs.skipped++
    this.#bytes.skipped += blob.size
    this.#emit({ type: 'blob.skipped', blob })
  }

  manifest(manifest: Descriptor, options: { readonly skipped: boolean }): void {
    this.#manifests[options.skipped ? 'skipped' : 'written']++
    this.#emit({ type: 'manifest.done', manifest, skipped: options.skipped })
  }

  tag(set: Omit<TagSet, 'type' | 'totals'>): void {
    this.#tags[set.skipped ? 'skipped' : 'set']++
    this.#emit({ type: 'tag.set', ...set })
  }

  image(image: CopiedImage): void {
    this.#images.push(image)
  }

  result(dryRun: boolean): CopyResult {
    return {
      dryRun,
      images: this.#images,
      blobs: { ...this.#blobs },
      bytes: { ...this.#bytes },
      manifests: { ...this.#manifests },
      tags: { ...this.#tags },
    }
  }

  #emit(event: Untold): void {
    this.#tell({ ...event, totals: this.#totals() })
  }

  #totals(): CopyTotals {
    const { moved, mounted, skipped } = this.#blobs
    return {
      bytes: { moved: this.#bytes.moved + this.#underWay, total: this.#total.bytes },
      blobs: { done: moved + mounted + skipped, total: this.#total.blobs },
      manifests: { done: this.#manifests.written + this.#manifests.skipped, total: this.#total.manifests },
      tags: { done: this.#tags.set + this.#tags.skipped, total: this.#total.tags },
    }
  }
}
