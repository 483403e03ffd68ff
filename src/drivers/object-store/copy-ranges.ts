import type { Source } from './object-store.ts'

/** What one call copies: half-open, within one source. */
export interface CopyRange {
  readonly key: string
  readonly start: number
  readonly end: number
  readonly isWhole: boolean
}

const MIB = 1024 * 1024
/** As with Distribution: large enough to be few, small enough to go in parallel. */
const RANGE_BYTES = 32 * MIB
/** S3 takes 10,000 parts of one object; sources bring some of their own that are short. */
const MAX_RANGES = 8_000

/** Cuts sources into ranges of about one size. None is shorter than half of that, but for what a short source leaves no choice. */
export function copyRanges(sources: readonly Source[], maxRanges: number = MAX_RANGES): readonly CopyRange[] {
  const total = sources.reduce((sum, { size }) => sum + size, 0)
  const most = Math.max(RANGE_BYTES, Math.ceil(total / maxRanges))
  return sources.flatMap(({ key, size }) => {
    const count = Math.max(1, Math.ceil(size / most))
    return Array.from({ length: count }, (_, index) => ({
      key,
      start: Math.floor((size * index) / count),
      end: Math.floor((size * (index + 1)) / count),
      isWhole: count === 1,
    }))
  })
}
