import { checkOptions, kindOf } from '../../arguments.ts'
import { nearest } from '../../nearest.ts'
import { checkRepositoryPattern } from './repository-pattern.ts'
import {
  type CatalogRule,
  type RepositoryRule,
  RULE_ACTIONS,
  type Rule,
  type RuleAction,
  type RuleWho,
} from './rule.ts'

/**
 * The same rule in its one form: nothing twice, actions in the order of {@link RULE_ACTIONS}.
 *
 * @throws `TypeError` for what is no rule, or could never grant anything
 */
export function checkRule(rule: Rule): Rule {
  if (typeof rule !== 'object' || rule === null || Array.isArray(rule)) {
    throw new TypeError(
      `a rule is a text such as 'team/*: pull' or an object such as { repository: 'team/*', actions: ['pull'] }, not ${kindOf(rule)}`,
    )
  }
  if ('catalog' in rule) {
    checkOptions<CatalogRule>('a rule for the catalog', rule, { catalog: true, who: true })
    if (rule.catalog !== true) throw new TypeError(`"catalog" must be true, not ${kindOf(rule.catalog)}`)
    return { catalog: true, ...checkWho(rule.who) }
  }
  checkOptions<RepositoryRule>('a rule', rule, { repository: true, who: true, actions: true })
  const { repository } = rule
  if (typeof repository !== 'string') {
    throw new TypeError(`"repository" must be a pattern such as 'team/*', not ${kindOf(repository)}`)
  }
  checkRepositoryPattern(repository)
  const who = checkWho(rule.who)
  if (who.who?.anonymous && /\{(user|group)\}/.test(repository)) {
    throw new TypeError(
      `${JSON.stringify(repository)} is for whoever is logged in, and "anonymous" for everybody: leave one of them out`,
    )
  }
  return { repository, ...who, actions: checkActions(rule.actions) }
}

function checkActions(actions: unknown): readonly RuleAction[] {
  if (!Array.isArray(actions) || actions.length === 0) {
    throw new TypeError(`"actions" must be a list such as ['pull', 'push'], not ${emptyOr(actions)}`)
  }
  for (const action of actions as unknown[]) {
    if (RULE_ACTIONS.some((known) => known === action)) continue
    // Never the star: whoever meant less would get it all.
    const guess = typeof action === 'string' ? nearest(action, ['pull', 'push', 'delete']) : undefined
    const hint = guess === undefined ? 'there are pull, push, delete and *' : `did you mean "${guess}"?`
    throw new TypeError(`${typeof action === 'string' ? JSON.stringify(action) : kindOf(action)} is no action: ${hint}`)
  }
  return actions.includes('*') ? ['*'] : RULE_ACTIONS.filter((action) => actions.includes(action))
}

function checkWho(who: RuleWho | undefined): { readonly who?: RuleWho } {
  if (who === undefined) return {}
  checkOptions<RuleWho>('"who"', who, { users: true, groups: true, anonymous: true })
  const { users, groups, anonymous } = who
  const names = {
    ...(users !== undefined && { users: checkNames('users', users) }),
    ...(groups !== undefined && { groups: checkNames('groups', groups) }),
  }
  if (anonymous === undefined) {
    if (Object.keys(names).length > 0) return { who: names }
    throw new TypeError('"who" is empty: leave it out for whoever is logged in')
  }
  if (anonymous !== true) throw new TypeError(`"anonymous" must be true, or left out, not ${kindOf(anonymous)}`)
  if (Object.keys(names).length === 0) return { who: { anonymous } }
  throw new TypeError('"anonymous" is everybody, logged in or not: leave out the users and groups beside it')
}

function checkNames(of: string, names: readonly string[]): readonly string[] {
  const isList =
    Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === 'string' && name !== '')
  if (isList) return [...new Set(names)]
  throw new TypeError(`"${of}" must be a list of names, ['alice'] say, not ${emptyOr(names)}`)
}

function emptyOr(value: unknown): string {
  if (!Array.isArray(value)) return kindOf(value)
  return value.length === 0 ? 'an empty one' : 'one of other things'
}
