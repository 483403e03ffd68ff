import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Identity, rules } from '../../../src/auth/index.ts'
import { action, component, identity, name, rule, subject } from './support.ts'

const access = fc.oneof(
  fc.record({ type: fc.constant('repository' as const), name, action }),
  fc.constant({ type: 'registry' as const, name: 'catalog', action: '*' as const }),
)
const list = fc.array(rule, { minLength: 1, maxLength: 5 })

describe('rules', () => {
  it('for a user grant nothing to another', () => {
    fc.assert(
      fc.property(subject, subject, access, action, (user, other, wanted, granted) => {
        fc.pre(user !== other)
        const who = { users: [user] }
        const permissions = rules([
          { repository: '**', who, actions: [granted] },
          { catalog: true, who },
        ])
        expect(permissions({ subject: other, groups: [user] }, wanted)).toBe(false)
        expect(permissions(undefined, wanted)).toBe(false)
      }),
    )
  })

  it('for a group grant nothing to users of its name', () => {
    fc.assert(
      fc.property(subject, identity, access, (group, holder, wanted) => {
        const permissions = rules([{ repository: '**', who: { groups: [group] }, actions: ['*'] }])
        const isMember = holder?.groups?.includes(group) === true
        expect(permissions(holder, wanted)).toBe(isMember && wanted.type === 'repository')
      }),
    )
  })

  it('for one repository grant no other', () => {
    fc.assert(
      fc.property(name, name, identity, action, (one, other, holder, wanted) => {
        fc.pre(one !== other)
        const permissions = rules([{ repository: one, who: { anonymous: true }, actions: ['*'] }])
        expect(permissions(holder, { type: 'repository', name: other, action: wanted })).toBe(false)
        expect(permissions(holder, { type: 'repository', name: one, action: wanted })).toBe(true)
      }),
    )
  })

  it('with {user} grant what is below a component that is the user', () => {
    const permissions = rules(['team/{user}/**: pull'])
    fc.assert(
      fc.property(fc.array(component, { maxLength: 3 }), fc.oneof(subject, component), (rest, user) => {
        const parts = ['team', ...rest]
        const wanted = { type: 'repository', name: parts.join('/'), action: 'pull' } as const
        expect(permissions({ subject: user }, wanted)).toBe(parts.length > 2 && parts[1] === user)
      }),
    )
  })

  it('are never fewer for one more', () => {
    fc.assert(
      fc.property(list, list, identity, access, (some, more, holder, wanted) => {
        if (rules(some)(holder, wanted)) expect(rules([...more, ...some])(holder, wanted)).toBe(true)
      }),
    )
  })

  it('grant what any of them alone does, in any order', () => {
    fc.assert(
      fc.property(list, identity, access, (all, holder, wanted) => {
        const any = all.some((one) => rules([one])(holder, wanted))
        expect(rules(all)(holder, wanted)).toBe(any)
        expect(rules([...all].reverse())(holder, wanted)).toBe(any)
      }),
    )
  })

  it('grant to everybody what they grant to anonymous, which they know of', () => {
    fc.assert(
      fc.property(list, identity, access, (all, holder, wanted) => {
        const permissions = rules(all)
        if (!permissions(undefined, wanted)) return
        expect(permissions.grantsAnonymous).toBe(true)
        expect(permissions(holder, wanted)).toBe(true)
      }),
    )
  })

  it('show the names that may be pulled', () => {
    fc.assert(
      fc.property(list, identity, fc.array(name), (all, holder: Identity | undefined, names) => {
        const permissions = rules(all)
        const pulled = names.filter((one) => permissions(holder, { type: 'repository', name: one, action: 'pull' }))
        expect(permissions.visible(holder, names)).toEqual(pulled)
      }),
    )
  })
})
