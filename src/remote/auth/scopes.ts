/**
 * What a token is for, in the words of Docker's token specification: `repository:team/app:pull,push`. The actions by resource; what
 * is not of this form, such as Gitea's `*`, is a resource without actions.
 *
 * @see https://distribution.github.io/distribution/spec/auth/scope/
 */
export type Scopes = ReadonlyMap<string, ReadonlySet<string>>

/** Of each of `lists` in its order, the actions of a resource together. A text may hold several scopes, as a challenge's does. */
export function parseScopes(...lists: readonly (readonly string[])[]): Scopes {
  const scopes = new Map<string, Set<string>>()
  for (const scope of lists.flat().flatMap((text) => text.split(' '))) {
    if (scope === '') continue
    const colon = scope.lastIndexOf(':')
    const resource = colon === -1 ? scope : scope.slice(0, colon)
    const actions = scopes.get(resource) ?? new Set()
    scopes.set(resource, actions)
    if (colon !== -1) for (const action of scope.slice(colon + 1).split(',')) actions.add(action)
  }
  return scopes
}

/** One text per resource, its actions sorted: the same for the same scopes in the same order. */
export function formatScopes(scopes: Scopes): readonly string[] {
  return Array.from(scopes, ([resource, actions]) =>
    actions.size === 0 ? resource : `${resource}:${[...actions].sort().join(',')}`,
  )
}

/** Whether `wanted` is a part of `scopes`. */
export function covers(scopes: Scopes, wanted: Scopes): boolean {
  for (const [resource, actions] of wanted) {
    const had = scopes.get(resource)
    if (had === undefined || ![...actions].every((action) => had.has(action))) return false
  }
  return true
}

/** The repository of the first scope that has one. */
export function repositoryOf(scopes: Scopes): string | undefined {
  const resource = [...scopes.keys()].find((name) => name.startsWith(REPOSITORY))
  return resource?.slice(REPOSITORY.length)
}

const REPOSITORY = 'repository:'
