import type { OperationContext } from '../backend.ts'
import type { Base } from './base.ts'
import type { LayerStep } from './layer-step.ts'
import type { RunOptions } from './run-options.ts'

/** What an image is to be, so far. */
export interface Plan {
  readonly steps: readonly LayerStep[]
  readonly run: readonly RunOptions[]
  readonly annotations: Readonly<Record<string, string | null>>
  readonly created: Date
  readonly author?: string
  bases(context: OperationContext): Promise<readonly Base[]>
}
