import fc from 'fast-check'
import type { Rule, RuleAction, RuleWho } from '../../../src/auth/index.ts'

/** Components that are near to each other; whole names of up to three. */
export const component: fc.Arbitrary<string> = fc.constantFrom('team', 'team2', 'tea', 'team-x', 'alice', 'bob', 'a')
export const name: fc.Arbitrary<string> = joined(component)

export const subject: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    'alice',
    'bob',
    'team',
    'Alice',
    'alice/../bob',
    'team/x',
    '*',
    '**',
    '{user}',
    'a b',
    '"',
    '#a',
    '@a',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 5 }),
)
export const action: fc.Arbitrary<RuleAction> = fc.constantFrom('pull', 'push', 'delete', '*')

export const identity = fc.option(
  fc.record(
    { subject, groups: fc.array(fc.oneof(component, subject), { maxLength: 2 }) },
    { requiredKeys: ['subject'] },
  ),
  { nil: undefined },
)

const names = fc.uniqueArray(subject, { minLength: 1, maxLength: 3 })
const people: fc.Arbitrary<RuleWho> = fc.oneof(
  fc.record({ users: names }),
  fc.record({ groups: names }),
  fc.record({ users: names, groups: names }),
)
const actions = fc.uniqueArray(action, { minLength: 1 })
const openPattern = joined(fc.oneof(component, fc.constantFrom('*', 'team*', '*-x', '**')))
const heldPattern = fc
  .tuple(
    fc.constantFrom('', 'team/', '*/'),
    fc.constantFrom('{user}', '{group}', '{user}/{group}'),
    fc.constantFrom('', '/*', '/**'),
  )
  .map((parts) => parts.join(''))

/** Valid rules, each in some spelling. */
export const rule: fc.Arbitrary<Rule> = fc.oneof(
  fc.record({ repository: openPattern, who: fc.oneof(people, fc.constant({ anonymous: true } as const)), actions }),
  fc.record(
    { repository: fc.oneof(openPattern, heldPattern), who: people, actions },
    { requiredKeys: ['repository', 'actions'] },
  ),
  fc.record({ catalog: fc.constant(true as const), who: people }, { requiredKeys: ['catalog'] }),
)

function joined(part: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
}
