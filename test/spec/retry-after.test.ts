import { describe, expect, it } from 'vitest'
import { readRetryAfter } from '../../src/spec/retry-after.ts'

describe('readRetryAfter', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  it.each([
    [undefined, undefined],
    ['0', 0],
    ['120', 120_000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', undefined],
    ['-1', undefined],
    ['2026-01-02', undefined],
  ])('reads %j as %j', (header, ms) => {
    expect(readRetryAfter(header, now)).toBe(ms)
  })
})
