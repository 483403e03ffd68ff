import type { Descriptor } from '../spec/descriptor.ts'

/** What there is to do for one repository. Made without writing anything. */
export interface CopyPlan {
  /** Largest first, so that no large one is left to be waited for. */
  readonly blobs: readonly PlannedBlob[]
  /** Children before parents: those of one rank depend on lower ranks only. */
  readonly ranks: readonly (readonly PlannedManifest[])[]
  /** Last of all: what was asked for, with its tags. */
  readonly roots: readonly PlannedRoot[]
  /** Layers that are left out because they must not be handed on, or are to be had elsewhere alone. */
  readonly foreign: number
}

export interface PlannedBlob {
  readonly descriptor: Descriptor
  /** One of those that need it, for messages: `team/app:v1`. */
  readonly image: string
  readonly action: 'skip' | 'mount' | 'move'
  /** Repositories of the target that have it. */
  readonly mountFrom: readonly string[]
}

export interface PlannedManifest {
  readonly descriptor: Descriptor
  readonly content: Uint8Array
  readonly image: string
  /** The target has it. */
  readonly isThere: boolean
}

export interface PlannedRoot {
  readonly manifest: PlannedManifest
  readonly tags: readonly PlannedTag[]
  /** It is in one of the ranks as well, because others depend on it. */
  readonly isRanked: boolean
}

export interface PlannedTag {
  readonly name: string
  /** Nothing is to be done about it. */
  readonly isThere: boolean
  /** Set only where there is none by this name. */
  readonly ifAbsent: boolean
}
