import { RegistryError } from '../../errors.ts'
import type { Digest } from '../../spec/digest.ts'
import { BackOff } from './back-off.ts'
import { RecentMap } from './recent-map.ts'
import type { Claim } from './router.ts'
import type { ContentType, Statistics } from './stats.ts'
import { isAbsent, translateUpstreamError } from './upstream-errors.ts'

/** How many "not found" are remembered. */
const MAX_ABSENT = 10_000

/** What an upstream is asked about. */
export interface Subject {
  readonly content: ContentType
  /** A digest, a tag, or something that is neither: a listing. */
  readonly reference: Digest | string
}

interface Settings {
  readonly now: () => number
  readonly statistics: Statistics
  /** How long "not found" is believed, in milliseconds. */
  readonly negativeTtlMs: number
}

/** Every question to an upstream goes through here: one that asked us to wait is not asked, what is not there is not asked for again. */
export class UpstreamCalls {
  readonly #backOff: BackOff
  readonly #absentUntil = new RecentMap<number>(MAX_ABSENT)
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
    this.#backOff = new BackOff(settings.now)
  }

  /**
   * @param signal - of whoever asks; when it aborts, the reason is thrown as it is, and nothing is concluded of the upstream
   * @throws {@link RegistryError} as our client may see it; {@link isAbsent} and {@link isOutage} still tell what kind it is
   */
  async ask<T>(
    claim: Claim,
    subject: Subject,
    signal: AbortSignal | undefined,
    question: () => Promise<T>,
  ): Promise<T> {
    this.#check(claim, subject)
    try {
      return await question()
    } catch (error) {
      signal?.throwIfAborted()
      throw this.#failure(claim, subject, error)
    }
  }

  /** The same for a listing; {@link Subject.reference} then says which. */
  async *list<T>(
    claim: Claim,
    subject: Subject,
    signal: AbortSignal | undefined,
    question: () => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    this.#check(claim, subject)
    try {
      yield* question()
    } catch (error) {
      signal?.throwIfAborted()
      throw this.#failure(claim, subject, error)
    }
  }

  #check(claim: Claim, subject: Subject): void {
    const until = this.#absentUntil.get(keyOf(claim, subject))
    if (until !== undefined && this.#settings.now() < until) {
      const { code, detail } = absentAs(claim, subject)
      throw new RegistryError(code, { detail })
    }
    this.#backOff.check(claim.upstream.name)
  }

  /** What to tell of an error of the upstream; remembers what follows from it. */
  #failure(claim: Claim, subject: Subject, error: unknown): RegistryError {
    const { now, negativeTtlMs } = this.#settings
    const upstream = claim.upstream.name
    if (isAbsent(error)) this.#absentUntil.set(keyOf(claim, subject), now() + negativeTtlMs)
    const translated = translateUpstreamError(error, upstream, absentAs(claim, subject))
    const waitMs = this.#backOff.note(upstream, translated)
    if (waitMs !== undefined) this.#settings.statistics.tell({ type: 'backed-off', upstream, waitMs })
    return translated
  }
}

function keyOf({ localName }: Claim, { content, reference }: Subject): string {
  return `${content} ${localName} ${reference}`
}

function absentAs({ localName }: Claim, { content, reference }: Subject) {
  return {
    code: content === 'blob' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN',
    detail: { name: localName, reference },
  } as const
}
