import { kindOf } from '../../arguments.ts'
import { isRepositoryName } from '../../spec/name.ts'
import type { Access } from '../access.ts'
import type { Identity } from '../identity.ts'
import { ByHolder, type Holder, holderOf } from './by-holder.ts'
import { checkRule } from './check-rule.ts'
import { compileRepositoryPattern, type RepositoryPattern } from './repository-pattern.ts'
import type { Rule, RuleAction } from './rule.ts'
import { parseRule } from './rule-text.ts'

/** Permissions that are data. */
export interface Rules {
  (identity: Identity | undefined, access: Access): boolean
  /** Whether there is something that may be done without logging in. */
  readonly grantsAnonymous: boolean
  /** Those of `names` that may be pulled. */
  visible(identity: Identity | undefined, names: readonly string[]): readonly string[]
}

/**
 * Who may do what. Each rule grants something; what no rule grants is denied.
 *
 * @param list - texts as {@link parseRule} reads them, or objects; at least one
 *
 * @example
 * ```ts
 * rules([
 *   'library/*: anonymous pull',
 *   'team/{user}/**: pull, push, delete',
 *   'project/**: @developers pull, push',
 *   { repository: '**', who: { users: ['alice'] }, actions: ['*'] },
 *   'registry:catalog: @admins *',
 * ])
 * ```
 *
 * @throws `TypeError` naming the first rule that is none, by its number
 */
export function rules(list: readonly (string | Rule)[]): Rules {
  if (!Array.isArray(list) || list.length === 0) {
    const kind = Array.isArray(list) ? 'an empty one' : kindOf(list)
    throw new TypeError(`rules() takes a list of rules, ['team/{user}/**: pull, push'] say, not ${kind}`)
  }
  return compileRules(
    (list as readonly (string | Rule)[]).map((rule, i) => {
      try {
        return typeof rule === 'string' ? parseRule(rule) : checkRule(rule)
      } catch (cause) {
        throw new TypeError(`rule ${i + 1}: ${(cause as Error).message}`, { cause })
      }
    }),
  )
}

/** What one rule grants to whom it is for. */
interface RepositoryGrant extends RepositoryPattern {
  readonly actions: ReadonlySet<Access['action']>
}

/** @param list - checked */
export function compileRules(list: readonly Rule[]): Rules {
  const catalog = new ByHolder<true>()
  // By what they are below, so that a name meets only those that begin as it does.
  const repositories = new Map<string, ByHolder<RepositoryGrant>>()
  for (const rule of list) {
    if ('catalog' in rule) {
      catalog.add(rule.who, true)
      continue
    }
    const pattern = compileRepositoryPattern(rule.repository)
    const grants = repositories.get(pattern.below) ?? new ByHolder()
    grants.add(rule.who, { ...pattern, actions: withIncluded(rule.actions) })
    repositories.set(pattern.below, grants)
  }
  const may = (holder: Holder, name: string, action: Access['action']): boolean => {
    if (!isRepositoryName(name)) return false
    const components = name.split('/')
    const isGranted = (grant: RepositoryGrant): boolean =>
      grant.actions.has(action) && grant.matches(name, components, holder)
    let below = ''
    if (repositories.get(below)?.some(holder, isGranted)) return true
    for (const component of components) {
      below = below === '' ? component : `${below}/${component}`
      if (repositories.get(below)?.some(holder, isGranted)) return true
    }
    return false
  }
  const allows = (identity: Identity | undefined, { type, name, action }: Access): boolean => {
    const holder = holderOf(identity)
    if (type === 'registry') return name === 'catalog' && action === '*' && catalog.some(holder, (yes) => yes)
    return type === 'repository' && may(holder, name, action)
  }
  return Object.assign(allows, {
    grantsAnonymous: list.some(({ who }) => who?.anonymous),
    visible: (identity: Identity | undefined, names: readonly string[]): readonly string[] => {
      const holder = holderOf(identity)
      return names.filter((name) => may(holder, name, 'pull'))
    },
  })
}

function withIncluded(actions: readonly RuleAction[]): ReadonlySet<Access['action']> {
  if (actions.includes('*')) return new Set(['pull', 'push', 'delete', '*'])
  return new Set(actions.includes('push') ? ['pull', ...actions] : actions)
}
