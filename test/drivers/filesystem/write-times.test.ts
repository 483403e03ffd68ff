import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { nodeFileOps } from '../../../src/drivers/filesystem/file-ops.ts'
import { WriteTimes } from '../../../src/drivers/filesystem/write-times.ts'
import { filesystem } from '../../../src/drivers/filesystem.ts'

const NOW = 1_790_000_000_000

afterEach(() => {
  vi.restoreAllMocks()
})

/** As the coarsest of file systems and system calls keep them. */
function microseconds(seconds: number): number {
  return Math.trunc(seconds * 1_000_000)
}

describe('WriteTimes', () => {
  it.each([
    ['stand still', () => [NOW, NOW] as const],
    ['go on', (turn: number) => [NOW + Math.floor(turn / 100), NOW + turn / 100] as const],
    ['were set apart', (turn: number) => [NOW, turn] as const],
    ['go back by a little', (turn: number) => [NOW - turn, NOW - turn] as const],
  ])('gives no date twice while the clocks %s', (_, clocks) => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const times = new WriteTimes()
    const given = Array.from({ length: 500 }, (_each, turn) => times.next(...clocks(turn)))
    expect(new Set(given.map(microseconds)).size).toBe(500)
    for (const one of given) expect(Math.abs(one * 1000 - NOW)).toBeLessThan(10)
  })

  it('follows a clock that was set back by hours', () => {
    const times = new WriteTimes()
    times.next(NOW, NOW)
    expect(times.next(NOW - 3_600_000, NOW + 1) * 1000 - (NOW - 3_600_000)).toBeLessThan(2)
  })

  it('tells two processes apart that write one after the other', () => {
    const [one, other] = [new WriteTimes(), new WriteTimes()]
    const turns = Array.from({ length: 100 }, (_, turn) => (turn % 2 === 0 ? one : other).next(NOW, NOW + turn / 100))
    expect(new Set(turns.map(microseconds)).size).toBe(100)
  })
})

describe('FilesystemDriver.put', () => {
  it('gives each file a date of its own, though the clock stands still', async () => {
    vi.spyOn(Date, 'now').mockReturnValue(NOW)
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const directory = await mkdtemp(join(tmpdir(), 'wharfage-'))
    const dates: number[] = []
    const futimes = (fd: number, atime: number, mtime: number) => {
      dates.push(microseconds(mtime))
      return nodeFileOps.futimes(fd, atime, mtime)
    }
    try {
      const driver = filesystem(directory, { durability: 'none', fs: { ...nodeFileOps, futimes } })
      for (let turn = 0; turn < 50; turn++) await driver.put('k', Uint8Array.of(turn))
      expect([dates.length, new Set(dates).size]).toEqual([50, 50])
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
