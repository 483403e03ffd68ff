import { RegistryError } from '../../errors.ts'

/** However long an upstream asks us to wait, in milliseconds: more than a day is a mistake. */
const MAX_WAIT_MS = 24 * 60 * 60 * 1000

/** Seconds so many that they are a date: Docker Hub sends them. */
const EPOCH_SECONDS = 1_000_000_000

/** Which upstreams asked to be left alone (`Retry-After`), and until when. */
export class BackOff {
  readonly #until = new Map<string, { readonly time: number; readonly error: RegistryError }>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** @throws {@link RegistryError} the upstream's last refusal, with what is left of the wait, while it lasts */
  check(upstream: string): void {
    const wait = this.#until.get(upstream)
    if (wait === undefined) return
    const leftMs = wait.time - this.#now()
    if (leftMs <= 0) {
      this.#until.delete(upstream)
      return
    }
    const { code, message } = wait.error
    const headers = { 'retry-after': String(Math.ceil(leftMs / 1000)) }
    throw new RegistryError(code, { message, headers, cause: wait.error })
  }

  /** Looks at what an upstream failed with; returns the wait that it asks for, in milliseconds. */
  note(upstream: string, error: RegistryError): number | undefined {
    const header = error.headers['retry-after']
    if (header === undefined || (error.code !== 'TOOMANYREQUESTS' && error.status < 500)) return undefined
    const waitMs = Math.min(parseRetryAfter(header, this.#now()), MAX_WAIT_MS)
    if (!(waitMs > 0)) return undefined
    this.#until.set(upstream, { time: this.#now() + waitMs, error })
    return waitMs
  }
}

/** Seconds, or a date that begins with a day of the week, as RFC 9110 has it. Milliseconds from `now`; `NaN` for neither. */
function parseRetryAfter(text: string, now: number): number {
  if (/^[A-Z][a-z]{2,8}[, ]/.test(text)) return Date.parse(text) - now
  if (!/^\d{1,12}$/.test(text)) return Number.NaN
  const seconds = Number(text)
  return seconds > EPOCH_SECONDS ? seconds * 1000 - now : seconds * 1000
}
