import { describe, expect, it } from 'vitest'
import { type Identity, type Rule, rules } from '../../../src/auth/index.ts'
import { access } from '../support.ts'

const nobody = undefined
const alice: Identity = { subject: 'alice' }
const developer: Identity = { subject: 'dora', groups: ['developers', 'team'] }

/** The things of a list that one rule grants. */
function granted(rule: string | Rule, identity: Identity | undefined, wanted: readonly string[]): readonly string[] {
  const permissions = rules([rule])
  return wanted.filter((one) => permissions(identity, access(one)))
}

describe('rules', () => {
  it.each([
    ['team', ['team'], ['team2', 'team/x', 'tea', 'x/team', 'steam']],
    ['team/*', ['team/a', 'team/a-b.c'], ['team', 'team/a/b', 'team2/a', 'x/team/a', 'team2']],
    ['team/**', ['team/a', 'team/a/b'], ['team', 'team2/a', 'steam/a', 'team-x/a']],
    ['team*', ['team', 'team2', 'team-x'], ['team/a', 'steam', 'team2/a']],
    ['team**', ['team', 'team2', 'team/a', 'team2/a/b'], ['steam', 'x/team']],
    ['*/app', ['a/app', 'b/app'], ['app', 'a/b/app', 'a/app/c', 'a/apps']],
    ['**/app', ['a/app', 'a/b/app'], ['app', 'a/happ', 'app/a']],
    ['a/*/c', ['a/b/c'], ['a/c', 'a/b/b/c', 'a/b/c/d']],
    ['a/**/c', ['a/b/c', 'a/b/b/c'], ['a/c', 'a/b/cc']],
    ['*', ['a', 'team-x'], ['a/b']],
    ['**', ['a', 'a/b/c'], ['', 'A', 'a//b', '/a', 'a/', 'a/../b', 'a b', '**', '*', 'é', `a${'/a'.repeat(128)}`]],
    ['*-x', ['team-x'], ['team/a-x', '-x']],
    ['team.a', ['team.a'], ['teamxa', 'team-a']],
  ])('%s is %j and not %j', (pattern, matching, others) => {
    const wanted = [...matching, ...others].map((name) => `repository:${name}:pull`)
    expect(granted(`${pattern}: pull`, alice, wanted)).toEqual(matching.map((name) => `repository:${name}:pull`))
  })

  it.each([
    ['alice', ['alice/a', 'alice/a/b'], ['alice', 'alice2/a', 'bob/a', 'x/alice/a', 'team/alice']],
    ['team', ['team/a'], ['team2/a', 'tea/a', 'team-x/a']],
    ['tea', ['tea/a'], ['team/a', 'tea', 't/a']],
    ['Alice', [], ['alice/a', 'Alice/a']],
    ['a b', [], ['a/b', 'a/a', 'a b/c']],
    ['alice/../bob', [], ['alice/a', 'bob/a', 'alice/../bob/a']],
    ['team/x', [], ['team/x/a', 'team/a', 'x/a']],
    ['*', [], ['a/a', 'team/a', '*/a']],
    ['**', [], ['a/a', 'team/x/a']],
    ['{user}', [], ['a/a', '{user}/a', 'user/a']],
    ['..', [], ['a/a', '../a']],
  ])('{user}/** of %j is %j and not %j', (subject, matching, others) => {
    const wanted = [...matching, ...others].map((name) => `repository:${name}:pull`)
    const found = matching.map((name) => `repository:${name}:pull`)
    expect(granted('{user}/**: pull', { subject }, wanted)).toEqual(found)
    expect(granted('{user}/**: pull', nobody, wanted)).toEqual([])
  })

  it.each<[string, readonly string[], readonly string[]]>([
    ['{group}/**', ['team/a', 'team/a/b', 'developers/a'], ['dora/a', 'team2/a', 'team', 'tea/a']],
    ['x/{group}', ['x/team'], ['x/dora', 'x/team/a', 'team']],
    ['{group}/{user}', ['team/dora', 'developers/dora'], ['dora/team', 'team/alice', 'team/dora/a']],
    ['*/{user}/**', ['a/dora/b', 'team/dora/b/c'], ['dora/a', 'a/b/dora/c', 'a/dora']],
    ['*-x/{group}*', [], []],
  ])('%s of a developer is %j and not %j', (pattern, matching, others) => {
    if (matching.length === 0) return expect(() => rules([`${pattern}: pull`])).toThrow('whole components')
    const wanted = [...matching, ...others].map((name) => `repository:${name}:pull`)
    const found = matching.map((name) => `repository:${name}:pull`)
    expect(granted(`${pattern}: pull`, developer, wanted)).toEqual(found)
    expect(granted(`${pattern}: pull`, { subject: 'erin', groups: ['other', 'Team', 'team/a'] }, wanted)).toEqual([])
  })

  const everybody = [nobody, alice, developer, { subject: 'developers' }, { subject: 'x', groups: ['alice'] }]
  it.each<[string, readonly boolean[]]>([
    ['a: pull', [false, true, true, true, true]],
    ['a: anonymous pull', [true, true, true, true, true]],
    ['a: user(alice) pull', [false, true, false, false, false]],
    ['a: @developers pull', [false, false, true, false, false]],
    ['a: group(developers) pull', [false, false, true, false, false]],
    ['a: user(alice) @developers pull', [false, true, true, false, false]],
    ['a: user(alice), user(developers) pull', [false, true, false, true, false]],
    ['a: user("*") pull', [false, false, false, false, false]],
    ['a: user(Alice) user(ali) user(alice2) @Developers @dev pull', [false, false, false, false, false]],
  ])('%s is for %j', (rule, expected) => {
    const permissions = rules([rule])
    expect(everybody.map((identity) => permissions(identity, access('repository:a:pull')))).toEqual(expected)
  })

  const all = ['pull', 'push', 'delete', '*'].map((action) => `repository:a:${action}`)
  it.each([
    ['pull', ['pull']],
    ['push', ['pull', 'push']],
    ['delete', ['delete']],
    ['pull, delete', ['pull', 'delete']],
    ['pull, push, delete', ['pull', 'push', 'delete']],
    ['*', ['pull', 'push', 'delete', '*']],
  ])('%s grants %j, and no catalog', (actions, expected) => {
    expect(granted(`a: ${actions}`, alice, [...all, 'registry:catalog:*', 'registry:a:pull'])).toEqual(
      expected.map((action) => `repository:a:${action}`),
    )
    expect(granted(`**: ${actions}`, alice, ['registry:catalog:*', 'registry:catalog:pull'])).toEqual([])
  })

  it('tells the catalog from repositories', () => {
    const wanted = ['registry:catalog:*', 'registry:catalog:pull', 'registry:other:*', 'repository:catalog:pull']
    expect(granted('registry:catalog: @developers *', developer, wanted)).toEqual(['registry:catalog:*'])
    expect(granted('registry:catalog: @developers *', alice, wanted)).toEqual([])
    expect(granted('registry:catalog:*', alice, wanted)).toEqual(['registry:catalog:*'])
    expect(granted('registry:catalog: anonymous *', nobody, wanted)).toEqual(['registry:catalog:*'])
    expect(granted({ catalog: true, who: { users: ['alice'] } }, alice, wanted)).toEqual(['registry:catalog:*'])
    expect(granted('catalog: pull', alice, wanted)).toEqual(['repository:catalog:pull'])
    expect(granted('registry: pull', alice, [...wanted, 'repository:registry:pull'])).toEqual([
      'repository:registry:pull',
    ])
  })

  it('grants what any rule does', () => {
    const permissions = rules([
      'library/*: anonymous pull',
      'team/{user}/**: pull, push, delete',
      { repository: 'project/**', who: { groups: ['developers'] }, actions: ['push'] },
      '**: user(root) *',
    ])
    const may = (identity: Identity | undefined, text: string) => permissions(identity, access(`repository:${text}`))
    expect(may(nobody, 'library/a:pull')).toBe(true)
    expect(may(nobody, 'library/a:push')).toBe(false)
    expect(may(alice, 'team/alice/a:delete')).toBe(true)
    expect(may(alice, 'team/bob/a:pull')).toBe(false)
    expect(may(developer, 'project/a:pull')).toBe(true)
    expect(may(alice, 'project/a:pull')).toBe(false)
    expect(may({ subject: 'root' }, 'project/a:*')).toBe(true)
  })

  it.each([
    ['a: pull', false],
    ['a: user(anonymous) @anonymous pull', false],
    ['a: anonymous delete', true],
    ['registry:catalog: anonymous *', true],
  ])('tells whether %s grants anything to anonymous: %s', (rule, expected) => {
    expect(rules(['b: pull', rule]).grantsAnonymous).toBe(expected)
  })

  it('takes no group out of what is no list', () => {
    const permissions = rules(['a: @x pull'])
    const identity = { subject: 'alice', groups: 'x' } as unknown as Identity // what a mistake may hand in
    expect(() => permissions(identity, access('repository:a:pull'))).toThrow('the groups of an identity must be a list')
    expect(() => permissions({ subject: '' }, access('repository:a:pull'))).toThrow('an identity must have a subject')
  })
})
