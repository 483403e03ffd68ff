import { RecentMap } from './recent-map.ts'

/** How many tags are remembered; one that is forgotten is looked up again. */
const MAX_TAGS = 50_000

/** After a look that failed, how long a tag is served as it is before the next, in milliseconds; or its time to live, if that is shorter. */
const RETRY_MS = 5_000

interface TagState {
  /** When the upstream last told where it points; else when it was first seen here. */
  readonly confirmedAt: number
  /** Until when it is not looked up. */
  readonly freshUntil: number
}

/** When tags were last looked up at their upstream. */
export class TagFreshness {
  readonly #tags = new RecentMap<TagState>(MAX_TAGS)
  readonly #now: () => number
  readonly #ttlMs: number

  constructor(now: () => number, ttlMs: number) {
    this.#now = now
    this.#ttlMs = ttlMs
  }

  isFresh(key: string): boolean {
    const state = this.#tags.get(key)
    return state !== undefined && this.#now() < state.freshUntil
  }

  /** The upstream has just told. */
  confirm(key: string): void {
    this.#tags.set(key, { confirmedAt: this.#now(), freshUntil: this.#now() + this.#ttlMs })
  }

  /** The upstream could not tell: let it rest. */
  postpone(key: string): void {
    this.#tags.set(key, {
      confirmedAt: this.#confirmedAt(key),
      freshUntil: this.#now() + Math.min(RETRY_MS, this.#ttlMs),
    })
  }

  forget(key: string): void {
    this.#tags.delete(key)
  }

  /** Milliseconds since the upstream last told; for a tag of an earlier run, since it was first asked for in this one. */
  age(key: string): number {
    return this.#now() - this.#confirmedAt(key)
  }

  #confirmedAt(key: string): number {
    return this.#tags.get(key)?.confirmedAt ?? this.#now()
  }
}
