import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RegistryError } from '../../src/errors.ts'
import { expectedTag, isNotModified, rangeApplies } from '../../src/http/conditional.ts'
import { type Digest, digestOf } from '../../src/spec/digest.ts'
import { requestOf } from './support.ts'

const MINE = digestOf(Buffer.from('mine'))
const OTHER = digestOf(Buffer.from('other'))

const withHeaders = (headers: Record<string, string | string[]>) => requestOf('GET', '/v2/', { headers })

describe('isNotModified', () => {
  it('looks at If-Match before If-None-Match', () => {
    const both = withHeaders({ 'if-match': `"${OTHER}"`, 'if-none-match': `"${MINE}"` })
    expect(() => isNotModified(both, MINE)).toThrow(RegistryError)
    expect(isNotModified(withHeaders({ 'if-match': `"${MINE}"`, 'if-none-match': `"${MINE}"` }), MINE)).toBe(true)
  })

  it('reads headers that are repeated', () => {
    expect(isNotModified(withHeaders({ 'if-none-match': ['"x"', `"${MINE}"`] }), MINE)).toBe(true)
  })

  it('takes a date for nothing', () => {
    expect(isNotModified(withHeaders({ 'if-modified-since': 'Wed, 21 Oct 2099 07:28:00 GMT' }), MINE)).toBe(false)
  })

  it('is not confused by anything in a header', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(text.trim() !== '*')
        expect(isNotModified(withHeaders({ 'if-none-match': text }), MINE)).toBe(false)
        expect(rangeApplies(withHeaders({ 'if-range': text }), MINE)).toBe(false)
      }),
    )
  })
})

describe('expectedTag', () => {
  const never = () => Promise.reject(new Error('asked what the tag points to'))

  it.each<readonly [Record<string, string>, Digest | 'any' | null | undefined]>([
    [{}, undefined],
    [{ 'if-match': `"${MINE}"` }, MINE],
    [{ 'if-match': MINE }, MINE],
    [{ 'if-match': ' * ' }, 'any'],
    [{ 'if-none-match': '*' }, null],
  ])('needs no look at the tag for %j', async (headers, expected) => {
    expect(await expectedTag(withHeaders(headers), never)).toBe(expected)
  })

  it.each<readonly [Record<string, string>, Digest | undefined, Digest | null | 412]>([
    [{ 'if-match': `"${OTHER}", "${MINE}"` }, MINE, MINE],
    [{ 'if-match': `"${OTHER}", "x"` }, MINE, 412],
    [{ 'if-match': `"${OTHER}", "x"` }, undefined, 412],
    [{ 'if-none-match': `"${OTHER}"` }, MINE, MINE],
    [{ 'if-none-match': `"${OTHER}"` }, OTHER, 412],
    [{ 'if-none-match': `"${OTHER}"` }, undefined, null],
    [{ 'if-match': `"${MINE}"`, 'if-none-match': `"${OTHER}"` }, MINE, MINE],
    [{ 'if-match': `"${MINE}"`, 'if-none-match': `"${MINE}"` }, MINE, 412],
    [{ 'if-match': '*', 'if-none-match': '*' }, MINE, 412],
    [{ 'if-match': '*', 'if-none-match': '*' }, undefined, 412],
    [{ 'if-match': '*', 'if-none-match': `"${OTHER}"` }, MINE, MINE],
  ])('compares %j with %s', async (headers, current, expected) => {
    const result = expectedTag(withHeaders(headers), () => Promise.resolve(current))
    if (expected === 412) await expect(result).rejects.toMatchObject({ code: 'DENIED', status: 412 })
    else expect(await result).toBe(expected)
  })
})
