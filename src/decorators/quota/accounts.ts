import type { Backend, OperationContext } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import { Account } from './account.ts'
import type { LimitsOf, QuotaLimit } from './limits.ts'
import { Reservation, type Share } from './reservation.ts'
import { bytesBelow, bytesOf } from './usage.ts'

/** Those that nothing is on its way to are forgotten beyond this number, and counted anew when they are needed. */
const MAX_ACCOUNTS = 10_000

export interface AccountsOptions {
  readonly limitsOf: LimitsOf
  readonly recountMs: number
  readonly now: () => number
}

/** The accounts of all repositories and prefixes of a backend that have a limit. */
export class Accounts {
  readonly #backend: Backend
  readonly #options: AccountsOptions
  readonly #accounts = new Map<string, Account>()

  constructor(backend: Backend, options: AccountsOptions) {
    this.#backend = backend
    this.#options = options
  }

  /** For something that is to go into a repository. @throws what counting met with */
  async open(repository: string, context: OperationContext): Promise<Reservation> {
    const { limitsOf, recountMs } = this.#options
    const limits = await limitsOf(repository, context)
    // Of several limits for one account, the smallest: what goes into it goes in once.
    const shares = new Map<Account, Share>()
    for (const limit of limits) {
      const account = this.#of(limit, repository)
      const maxBytes = Math.min(limit.maxBytes, shares.get(account)?.maxBytes ?? Number.POSITIVE_INFINITY)
      shares.set(account, { account, maxBytes })
    }
    for (const account of shares.keys()) await account.countIfOlderThan(recountMs)
    return new Reservation([...shares.values()])
  }

  /** Something was deleted there. */
  lessIsStored(repository: string): void {
    for (const [key, account] of this.#accounts) {
      if (key === repository || (key.endsWith('/') && repository.startsWith(key))) account.lessIsStored()
    }
  }

  /** Under its name or its prefix: only the one ends with a slash. */
  #of(limit: QuotaLimit, repository: string): Account {
    const [key, holder, count] =
      'prefix' in limit
        ? [limit.prefix, `what lies below ${limit.prefix}`, () => bytesBelow(this.#backend, limit.prefix)]
        : [repository, `the repository ${repository}`, () => bytesOf(this.#backend.repository(repository))]
    const account =
      this.#accounts.get(key) ?? new Account({ holder, count: () => counted(holder, count), now: this.#options.now })
    this.#accounts.delete(key)
    this.#accounts.set(key, account)
    for (const [oldest, { isIdle }] of this.#accounts) {
      if (this.#accounts.size <= MAX_ACCOUNTS) break
      if (isIdle && oldest !== key) this.#accounts.delete(oldest)
    }
    return account
  }
}

/** @throws `Error` where the backend has no listings, which is a mistake of whoever put the quota there */
async function counted(holder: string, count: () => Promise<number>): Promise<number> {
  try {
    return await count()
  } catch (cause) {
    if (!RegistryError.is(cause, 'UNSUPPORTED')) throw cause
    throw new Error(`quota() cannot count ${holder}: it needs a backend that lists blobs and manifests`, { cause })
  }
}
