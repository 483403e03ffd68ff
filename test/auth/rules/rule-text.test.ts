import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatRule, parseRule, type Rule, rules } from '../../../src/auth/index.ts'
import { isRepositoryName } from '../../../src/spec/name.ts'
import { rule, subject } from './support.ts'

describe('parseRule', () => {
  it.each<[string, Rule, string?]>([
    ['a: pull', { repository: 'a', actions: ['pull'] }],
    ['  a:pull  ', { repository: 'a', actions: ['pull'] }, 'a: pull'],
    ['a : push,pull delete', { repository: 'a', actions: ['pull', 'push', 'delete'] }, 'a: pull, push, delete'],
    ['a: pull, pull, *', { repository: 'a', actions: ['*'] }, 'a: *'],
    ['a: anonymous pull', { repository: 'a', who: { anonymous: true }, actions: ['pull'] }],
    ['a: user(b@c.d) @e/f pull', { repository: 'a', who: { users: ['b@c.d'], groups: ['e/f'] }, actions: ['pull'] }],
    ['a: @x, group(y) pull', { repository: 'a', who: { groups: ['x', 'y'] }, actions: ['pull'] }, 'a: @x @y pull'],
    ['a: user("b, \\"c\\")") *', { repository: 'a', who: { users: ['b, "c")'] }, actions: ['*'] }],
    ['a: group("é ☺") *', { repository: 'a', who: { groups: ['é ☺'] }, actions: ['*'] }],
    ['a: user(\\) *', { repository: 'a', who: { users: ['\\'] }, actions: ['*'] }],
    ['a: user("\\n") *', { repository: 'a', who: { users: ['\n'] }, actions: ['*'] }],
    ['registry:catalog: @a *', { catalog: true, who: { groups: ['a'] } }],
    ['registry:catalog:*', { catalog: true }, 'registry:catalog: *'],
  ])('%s', (text, object, formatted = text) => {
    expect(parseRule(text)).toEqual(object)
    expect(formatRule(object)).toBe(formatted)
  })

  it('and formatRule are inverse', () => {
    fc.assert(
      fc.property(rule, (one) => {
        const text = formatRule(one)
        expect(text).not.toMatch(/[\n\r]/)
        const parsed = parseRule(text)
        expect(formatRule(parsed)).toBe(text)
        expect(parsed.who).toEqual(one.who)
      }),
    )
  })

  it('keeps any name of a user or group', () => {
    fc.assert(
      fc.property(subject, (any) => {
        const one: Rule = { repository: 'a', who: { users: [any], groups: [any] }, actions: ['pull'] }
        expect(parseRule(formatRule(one))).toEqual(one)
      }),
    )
  })

  it('takes for a pattern without stars what is a repository name', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '0', '.', '_', '-', '/', 'A', ' ', 'é'), maxLength: 8 })
    const isTaken = (pattern: string) => {
      try {
        rules([{ repository: pattern, actions: ['pull'] }])
        return true
      } catch {
        return false
      }
    }
    fc.assert(
      fc.property(text, (pattern) => {
        expect(isTaken(pattern)).toBe(isRepositoryName(pattern))
      }),
      { numRuns: 300 },
    )
  })

  it('takes a pattern with stars that some name matches', () => {
    const alphabet = ['a', '.', '_', '-', '/']
    const filler = fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 4 })
    const parts = fc.array(fc.oneof(fc.constantFrom(...alphabet), fc.tuple(fc.constantFrom('*', '**'), filler)), {
      minLength: 1,
      maxLength: 5,
    })
    fc.assert(
      fc.property(parts, (chosen) => {
        const pattern = chosen.map((part) => (typeof part === 'string' ? part : part[0])).join('')
        const text = chosen.map((part) => (typeof part === 'string' ? part : part[1])).join('')
        fc.pre(isRepositoryName(text) && chosen.every((part) => part[0] !== '*' || !part[1]?.includes('/')))
        expect(() => parseRule(`${pattern}: pull`)).not.toThrow()
      }),
      { numRuns: 300 },
    )
  })
})

const NAMES = 'they are lower-case letters and digits, separated by . _ __ - or /'
const NOT_READ =
  'is neither an action nor who may do it: user(alice), user("a name"), @group, group("a group"), anonymous'
const WHOLE = '{user} and {group} stand for whole components, as in team/{user}/**; there are no others'

describe('rules', () => {
  it.each<[unknown, string]>([
    ['team/*', 'no ":" after a pattern: \'team/*: pull\' is a rule, "team/*" is not'],
    [': pull', 'there is no pattern: ** is every repository'],
    ['team:', 'no action: at least one of pull, push, delete and * has to be there'],
    ['team: @a', 'no action: at least one of pull, push, delete and * has to be there'],
    ['team: pul', '"pul" is no action: did you mean pull?'],
    ['team: Pull', '"Pull" is no action: did you mean pull?'],
    ['team: anonymus pull', '"anonymus" is no action: did you mean anonymous?'],
    [
      'team: developers pull',
      '"developers" is no action: actions are pull, push, delete and *; a user is written user(developers), a group @developers',
    ],
    ['team: pull @a', '@a comes after an action: first who, then what they may do; others are a rule of their own'],
    [
      'team: @a pull anonymous',
      'anonymous comes after an action: first who, then what they may do; others are a rule of their own',
    ],
    ['team: pull # all', 'a comment has a line of its own'],
    ['team: user(alice pull', `"user(alice pull" ${NOT_READ}`],
    ['team: user() pull', `"user() pull" ${NOT_READ}`],
    ['team: user(a,b) pull', `"user(a,b) pull" ${NOT_READ}`],
    ['team: user(a)pull', `"user(a)pull" ${NOT_READ}`],
    ['team: @ pull', `"@ pull" ${NOT_READ}`],
    ['team: user("a\\x") pull', '"a\\x" is no name in quotes, as in JSON'],
    ['team: user("") pull', '"users" must be a list of names, [\'alice\'] say, not one of other things'],
    ['team: anonymous @a pull', '"anonymous" is everybody, logged in or not: leave out the users and groups beside it'],
    [
      'team/{user}: anonymous pull',
      '"team/{user}" is for whoever is logged in, and "anonymous" for everybody: leave one of them out',
    ],
    ['registry:catalog: pull', 'the catalog can only be listed: registry:catalog: @admins *'],
    ['registry:catalog:', 'no action: at least one of pull, push, delete and * has to be there'],
    ['Team/*: pull', '"Team/*" is no repository: names are in lower case, "team/*"'],
    [
      'team/: pull',
      '"team/" is no repository: no name ends with /; "team" is what is called so, "team/**" what is below',
    ],
    ['/team: pull', '"/team" is no repository: no name begins with /'],
    ['team//x: pull', '"team//x" is no repository: no name has an empty component, //'],
    ['te am: pull', `"te am" is no repository: no name has, after "te", " ", ${NAMES}`],
    ['-a: pull', `"-a" is no repository: no name begins with "-", ${NAMES}`],
    ['a..b: pull', `"a..b" is no repository: no name has, after "a.", ".", ${NAMES}`],
    ['*/_a: pull', `"*/_a" is no repository: no name has, after "*/", "_", ${NAMES}`],
    ['a-: pull', '"a-" is no repository: no name ends with "-"'],
    ['v?: pull', `"v?" is no repository: no name has, after "v", "?", ${NAMES}`],
    ['team-{user}: pull', `"team-{user}": ${WHOLE}`],
    ['{team}/a: pull', `"{team}/a": ${WHOLE}`],
    ['{user: pull', `"{user": ${WHOLE}`],
    ['**/{user}: pull', '"**/{user}" has {user} after **: it has to be at one place, as in */{user}/**'],
    ['a**/{group}: pull', '"a**/{group}" has {group} after **: it has to be at one place, as in */{group}/**'],
    ['{user}/{user}: pull', '"{user}/{user}" has {user} twice'],
    [`${'a'.repeat(256)}: pull`, 'a pattern of 256 characters: repository names have at most 255'],
    [
      7,
      "a rule is a text such as 'team/*: pull' or an object such as { repository: 'team/*', actions: ['pull'] }, not the number 7",
    ],
    [{ repo: 'a', actions: ['pull'] }, 'a rule has no option "repo": did you mean "repository"?'],
    [
      { repository: 'a', actions: ['pull'], users: [] },
      'a rule has no option "users": there are repository, who, actions',
    ],
    [{ repository: 'a' }, "\"actions\" must be a list such as ['pull', 'push'], not undefined"],
    [
      { repository: 'a', actions: 'pull' },
      '"actions" must be a list such as [\'pull\', \'push\'], not the string "pull"',
    ],
    [{ repository: 'a', actions: [] }, "\"actions\" must be a list such as ['pull', 'push'], not an empty one"],
    [{ repository: 'a', actions: ['write'] }, '"write" is no action: there are pull, push, delete and *'],
    [{ repository: 'a', actions: ['pul'] }, '"pul" is no action: did you mean "pull"?'],
    [{ repository: ['a'], actions: ['pull'] }, '"repository" must be a pattern such as \'team/*\', not an array'],
    [{ repository: 'a', actions: ['pull'], who: {} }, '"who" is empty: leave it out for whoever is logged in'],
    [{ repository: 'a', actions: ['pull'], who: { user: ['b'] } }, '"who" has no option "user": did you mean "users"?'],
    [
      { repository: 'a', actions: ['pull'], who: { users: [] } },
      '"users" must be a list of names, [\'alice\'] say, not an empty one',
    ],
    [
      { repository: 'a', actions: ['pull'], who: { groups: 'b' } },
      '"groups" must be a list of names, [\'alice\'] say, not the string "b"',
    ],
    [
      { repository: 'a', actions: ['pull'], who: { anonymous: false } },
      '"anonymous" must be true, or left out, not the boolean false',
    ],
    [
      { repository: 'a', actions: ['pull'], who: { anonymous: true, users: ['b'] } },
      '"anonymous" is everybody, logged in or not: leave out the users and groups beside it',
    ],
    [{ catalog: false }, '"catalog" must be true, not the boolean false'],
    [{ catalog: true, actions: ['*'] }, 'a rule for the catalog has no option "actions": there are catalog, who'],
  ])('refuses %j by its number', (wrong, message) => {
    expect(() => rules(['a: pull', wrong as Rule])).toThrow(new TypeError(`rule 2: ${message}`))
  })

  it.each<[unknown, string]>([
    [[], 'an empty one'],
    ['a: pull', 'the string "a: pull"'],
    [undefined, 'undefined'],
  ])('refuses the list %j', (list, kind) => {
    const message = `rules() takes a list of rules, ['team/{user}/**: pull, push'] say, not ${kind}`
    expect(() => rules(list as readonly string[])).toThrow(new TypeError(message))
  })
})
