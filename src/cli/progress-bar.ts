import type { CopyTotals } from '../copy/progress.ts'
import { formatBytes, formatSeconds } from './format-bytes.ts'

/** Columns of the bar itself. */
const WIDEST = 40
const NARROWEST = 10
/** Before that a rate is a guess. */
const SETTLED_MS = 2_000

/**
 * One line that fits `columns`: the bar, and as much of the numbers beside it as there is room for, the most telling first.
 *
 * @param elapsedMs - since the first byte
 */
export function progressLine({ bytes, blobs }: CopyTotals, elapsedMs: number, columns: number): string {
  const share = bytes.total === 0 ? 1 : Math.min(1, bytes.moved / bytes.total)
  const rate = elapsedMs < SETTLED_MS ? 0 : bytes.moved / (elapsedMs / 1000)
  const parts = [
    `${Math.floor(share * 100)}%`.padStart(4),
    `${formatBytes(bytes.moved)} of ${formatBytes(bytes.total)}`,
    ...(rate > 0 ? [`${formatBytes(rate)}/s`, `${formatSeconds((bytes.total - bytes.moved) / rate)} left`] : []),
    `${blobs.done}/${blobs.total} blobs`,
  ]
  // The last column stays free: a terminal that wraps there would begin a new line each time.
  const room = columns - 1
  let text = ''
  for (const [i, part] of parts.entries()) {
    const next = i === 0 ? part : `${text}  ${part}`
    // The first two tell more than the bar, the others less.
    if (next.length > (i < 2 ? room : room - NARROWEST - 3)) break
    text = next
  }
  const width = Math.min(WIDEST, room - text.length - 3)
  if (width < NARROWEST) return text
  const done = Math.round(width * share)
  return `[${'='.repeat(done)}${' '.repeat(width - done)}] ${text}`
}

export interface Terminal {
  readonly columns?: number
  write(text: string): unknown
}

/** Draws over one line of a terminal, as often as an eye can follow. */
export class ProgressBar {
  readonly #terminal: Terminal
  readonly #now: () => number
  #startedAt: number | undefined
  #drawnAt = Number.NEGATIVE_INFINITY

  constructor(terminal: Terminal, now: () => number = () => performance.now()) {
    this.#terminal = terminal
    this.#now = now
  }

  draw(totals: CopyTotals): void {
    const now = this.#now()
    this.#startedAt ??= now
    if (now - this.#drawnAt < 80) return
    this.#drawnAt = now
    this.#terminal.write(`\r\x1b[K${progressLine(totals, now - this.#startedAt, this.#terminal.columns ?? 80)}`)
  }

  /** Leaves the line empty, for whatever is written next. */
  clear(): void {
    if (this.#startedAt !== undefined) this.#terminal.write('\r\x1b[K')
    this.#drawnAt = Number.NEGATIVE_INFINITY
  }
}
