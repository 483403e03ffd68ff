import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matcher } from '../../src/decorators/pattern.ts'

describe('matcher', () => {
  it.each([
    ['latest', 'latest', true],
    ['latest', 'latest2', false],
    ['latest', 'xlatest', false],
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*', 'v1.0', true],
    ['*', 'a/b', false],
    ['**', '', true],
    ['**', 'a/b/c', true],
    ['v*', 'v', true],
    ['v*', 'v1.2.3', true],
    ['v*', 'xv1', false],
    ['*-rc', '1.0-rc', true],
    ['*-rc', '1.0-rc1', false],
    ['v*.*.*', 'v1.2.3', true],
    ['v*.*.*', 'v1.2', false],
    ['team/*', 'team/app', true],
    ['team/*', 'team/a/b', false],
    ['team/*', 'team', false],
    ['team/*', 'team-x/app', false],
    ['team/**', 'team/a/b', true],
    ['team/**', 'team', false],
    ['team/**', 'steam/a', false],
    ['**/app', 'a/b/app', true],
    ['**/app', 'app', false],
    ['team/**/app', 'team/a/b/app', true],
    ['a*b*c', 'aXbXc', true],
    ['a*b*c', 'abbc', true],
    ['a*b*c', 'acb', false],
    ['****', 'a/b', true],
    ['a.c', 'abc', false],
    ['a+', 'aa', false],
    ['(a|b)', 'a', false],
    ['[ab]', 'a', false],
    ['a?', 'ab', false],
    ['\\*', '*', false],
    ['V*', 'v1', false],
    ['é*', 'été', true],
    ['*😀', 'x😀', true],
    ['a\n*', 'a\nb', true],
  ])('%j matches %j: %s', (glob, text, expected) => {
    expect(matcher(glob)(text)).toBe(expected)
  })

  it('matches any of several patterns, and nothing of none', () => {
    expect(['a', 'b', 'c'].filter(matcher(['a', 'b']))).toEqual(['a', 'b'])
    expect(matcher([])('')).toBe(false)
  })

  it('is the function it is given', () => {
    const isLong = (text: string) => text.length > 3
    expect(matcher(isLong)).toBe(isLong)
  })

  it('agrees with a regular expression', () => {
    const glob = fc.array(fc.constantFrom('a', 'b', '/', '*', '**'), { maxLength: 6 }).map((steps) => steps.join(''))
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 })
    fc.assert(
      fc.property(glob, text, (pattern, input) => {
        const source = pattern.replace(/\*+/g, (stars) => (stars.length > 1 ? '.*' : '[^/]*'))
        expect(matcher(pattern)(input)).toBe(new RegExp(`^${source}$`).test(input))
      }),
      { numRuns: 5000 },
    )
  })

  it('is not slowed down by stars', () => {
    expect(matcher(`${'*a'.repeat(50)}b`)('a'.repeat(255))).toBe(false)
  })
})
