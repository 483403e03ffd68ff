import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Access } from '../../../src/auth/access.ts'
import { holds, readAccessClaim, writeAccessClaim } from '../../../src/auth/token/claims.ts'

const anyAccess = fc.record({
  type: fc.constantFrom('repository' as const, 'registry' as const),
  name: fc.constantFrom('team', 'team/app', 'team2', 'catalog'),
  action: fc.constantFrom('pull' as const, 'push' as const, 'delete' as const, '*' as const),
})

describe('the access claim', () => {
  it('holds what was written into it, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(anyAccess), anyAccess, (granted, asked: Access) => {
        const access = readAccessClaim(JSON.parse(JSON.stringify(writeAccessClaim(granted))))
        const expected = granted.some(
          ({ type, name, action }) =>
            type === asked.type && name === asked.name && (action === asked.action || action === '*'),
        )
        expect(access && holds(access, asked)).toBe(expected)
      }),
    )
  })

  it('N16: has a thousand entries at most', () => {
    const entries = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ type: 'repository', name: `a${i}`, actions: ['pull'] }))
    expect(readAccessClaim(entries(1000))?.size).toBe(1000)
    expect(readAccessClaim(entries(1001))).toBeUndefined()
  })

  it.each([undefined, null, []])('is of nothing where it is %j', (claim) => {
    expect(readAccessClaim(claim)).toEqual(new Map())
  })

  it.each([
    ['a text', 'repository:a:pull'],
    ['an object', {}],
    ['a list of texts', ['repository:a:pull']],
    ['null in a list', [null]],
    ['an entry without a type', [{ name: 'a', actions: [] }]],
    ['an entry without a name', [{ type: 'repository', actions: [] }]],
    ['actions in a text', [{ type: 'repository', name: 'a', actions: 'pull' }]],
    ['actions that are no texts', [{ type: 'repository', name: 'a', actions: [1] }]],
  ])('is none where it is %s', (_, claim) => {
    expect(readAccessClaim(claim)).toBeUndefined()
  })
})
