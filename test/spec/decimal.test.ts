import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDecimal, readDigits } from '../../src/spec/decimal.ts'

describe('parseDecimal', () => {
  it.each([
    ['0', 0],
    ['1', 1],
    ['10', 10],
    ['4194304', 4194304],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('reads %j', (text, value) => {
    expect(parseDecimal(text)).toBe(value)
  })

  it.each([
    '',
    ' ',
    ' 1',
    '1 ',
    '\t1',
    '1\n',
    '-1',
    '-0',
    '+1',
    '00',
    '01',
    '007',
    '1.0',
    '.5',
    '1.',
    '1e3',
    '0x10',
    '0b1',
    '0o7',
    '1_000',
    '1,000',
    '12abc',
    'NaN',
    'Infinity',
    '9007199254740992',
    '9007199254740993',
    '9223372036854775807',
    '18446744073709551616',
    '1'.repeat(400),
    '١٢', // Arabic-Indic digits
    '１', // full-width digit
    '1\u0000',
  ])('refuses %j', (text) => {
    expect(parseDecimal(text)).toBeUndefined()
  })

  it('is the inverse of writing a number', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (n) => parseDecimal(String(n)) === n))
  })

  it('accepts what the grammar accepts, and nothing else', () => {
    const grammar = /^(?:0|[1-9]\d{0,15})$/
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789+-. ex_'), maxLength: 18 }), (text) => {
        const expected = grammar.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined
        expect(parseDecimal(text)).toBe(expected)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('readDigits', () => {
  it('allows leading zeros, and reads only from start to end', () => {
    expect(readDigits('a0042b', 1, 5)).toBe(42)
  })

  it('gives infinity for more than a number can hold exactly', () => {
    expect(readDigits('9007199254740992', 0, 16)).toBe(Number.POSITIVE_INFINITY)
    expect(readDigits('9'.repeat(1000), 0, 1000)).toBe(Number.POSITIVE_INFINITY)
  })

  it('is undefined without a digit', () => {
    expect(readDigits('', 0, 0)).toBeUndefined()
    expect(readDigits('12', 2, 2)).toBeUndefined()
    expect(readDigits('12', 0, 3)).toBeUndefined()
    expect(readDigits('1 2', 0, 3)).toBeUndefined()
  })
})
