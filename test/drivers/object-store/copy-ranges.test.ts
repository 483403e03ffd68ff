import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { copyRanges } from '../../../src/drivers/object-store/copy-ranges.ts'

const MIB = 1024 * 1024
const S3_PART = { least: 5 * MIB, most: 5 * 1024 * MIB, count: 10_000 }

const sourcesArbitrary = fc
  .array(fc.integer({ min: S3_PART.least, max: 6 * 1024 * MIB }), { minLength: 1, maxLength: 900 })
  .map((sizes) => sizes.map((size, index) => ({ key: `part-${index}`, size })))

describe('copyRanges', () => {
  it('takes a source that is small enough whole', () => {
    expect(copyRanges([{ key: 'a', size: 32 * MIB }])).toEqual([{ key: 'a', start: 0, end: 32 * MIB, isWhole: true }])
  })

  it('cuts a larger one evenly', () => {
    expect(copyRanges([{ key: 'a', size: 32 * MIB + 1 }])).toEqual([
      { key: 'a', start: 0, end: 16 * MIB, isWhole: false },
      { key: 'a', start: 16 * MIB, end: 32 * MIB + 1, isWhole: false },
    ])
  })

  it('covers every byte of every source once and in order, in parts that S3 takes', () => {
    fc.assert(
      fc.property(sourcesArbitrary, (sources) => {
        const ranges = copyRanges(sources)
        expect(ranges.length).toBeLessThanOrEqual(S3_PART.count)
        for (const { key, size } of sources) {
          const own = ranges.filter((range) => range.key === key)
          expect([own[0]?.start, own.at(-1)?.end]).toEqual([0, size])
          expect(own.slice(1).map(({ start }) => start)).toEqual(own.slice(0, -1).map(({ end }) => end))
          for (const { start, end } of own) {
            expect(end - start).toBeGreaterThanOrEqual(S3_PART.least)
            expect(end - start).toBeLessThanOrEqual(S3_PART.most)
          }
        }
      }),
      { numRuns: 20 },
    )
  })

  it('needs no more parts for 5 TiB than S3 takes', () => {
    const sources = Array.from({ length: 320 }, (_, index) => ({ key: `part-${index}`, size: 16 * 1024 * MIB }))
    expect(copyRanges(sources).length).toBeLessThanOrEqual(S3_PART.count)
  })
})
