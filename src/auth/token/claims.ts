import type { Access } from '../access.ts'

/** What a token lets its bearer do, by resource. */
export type TokenAccess = ReadonlyMap<string, ReadonlySet<string>>

/** Entries of one token; a client asks for one or two. */
const MAX_ENTRIES = 1000

/**
 * Reads the `access` claim.
 *
 * @returns `undefined` where it is none
 * @see https://distribution.github.io/distribution/spec/auth/jwt/
 */
export function readAccessClaim(claim: unknown): TokenAccess | undefined {
  const access = new Map<string, Set<string>>()
  if (claim === undefined || claim === null) return access
  if (!Array.isArray(claim) || claim.length > MAX_ENTRIES) return undefined
  for (const entry of claim as readonly unknown[]) {
    const { type, name, actions } = (entry ?? {}) as { readonly [Key in 'type' | 'name' | 'actions']?: unknown }
    if (typeof type !== 'string' || typeof name !== 'string' || !Array.isArray(actions)) return undefined
    const resource = `${type}:${name}`
    const all = access.get(resource) ?? new Set()
    for (const action of actions as readonly unknown[]) {
      if (typeof action !== 'string') return undefined
      all.add(action)
    }
    access.set(resource, all)
  }
  return access
}

/** Word for word: a name in a token is no pattern. The action `*` is every one, as Distribution has it. */
export function holds(access: TokenAccess, { type, name, action }: Access): boolean {
  const actions = access.get(`${type}:${name}`)
  return actions !== undefined && (actions.has(action) || actions.has('*'))
}

/** The claim of an issuer: one entry per resource. */
export function writeAccessClaim(granted: readonly Access[]): readonly object[] {
  const entries = new Map<string, { type: string; name: string; actions: string[] }>()
  for (const { type, name, action } of granted) {
    const entry = entries.get(`${type}:${name}`) ?? { type, name, actions: [] }
    entry.actions.push(action)
    entries.set(`${type}:${name}`, entry)
  }
  return [...entries.values()]
}
