import { kindOf } from '../../arguments.ts'
import type { Identity } from '../identity.ts'
import { checkIdentity } from '../identity-access.ts'
import type { RuleWho } from './rule.ts'

/** Who asks, as rules see them. */
export interface Holder {
  /** `undefined` for anonymous. */
  readonly subject: string | undefined
  readonly groups: ReadonlySet<string>
}

const NOBODY: Holder = { subject: undefined, groups: new Set() }

/** @throws `TypeError` for an identity that is none */
export function holderOf(identity: Identity | undefined): Holder {
  if (identity === undefined) return NOBODY
  const { subject, groups = [] } = checkIdentity(identity)
  if (Array.isArray(groups)) return { subject, groups: new Set(groups) }
  throw new TypeError(`the groups of an identity must be a list of names, not ${kindOf(groups)}`)
}

/** Grants by whom they are for, so that nobody meets those of others. */
export class ByHolder<T> {
  readonly #everybody: T[] = []
  readonly #loggedIn: T[] = []
  readonly #users = new Map<string, T[]>()
  readonly #groups = new Map<string, T[]>()

  /** @param who - checked; `undefined` is whoever is logged in */
  add(who: RuleWho | undefined, grant: T): void {
    if (who === undefined) this.#loggedIn.push(grant)
    if (who?.anonymous) this.#everybody.push(grant)
    for (const user of who?.users ?? []) addTo(this.#users, user, grant)
    for (const group of who?.groups ?? []) addTo(this.#groups, group, grant)
  }

  /** Whether the test is true of any that are for `holder`. */
  some({ subject, groups }: Holder, test: (grant: T) => boolean): boolean {
    if (this.#everybody.some(test)) return true
    if (subject === undefined) return false
    if (this.#loggedIn.some(test) || this.#users.get(subject)?.some(test)) return true
    if (this.#groups.size === 0) return false
    for (const group of groups) if (this.#groups.get(group)?.some(test)) return true
    return false
  }
}

function addTo<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
