import { describe, expect, it } from 'vitest'
import {
  assembledPartBytes,
  checkPartBytes,
  PART_BYTES,
  stagedPartBytes,
} from '../../../src/drivers/object-store/part-sizes.ts'

const MIB = 1024 * 1024
const TIB = 1024 * 1024 * MIB

describe('the size of a part', () => {
  it('doubles once, where parts are objects of their own', () => {
    expect([0, 63, 64, 100_000].map((before) => stagedPartBytes(before, PART_BYTES))).toEqual([
      8 * MIB,
      8 * MIB,
      16 * MIB,
      16 * MIB,
    ])
  })

  it('grows, where they are assembled in place, so that 10,000 hold 5 TiB and three fit in memory', () => {
    let total = 0
    let largest = 0
    for (let before = 0; before < 10_000; before++) {
      const bytes = assembledPartBytes(before, PART_BYTES)
      total += bytes
      largest = Math.max(largest, bytes)
    }
    expect(total).toBeGreaterThan(5 * TIB)
    expect(largest).toBe(1024 * MIB)
  })

  it.each([undefined, 5 * MIB, PART_BYTES, 512 * MIB])('may be %s', (bytes) => {
    expect(checkPartBytes(bytes)).toBeUndefined()
  })

  it.each([5 * MIB - 1, 512 * MIB + 1, 0, -1, 6_000_000.5, Number.NaN])('may not be %s', (bytes) => {
    expect(() => checkPartBytes(bytes)).toThrow(/must be a whole number from 5242880 to 536870912/)
  })
})
