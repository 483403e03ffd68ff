export interface AccountOptions {
  /** Who holds what is counted, for messages: `the repository team/app`. */
  readonly holder: string
  /** Reads all of it from the storage, in bytes. */
  readonly count: () => Promise<number>
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number
}

/** A count may find less than before when it is as old as this, as other processes delete things, too. */
const MIN_RECOUNT_MS = 5_000

/** Counts before a refusal: what is pushed while one runs may be in it twice. */
const MAX_COUNTS = 3

/**
 * What a repository, or all below a prefix, holds: counted in the storage, added to as things are pushed, and counted anew before something
 * is refused for it. So it may be too high between two counts, never too low for what this process does.
 */
export class Account {
  readonly holder: string
  readonly #count: () => Promise<number>
  readonly #now: () => number
  #stored = 0
  #reserved = 0
  #countedAt = Number.NEGATIVE_INFINITY
  /** How much less than we think may be stored: it was there already, or was deleted, of which nobody says how much it was. */
  #doubtful = 0
  /** All that was ever added, so that a count knows what has come while it ran. */
  #added = 0
  #counting: Promise<void> | undefined

  constructor({ holder, count, now }: AccountOptions) {
    this.holder = holder
    this.#count = count
    this.#now = now
  }

  /** Bytes, with those that are on their way. */
  get used(): number {
    return this.#stored + this.#reserved
  }

  /** Whether nobody would miss it. */
  get isIdle(): boolean {
    return this.#reserved === 0 && this.#counting === undefined
  }

  fits(bytes: number, maxBytes: number): boolean {
    return this.used + bytes <= maxBytes
  }

  /**
   * Counts what was not counted for so long: while nobody waits, unless it was not for twice as long.
   *
   * @throws what counting met with: then nobody can tell what fits
   */
  async countIfOlderThan(ms: number): Promise<void> {
    const age = this.#now() - this.#countedAt
    if (age >= 2 * ms) await this.#recount()
    // Whoever needs to know is told by the next one.
    else if (age >= ms) this.#recount().catch(() => {})
  }

  /**
   * Counts again where so many bytes do not fit, and a count may find that they do.
   *
   * @throws what counting met with
   */
  async findRoom(bytes: () => number, maxBytes: number): Promise<void> {
    for (let counts = 0; counts < MAX_COUNTS && !this.fits(bytes(), maxBytes); counts++) {
      // One that is running may have passed by what was deleted since.
      await this.#counting?.catch(() => {})
      if (this.fits(bytes(), maxBytes) || !this.#mayFit(bytes(), maxBytes)) return
      await this.#recount()
    }
  }

  reserve(bytes: number): void {
    this.#reserved += bytes
  }

  release(bytes: number): void {
    this.#reserved -= bytes
  }

  /** These are stored now, and may have been before. */
  add(bytes: number): void {
    this.#stored += bytes
    this.#added += bytes
    this.#doubtful += bytes
  }

  /** Something was deleted: who is short of room counts again. */
  lessIsStored(): void {
    this.#doubtful = Number.POSITIVE_INFINITY
  }

  #mayFit(bytes: number, maxBytes: number): boolean {
    const isOld = this.#now() - this.#countedAt >= MIN_RECOUNT_MS
    const least = isOld ? 0 : Math.max(0, this.#stored - this.#doubtful)
    return least + this.#reserved + bytes <= maxBytes
  }

  #recount(): Promise<void> {
    this.#counting ??= this.#read().finally(() => {
      this.#counting = undefined
    })
    return this.#counting
  }

  async #read(): Promise<void> {
    const { before, doubtful } = { before: this.#added, doubtful: this.#doubtful }
    this.#doubtful = 0
    try {
      const stored = await this.#count()
      this.#stored = stored + (this.#added - before)
      this.#countedAt = this.#now()
    } catch (error) {
      this.#doubtful += doubtful
      throw error
    }
  }
}
