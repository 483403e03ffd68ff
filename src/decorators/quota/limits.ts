import { checkOptions, kindOf } from '../../arguments.ts'
import type { OperationContext } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import { isRepositoryName } from '../../spec/name.ts'
import { type Match, matcher } from '../pattern.ts'

/** How much a repository may hold, or all that lie below a prefix together. */
export type QuotaLimit = RepositoryLimit | PrefixLimit

export interface RepositoryLimit {
  /** Which repositories: patterns such as `team/*`, or a function. Each of them may hold so much for itself. */
  readonly repository: Match
  /** What they hold may take, in bytes. */
  readonly maxBytes: number
}

export interface PrefixLimit {
  /** `team/`: whatever lies below it, together. A blob that is in two of its repositories counts twice. */
  readonly prefix: string
  /** What they hold may take, in bytes. */
  readonly maxBytes: number
}

/** Those that matter to a repository may be looked up elsewhere, a database say. All that match it have to be met. */
export type QuotaLimits =
  | readonly QuotaLimit[]
  | ((repository: string, context: OperationContext) => readonly QuotaLimit[] | Promise<readonly QuotaLimit[]>)

/** Something does not fit into what a repository, or a prefix, may hold. */
export class QuotaExceededError extends RegistryError {
  constructor(holder: string, bytes: { readonly limit: number; readonly used: number; readonly requested: number }) {
    const { limit, used, requested } = bytes
    super('DENIED', {
      message: `quota exceeded: ${holder} may hold ${limit} bytes, holds ${used}, and was sent ${requested}`,
      detail: bytes,
    })
  }
}

/** Those of `limits` that a repository has to meet. */
export type LimitsOf = (repository: string, context: OperationContext) => Promise<readonly QuotaLimit[]>

/** @throws `TypeError` for limits that make no sense; of a function, when it is asked */
export function limitsOf(limits: QuotaLimits): LimitsOf {
  if (typeof limits === 'function') {
    return async (repository, context) => {
      const matching = compile(await limits(repository, context))
      return matching(repository)
    }
  }
  const matching = compile(limits)
  return async (repository) => matching(repository)
}

function compile(limits: readonly QuotaLimit[]): (repository: string) => readonly QuotaLimit[] {
  if (!Array.isArray(limits)) {
    throw new TypeError(`quota() needs limits, [{ repository: 'team/*', maxBytes: 10e9 }] say, not ${kindOf(limits)}`)
  }
  const compiled = (limits as readonly QuotaLimit[]).map((limit) => ({ limit, matches: matches(limit) }))
  return (repository) => compiled.filter((one) => one.matches(repository)).map(({ limit }) => limit)
}

function matches(limit: QuotaLimit): (repository: string) => boolean {
  checkOptions('a limit of quota()', limit, { repository: true, prefix: true, maxBytes: true })
  const { repository, prefix, maxBytes }: Partial<RepositoryLimit & PrefixLimit> = limit
  if (!Number.isSafeInteger(maxBytes) || (maxBytes as number) < 0) {
    throw new TypeError(`the "maxBytes" of a limit must be a number of bytes, 10e9 say, not ${kindOf(maxBytes)}`)
  }
  if ((repository === undefined) === (prefix === undefined)) {
    throw new TypeError('a limit of quota() is for a "repository" or for a "prefix", and not for both')
  }
  if (repository !== undefined) return matcher(repository)
  if (typeof prefix !== 'string' || !prefix.endsWith('/') || !isRepositoryName(prefix.slice(0, -1))) {
    throw new TypeError(
      `the "prefix" of a limit must be the beginning of names, up to a slash, 'team/' say, and no pattern, not ${kindOf(prefix)}`,
    )
  }
  return (name) => name.startsWith(prefix)
}
