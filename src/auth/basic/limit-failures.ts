import { createHmac, randomBytes } from 'node:crypto'
import { checkOptions, kindOf } from '../../arguments.ts'
import { networkOf } from '../../client-network.ts'
import { RegistryError } from '../../errors.ts'
import type { CheckCredentials } from '../identity.ts'
import { FailureWindows } from './failure-windows.ts'
import { PendingGuesses } from './pending-guesses.ts'

export interface FailureLimits {
  /** Wrong passwords for one name from one address, before that address has to wait. Default: 10. */
  readonly perUser?: number
  /** Wrong names and passwords from one address; of IPv6, from one /64. Default: 100. */
  readonly perAddress?: number
  /** Within this many milliseconds, from the first of them. Default: 60,000. */
  readonly windowMs?: number
  /** @internal Milliseconds of a clock that only goes forward. */
  readonly now?: () => number
}

/** Windows that are remembered; beyond them, those that end first are forgotten. */
const MAX_WINDOWS = 20_000

/**
 * Answers 429 with `Retry-After`, and asks `check` no more, where too many logins have failed. Counted by address, so that nobody can lock
 * a user out from elsewhere. Guesses that are still being checked count as failures for other ones: a thousand at once are no way around.
 * Where those alone are too many, `Retry-After` is one second. The requests of one client that come together bring the same name and
 * password: they do not count against each other, and fail as one.
 *
 * @throws `TypeError` for options that make no sense
 */
export function limitFailures(check: CheckCredentials, limits: FailureLimits = {}): CheckCredentials {
  const { perUser, perAddress, windowMs, now } = checked(limits)
  const windows = new FailureWindows({ windowMs, maxWindows: MAX_WINDOWS, now })
  const pending = new PendingGuesses()
  // Of one length, whatever somebody sends for a name; and no password stays in memory.
  const secret = randomBytes(32)
  const digest = (...texts: readonly string[]) =>
    createHmac('sha256', secret).update(JSON.stringify(texts)).digest('base64')

  const refuse = (key: string, limit: number, guess: string): void => {
    const { failures, endsInMs } = windows.of(key)
    if (failures + pending.others(key, guess) < limit) return
    const seconds = failures < limit ? 1 : Math.ceil(endsInMs / 1000)
    throw new RegistryError('TOOMANYREQUESTS', {
      message: 'too many logins have failed: try again later',
      headers: { 'retry-after': String(seconds) },
    })
  }

  return async (credentials, context) => {
    const network = networkOf(context.address)
    const ofNetwork = digest(network)
    const ofUser = digest(network, credentials.username)
    const guess = digest(credentials.username, credentials.password)
    refuse(ofNetwork, perAddress, guess)
    refuse(ofUser, perUser, guess)
    const atNetwork = pending.begin(ofNetwork, guess)
    const atUser = pending.begin(ofUser, guess)
    try {
      const identity = await check(credentials, context)
      if (identity !== undefined && identity !== null) {
        windows.delete(ofUser)
        return identity
      }
      if (atNetwork.fail()) windows.add(ofNetwork)
      if (atUser.fail()) windows.add(ofUser)
      return undefined
    } finally {
      atNetwork.end()
      atUser.end()
    }
  }
}

function checked(limits: FailureLimits) {
  checkOptions('"failures"', limits, { perUser: true, perAddress: true, windowMs: true, now: false })
  const { perUser = 10, perAddress = 100, windowMs = 60_000, now = () => performance.now() } = limits
  for (const [name, value] of Object.entries({ perUser, perAddress, windowMs })) {
    if (Number.isSafeInteger(value) && value > 0) continue
    throw new TypeError(`the option "failures.${name}" must be a positive integer, not ${kindOf(value)}`)
  }
  return { perUser, perAddress, windowMs, now }
}
