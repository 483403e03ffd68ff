import { RegistryError } from '../errors.ts'
import { readRetryAfter } from '../spec/retry-after.ts'
import { isDropped } from './errors.ts'

const FIRST_MS = 500
const LONGEST_MS = 15_000
/** What a registry asks us to wait is granted up to here. */
const LONGEST_ASKED_MS = 60_000

/** Whether another attempt may go better. What a side has refused, it will refuse again. */
export function isTransient(error: unknown): boolean {
  if (!RegistryError.is(error)) return isDropped(error)
  switch (error.code) {
    case 'UNAVAILABLE':
    case 'TOOMANYREQUESTS':
    case 'BLOB_UPLOAD_UNKNOWN': // it expired, or its node went: a new one is begun
    case 'RANGE_INVALID': // the upload stands elsewhere than we thought: it is asked
      return true
    case 'UNKNOWN':
      return error.status >= 500
    default:
      return false
  }
}

/**
 * How long to wait after the failure number `failures`, in milliseconds: doubling, and anything up to that, so that many who
 * failed together do not come back together. A longer `Retry-After` counts.
 */
export function backoffMs(failures: number, error: unknown, random: () => number = Math.random): number {
  const limit = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1))
  return Math.max(random() * limit, retryAfterMs(error))
}

function retryAfterMs(error: unknown): number {
  const asked = RegistryError.is(error) ? readRetryAfter(error.headers['retry-after']) : undefined
  return Math.min(asked ?? 0, LONGEST_ASKED_MS)
}
