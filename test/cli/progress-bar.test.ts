import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatBytes, formatSeconds } from '../../src/cli/format-bytes.ts'
import { ProgressBar, progressLine } from '../../src/cli/progress-bar.ts'
import type { CopyTotals } from '../../src/copy/progress.ts'

function totals(moved: number, total: number): CopyTotals {
  const none = { done: 0, total: 0 }
  return { bytes: { moved, total }, blobs: { done: 3, total: 7 }, manifests: none, tags: none }
}

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [9_949, '9.9 kB'],
    [9_950, '10 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [3_200_000_000, '3.2 GB'],
    [5e15, '5000 TB'],
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })
})

describe('formatSeconds', () => {
  it.each([
    [0.4, '0 s'],
    [59.4, '59 s'],
    [125, '2 min 5 s'],
    [12_000, '3 h 20 min'],
  ])('%d is %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text)
  })
})

describe('progressLine', () => {
  it.each([
    [100, '[====================                    ]  50%  500 MB of 1.0 GB  50 MB/s  10 s left  3/7 blobs'],
    [80, '[============           ]  50%  500 MB of 1.0 GB  50 MB/s  10 s left  3/7 blobs'],
    [40, '[=======       ]  50%  500 MB of 1.0 GB'],
    [30, ' 50%  500 MB of 1.0 GB'],
    [10, ' 50%'],
    [3, ''],
  ])('fits %d columns', (columns, text) => {
    const line = progressLine(totals(5e8, 1e9), 10_000, columns)
    expect(line).toBe(text)
    expect(line.length).toBeLessThan(columns)
  })

  it('guesses no rate from the first moments, and is full where nothing has to move', () => {
    expect(progressLine(totals(5e8, 1e9), 1_000, 60)).toBe(
      '[============           ]  50%  500 MB of 1.0 GB  3/7 blobs',
    )
    expect(progressLine(totals(0, 0), 0, 50)).toBe('[===================] 100%  0 B of 0 B  3/7 blobs')
  })

  it('never fills the last column, whatever the numbers', () => {
    const number = fc.nat({ max: 2 ** 40 })
    fc.assert(
      fc.property(number, number, number, fc.integer({ min: 1, max: 300 }), (moved, total, elapsed, columns) => {
        expect(progressLine(totals(moved, total), elapsed, columns).length).toBeLessThan(columns)
      }),
    )
  })
})

describe('ProgressBar', () => {
  it('draws over its line, no more often than an eye can follow, and leaves it empty', () => {
    const written: string[] = []
    let now = 0
    const bar = new ProgressBar({ columns: 10, write: (text) => written.push(text) }, () => now)
    bar.clear()
    bar.draw(totals(1, 4))
    now = 79
    bar.draw(totals(2, 4))
    now = 80
    bar.draw(totals(3, 4))
    bar.clear()
    expect(written).toEqual(['\r\x1b[K 25%', '\r\x1b[K 75%', '\r\x1b[K'])
  })
})
