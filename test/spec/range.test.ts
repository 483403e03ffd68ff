import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatChunkRange,
  formatContentRange,
  formatRange,
  formatUploadRange,
  MAX_RANGES,
  parseContentRange,
  parseRange,
  type Range,
} from '../../src/spec/range.ts'

type Outcome = readonly (readonly [start: number, end: number])[] | 'unsatisfiable' | undefined

/** Against 100 bytes. */
const RANGES: readonly (readonly [header: string, outcome: Outcome])[] = [
  ['bytes=0-0', [[0, 1]]],
  ['bytes=0-99', [[0, 100]]],
  ['bytes=0-', [[0, 100]]],
  ['bytes=99-', [[99, 100]]],
  ['bytes=10-19', [[10, 20]]],
  ['bytes=0-100', [[0, 100]]],
  ['bytes=50-5000', [[50, 100]]],
  ['bytes=00-009', [[0, 10]]],
  ['bytes=0-9007199254740991', [[0, 100]]],
  ['bytes=0-9223372036854775808', [[0, 100]]],
  ['bytes=0-99999999999999999999999999', [[0, 100]]],
  ['bytes=-1', [[99, 100]]],
  ['bytes=-100', [[0, 100]]],
  ['bytes=-101', [[0, 100]]],
  ['bytes=-99999999999999999999999999', [[0, 100]]],
  ['BYTES=0-0', [[0, 1]]],
  ['Bytes=0-0', [[0, 1]]],
  ['bytes= 0-0', [[0, 1]]],
  ['bytes=0-0 ', [[0, 1]]],
  ['bytes=\t0-0', [[0, 1]]],
  [
    'bytes=0-0,99-99',
    [
      [0, 1],
      [99, 100],
    ],
  ],
  [
    'bytes=90-,0-9',
    [
      [90, 100],
      [0, 10],
    ],
  ],
  [
    'bytes=0-9 , 20-29\t,\t-10',
    [
      [0, 10],
      [20, 30],
      [90, 100],
    ],
  ],
  [
    'bytes=,0-0,,1-1,',
    [
      [0, 1],
      [1, 2],
    ],
  ],
  ['bytes=0-0,500-', [[0, 1]]],
  ['bytes=500-600,0-0', [[0, 1]]],
  ['bytes=-0,0-0', [[0, 1]]],
  ['bytes=9-0,0-0', [[0, 1]]],
  [
    'bytes=0-0,0-0',
    [
      [0, 1],
      [0, 1],
    ],
  ],
  [
    'bytes=0-49,50-99',
    [
      [0, 50],
      [50, 100],
    ],
  ],

  ['bytes=100-', 'unsatisfiable'],
  ['bytes=100-200', 'unsatisfiable'],
  ['bytes=5000-10000', 'unsatisfiable'],
  ['bytes=9223372036854775808-', 'unsatisfiable'],
  ['bytes=99999999999999999999-99999999999999999999', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=500-0', 'unsatisfiable'],
  ['bytes=9-8', 'unsatisfiable'],
  ['bytes=100-,200-', 'unsatisfiable'],

  // More bytes than there are: an attack, or a client that does not know what it wants.
  ['bytes=0-,0-', undefined],
  ['bytes=0-99,-1', undefined],
  ['bytes=0-50,50-99', undefined],

  ['', undefined],
  ['bytes', undefined],
  ['bytes=', undefined],
  ['bytes=,', undefined],
  ['bytes=-', undefined],
  ['bytes=--1', undefined],
  ['bytes=1--1', undefined],
  ['bytes=1-2-3', undefined],
  ['bytes=0', undefined],
  ['bytes=a-b', undefined],
  ['bytes=0-x', undefined],
  ['bytes=x-0', undefined],
  ['bytes=0x0-0x9', undefined],
  ['bytes=0-1e1', undefined],
  ['bytes=1.0-2', undefined],
  ['bytes=+0-1', undefined],
  ['bytes=0 - 9', undefined],
  ['bytes=0- 9', undefined],
  ['bytes=0-9;1-2', undefined],
  ['bytes=0-0,x', undefined],
  ['bytes=x,0-0', undefined],
  ['bytes=0-0,-', undefined],
  ['bytes:0-9', undefined],
  ['bytes 0-9', undefined],
  ['bytes 0-9/100', undefined],
  ['items=0-9', undefined],
  ['byte=0-9', undefined],
  ['=0-9', undefined],
  ['0-9', undefined],
  ['bytes=０-９', undefined],
  ['bytes=0-\u00a09', undefined],
]

describe('parseRange', () => {
  it.each(RANGES)('reads %j of 100 bytes', (header, outcome) => {
    const expected = typeof outcome === 'object' ? outcome.map(([start, end]) => ({ start, end })) : outcome
    expect(parseRange(header, 100)).toEqual(expected)
  })

  it.each([
    ['bytes=0-', 'unsatisfiable'],
    ['bytes=0-0', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    // The last five bytes of nothing are nothing, which is satisfiable but has no Content-Range: the whole is as good.
    ['bytes=-5', undefined],
    ['bytes=0-0,-5', undefined],
  ] as const)('reads %j of no bytes', (header, outcome) => {
    expect(parseRange(header, 0)).toBe(outcome)
  })

  it(`takes ${MAX_RANGES} ranges and ignores the header with one more`, () => {
    const ranges = Array.from({ length: MAX_RANGES }, (_, i) => ({ start: i, end: i + 1 }))
    expect(parseRange(formatRange(ranges), 1000)).toEqual(ranges)
    expect(parseRange(formatRange([...ranges, { start: 999, end: 1000 }]), 1000)).toBeUndefined()
  })

  it.each([
    ['0-0 a thousand times', `bytes=${Array(1000).fill('0-0').join(',')}`, undefined],
    ['commas', `bytes=${','.repeat(16_000)}`, undefined],
    ['digits', `bytes=${'9'.repeat(16_000)}-`, 'unsatisfiable'],
    ['dashes', `bytes=${'-'.repeat(16_000)}`, undefined],
    ['spaces', `bytes=${' '.repeat(16_000)}`, undefined],
    ['units', `${'bytes='.repeat(2_000)}`, undefined],
  ] as const)('is quick with %s', (_, header, outcome) => {
    expect(parseRange(header, 1_000_000)).toBe(outcome)
  })

  it('is the inverse of formatRange for ranges that fit', () => {
    fc.assert(
      fc.property(disjointRanges(), ({ ranges, size }) => {
        expect(parseRange(formatRange(ranges), size)).toEqual(ranges)
      }),
    )
  })

  it('slices like an array would, for one range of any form', () => {
    const bytes = Array.from({ length: 20 }, (_, i) => i)
    fc.assert(
      fc.property(fc.option(fc.nat(30)), fc.option(fc.nat(30)), (first, last) => {
        fc.pre(first !== null || last !== null)
        const parsed = parseRange(`bytes=${first ?? ''}-${last ?? ''}`, bytes.length)
        const model = first === null ? bytes.slice(-(last ?? 0) || bytes.length) : bytes.slice(first, (last ?? 99) + 1)
        if (model.length === 0) expect(parsed).toBe('unsatisfiable')
        else expect((parsed as Range[]).flatMap(({ start, end }) => bytes.slice(start, end))).toEqual(model)
      }),
      { numRuns: 2000 },
    )
  })

  it('gives ranges within the size, in any case', () => {
    const header = fc.string({ unit: fc.constantFrom(...'0123456789-, =bytes'), maxLength: 40 })
    fc.assert(
      fc.property(header, fc.nat(1000), (tail, size) => {
        const parsed = parseRange(`bytes=${tail}`, size)
        if (typeof parsed !== 'object') return
        expect(parsed.length).toBeGreaterThan(0)
        for (const { start, end } of parsed) expect(0 <= start && start < end && end <= size).toBe(true)
      }),
      { numRuns: 10_000 },
    )
  })
})

describe('parseContentRange', () => {
  it.each([
    ['0-0', 0, 1],
    ['0-99', 0, 100],
    ['100-199', 100, 200],
    ['00-07', 0, 8],
    [' 0-99 ', 0, 100],
    ['bytes 0-99/*', 0, 100],
    ['bytes 0-99/100', 0, 100],
    ['bytes 0-99/1000', 0, 100],
    ['Bytes 5-5/6', 5, 6],
    ['0-9007199254740989', 0, 9007199254740990],
    ['bytes 0-0/99999999999999999999', 0, 1],
  ])('reads %j', (header, start, end) => {
    expect(parseContentRange(header)).toEqual({ start, end })
  })

  it.each([
    '',
    '-',
    '0',
    '0-',
    '-0',
    '-1',
    '9-0',
    '1-0',
    '0--1',
    '0-1-2',
    '0 - 9',
    '0-9/*',
    '0-9/10',
    'a-b',
    '0x0-0x9',
    '1e0-1e1',
    'bytes',
    'bytes 0-9',
    'bytes=0-9',
    'bytes=0-9/10',
    'bytes */100',
    'bytes 0-99/',
    'bytes 0-99/99',
    'bytes 0-99/0',
    'bytes 0-99/x',
    'bytes 0-99/*/*',
    'bytes  0-9/*',
    'items 0-9/*',
    '0-9007199254740991',
    '0-9007199254740992',
    '9223372036854775807-9223372036854775808',
    '0-9,10-19',
    '0-9\r\nx: y',
    '9'.repeat(10_000),
  ])('refuses %j', (header) => {
    expect(parseContentRange(header)).toBeUndefined()
  })

  it('is the inverse of both ways to write a range', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (start, length) => {
        const range = { start, end: start + length + 1 }
        expect(parseContentRange(formatChunkRange(range))).toEqual(range)
        expect(parseContentRange(formatContentRange(range, range.end + 7))).toEqual(range)
      }),
    )
  })
})

describe('formatContentRange', () => {
  it('is inclusive on the wire', () => {
    expect(formatContentRange({ start: 0, end: 100 }, 200)).toBe('bytes 0-99/200')
  })

  it('has an asterisk where no range could be satisfied', () => {
    expect(formatContentRange(undefined, 200)).toBe('bytes */200')
  })
})

describe('formatUploadRange', () => {
  it.each([
    [0, '0-0'],
    [1, '0-0'],
    [100, '0-99'],
  ])('tells %d bytes as %s', (offset, header) => {
    expect(formatUploadRange(offset)).toBe(header)
  })
})

function disjointRanges(): fc.Arbitrary<{ readonly ranges: readonly Range[]; readonly size: number }> {
  return fc
    .array(fc.tuple(fc.nat(50), fc.integer({ min: 1, max: 50 })), { minLength: 1, maxLength: MAX_RANGES })
    .chain((gaps) => {
      let at = 0
      const ranges = gaps.map(([gap, length]) => {
        const start = at + gap
        at = start + length
        return { start, end: at }
      })
      return fc.record({ ranges: fc.shuffledSubarray(ranges, { minLength: 1 }), size: fc.nat(100).map((n) => at + n) })
    })
}
