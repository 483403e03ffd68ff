import type { Access } from '../auth/access.ts'
import type { Route } from './route.ts'

/**
 * What became of a request at access control. `challenged`: whoever it was has not shown who they are. `failed`: access control could not
 * tell, which denies.
 */
export type Outcome = 'allowed' | 'challenged' | 'denied' | 'failed'

/** One decision of access control. */
export interface AccessDecision {
  readonly at: Date
  readonly requestId: string
  readonly outcome: Outcome
  /** Who asked, where that was established. */
  readonly subject?: string
  /** The client's address, by the word of a trusted proxy where there is one. */
  readonly address?: string
  readonly method: string
  readonly route: Route['kind']
  /** What the request needed. */
  readonly required: readonly Access[]
  /** What the controller noted: the name that failed to log in, what a token was given out for. Never a secret. */
  readonly details: Readonly<Record<string, unknown>>
}

/** Told of every decision, once per request and before its answer. What it throws is logged, and changes nothing. */
export type Audit = (decision: AccessDecision) => void
