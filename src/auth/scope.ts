import type { Access } from './access.ts'

/**
 * What is asked of a token service, by resource: `repository:team/app:pull,push`. Several are separated by spaces; sorted, so that the
 * same needs are always the same text.
 *
 * @see https://distribution.github.io/distribution/spec/auth/scope/
 */
export function formatScope(required: readonly Access[]): string {
  const actions = new Map<string, Set<string>>()
  for (const { type, name, action } of required) {
    const resource = `${type}:${name}`
    actions.set(resource, (actions.get(resource) ?? new Set()).add(action))
  }
  return [...actions]
    .map(([resource, all]) => `${resource}:${[...all].sort().join(',')}`)
    .sort()
    .join(' ')
}

/**
 * Inverse of {@link formatScope}. What a registry has no use for is left out: other types (`repository(plugin):…` is a repository),
 * other actions, and what is no scope at all.
 *
 * @param text - bounded by the caller
 */
export function parseScope(text: string): readonly Access[] {
  return text.split(' ').flatMap((scope) => {
    const first = scope.indexOf(':')
    const last = scope.lastIndexOf(':')
    const type = typeOf(scope.slice(0, first))
    const name = scope.slice(first + 1, last)
    if (last <= first || name === '' || type === undefined) return []
    const actions = new Set(scope.slice(last + 1).split(','))
    return [...actions].filter(isAction).map((action) => ({ type, name, action }))
  })
}

/** A class in parentheses tells plugins from images, and makes no difference to who may have them. */
function typeOf(text: string): Access['type'] | undefined {
  const type = text.endsWith(')') ? text.slice(0, Math.max(0, text.indexOf('('))) : text
  return type === 'repository' || type === 'registry' ? type : undefined
}

function isAction(text: string): text is Access['action'] {
  return text === 'pull' || text === 'push' || text === 'delete' || text === '*'
}
