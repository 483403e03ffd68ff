/** Beyond what a `number` of seconds, and the system calls under it, can tell apart: they have about 0.25 and 1 microseconds. */
const STEP_MS = 0.002

/** Date and monotonic clock of a process that go apart by more than this were set apart: a date has whole milliseconds. */
const APART_MS = 2

/** A clock that was set back by more is followed rather than waited for. */
const SET_BACK_MS = 1_000

/**
 * Dates to give to files, which tell two writes apart where the system's own stand still for some milliseconds, in which an inode may be
 * freed and used again: two contents of one size would have the same version. No two of one clock are the same. Those of several
 * processes of a machine are as exact as the order in which they use an inode, which takes it longer to be freed and given out.
 */
export class WriteTimes {
  #last = 0

  /** Seconds since 1970. */
  next(dateMs: number = Date.now(), exactMs: number = performance.timeOrigin + performance.now()): number {
    const timeMs = Math.abs(exactMs - dateMs) < APART_MS ? exactMs : dateMs + Math.random()
    const isSetBack = timeMs < this.#last - SET_BACK_MS
    this.#last = isSetBack ? timeMs : Math.max(timeMs, this.#last + STEP_MS)
    return this.#last / 1000
  }
}
