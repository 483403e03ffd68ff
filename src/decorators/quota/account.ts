export interface AccountOptions {
  /** Who holds what is counted, for messages: `the repository team/app`. */
  readonly holder: string
  /** Reads all of it from the storage, in bytes. */
  readonly count: () => Promise<number>
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number
}

/** A count that was told to be too large is taken again only when it is as old as this, unless something has changed. */
const MIN_RECOUNT_MS = 5_000

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
  /** Whether less may be stored than we think: something was there already, or was deleted. */
  #isEstimate = false
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

  get isIdle(): boolean {
    return this.#reserved === 0
  }

  fits(bytes: number, maxBytes: number): boolean {
    return this.used + bytes <= maxBytes
  }

  /** @throws what counting met with: then nobody can tell what fits */
  async countIfOlderThan(ms: number): Promise<void> {
    if (this.#now() - this.#countedAt >= ms) await this.#recount()
  }

  /** Counts again where that may find more room. @throws what counting met with */
  async countBeforeRefusal(): Promise<void> {
    // One that is running may have passed by what was deleted since.
    await this.#counting?.catch(() => {})
    if (this.#isEstimate) await this.#recount()
    else await this.countIfOlderThan(MIN_RECOUNT_MS)
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
    this.#isEstimate = true
  }

  /** Something was deleted: who is short of room counts again. */
  lessIsStored(): void {
    this.#isEstimate = true
  }

  #recount(): Promise<void> {
    this.#counting ??= this.#read().finally(() => {
      this.#counting = undefined
    })
    return this.#counting
  }

  async #read(): Promise<void> {
    const begun = this.#now()
    const before = this.#added
    this.#isEstimate = false
    try {
      const stored = await this.#count()
      this.#stored = stored + (this.#added - before)
      this.#countedAt = begun
    } catch (error) {
      this.#isEstimate = true
      throw error
    }
  }
}
