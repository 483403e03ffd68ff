import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Access } from '../../src/auth/access.ts'
import { formatScope, parseScope } from '../../src/auth/scope.ts'
import { access } from './support.ts'

describe('formatScope', () => {
  it.each([
    [[], ''],
    [['repository:a:pull'], 'repository:a:pull'],
    [['repository:a:push', 'repository:a:pull', 'repository:a:push'], 'repository:a:pull,push'],
    [
      ['repository:b:pull', 'registry:catalog:*', 'repository:a:delete'],
      'registry:catalog:* repository:a:delete repository:b:pull',
    ],
  ])('writes %j as %s', (required, scope) => {
    expect(formatScope(required.map(access))).toBe(scope)
  })
})

describe('parseScope', () => {
  it.each([
    ['repository:team/app:pull,push', ['repository:team/app:pull', 'repository:team/app:push']],
    ['registry:catalog:* repository:a:pull', ['registry:catalog:*', 'repository:a:pull']],
    ['repository:host:5000/a:pull', ['repository:host:5000/a:pull']],
    ['repository(plugin):a:pull', ['repository:a:pull']],
    ['repository:a:pull,pull', ['repository:a:pull']],
    ['repository:a:fly,pull', ['repository:a:pull']],
    ...[
      '',
      ' ',
      'repository',
      'repository:a',
      'repository::pull',
      ':a:pull',
      'secret:a:pull',
      'repository(:a:pull',
      '(x):a:pull',
      'repository:a:',
    ].map((text): [string, string[]] => [text, []]),
  ])('reads %j', (text, expected) => {
    expect(parseScope(text).map(({ type, name, action }) => `${type}:${name}:${action}`)).toEqual(expected)
  })

  it('is the inverse of formatScope', () => {
    const name = fc.stringMatching(/^[a-z0-9]{1,5}(\/[a-z0-9]{1,5}){0,2}$/)
    const one = fc.record({
      type: fc.constantFrom('repository' as const, 'registry' as const),
      name,
      action: fc.constantFrom('pull' as const, 'push' as const, 'delete' as const, '*' as const),
    })
    const text = ({ type, name, action }: Access) => `${type}:${name}:${action}`
    fc.assert(
      fc.property(fc.array(one), (required) => {
        expect(new Set(parseScope(formatScope(required)).map(text))).toEqual(new Set(required.map(text)))
      }),
    )
  })
})
