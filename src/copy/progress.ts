import type { Descriptor } from '../spec/descriptor.ts'
import type { Digest } from '../spec/digest.ts'

/** How far a copy is. Of several repositories, what is to be done is known for those that were looked at so far. */
export interface CopyTotals {
  /** Of blobs that move, in bytes. */
  readonly bytes: { readonly moved: number; readonly total: number }
  /** Moved, mounted, or found in the target. */
  readonly blobs: { readonly done: number; readonly total: number }
  readonly manifests: { readonly done: number; readonly total: number }
  readonly tags: { readonly done: number; readonly total: number }
}

/**
 * What a copy tells while it goes on. Each event carries the totals, so that one that was missed leaves no gap. The first for each
 * repository is `planned`: it is known what there is to do.
 */
export type CopyProgress = { readonly totals: CopyTotals } & (
  | { readonly type: 'planned'; readonly repository: string }
  /** A blob begins to move; in a later attempt at `bytes`. */
  | { readonly type: 'blob.started'; readonly blob: Descriptor; readonly bytes: number }
  /** `bytes` of `blob.size` have come so far. Told ten times a second at most. */
  | { readonly type: 'blob.advanced'; readonly blob: Descriptor; readonly bytes: number }
  /** It broke, and is tried again in `delayMs` milliseconds. */
  | {
      readonly type: 'blob.retried'
      readonly blob: Descriptor
      readonly error: unknown
      readonly delayMs: number
    }
  | { readonly type: 'blob.done'; readonly blob: Descriptor }
  | { readonly type: 'blob.mounted'; readonly blob: Descriptor; readonly from: string }
  /** The target has it. */
  | { readonly type: 'blob.skipped'; readonly blob: Descriptor }
  | { readonly type: 'manifest.done'; readonly manifest: Descriptor; readonly skipped: boolean }
  /** In `repository` of the target. */
  | {
      readonly type: 'tag.set'
      readonly repository: string
      readonly tag: string
      readonly digest: Digest
      readonly skipped: boolean
    }
)

/** One image that was asked for, or found attached to one, as it is in the target. */
export interface CopiedImage {
  /** In the target. */
  readonly repository: string
  readonly digest: Digest
  readonly tags: readonly string[]
}

/** What was done; after a dry run, what would be. */
export interface CopyResult {
  readonly dryRun: boolean
  readonly images: readonly CopiedImage[]
  /** `skipped`: the target had them. `foreign`: left out, because they must not be handed on or are to be had elsewhere. */
  readonly blobs: {
    readonly moved: number
    readonly mounted: number
    readonly skipped: number
    readonly foreign: number
  }
  /** Of the blobs. */
  readonly bytes: { readonly moved: number; readonly mounted: number; readonly skipped: number }
  readonly manifests: { readonly written: number; readonly skipped: number }
  readonly tags: { readonly set: number; readonly skipped: number }
}
