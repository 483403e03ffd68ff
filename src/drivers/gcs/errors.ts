import { KeyNotFoundError, PreconditionFailedError, StorageUnavailableError } from '../../storage/driver.ts'

/** What the SDK tells of a request that failed. */
interface GcsError {
  readonly message: string
  /** HTTP; absent when no answer came. */
  readonly status: number | undefined
  readonly retryAfterSeconds: number | undefined
}

export function readError(error: unknown): GcsError | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, status, response } = error as Error & {
    readonly code?: unknown
    readonly status?: unknown
    readonly response?: { readonly headers?: unknown }
  }
  const retryAfter = Number(headerOf(response?.headers, 'retry-after') ?? Number.NaN)
  const found = [code, status].map(Number).find((one) => one >= 100 && one < 600)
  return {
    message: error.message,
    status: found,
    retryAfterSeconds: Number.isFinite(retryAfter) && retryAfter >= 0 ? Math.ceil(retryAfter) : undefined,
  }
}

export function isAbsent(error: unknown): boolean {
  return readError(error)?.status === 404
}

export function isPreconditionFailed(error: unknown): boolean {
  return readError(error)?.status === 412
}

/** In the terms of the driver contract; what is neither absence nor an outage stays what it is. */
export function storageError(error: unknown, bucket: string, key?: string): unknown {
  if (error instanceof StorageUnavailableError || error instanceof KeyNotFoundError) return error
  const read = readError(error)
  if (read === undefined) return error
  const { message, status, retryAfterSeconds } = read
  const unavailable = (what: string) =>
    new StorageUnavailableError(what, { cause: error, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) })
  const isBucket = status === 404 && (key === undefined || /bucket does not exist/i.test(message))
  if (isBucket) return unavailable(`there is no bucket ${bucket}: create it, or name another one`)
  if (key !== undefined && status === 404) return new KeyNotFoundError(key, { cause: error })
  if (key !== undefined && status === 412) return new PreconditionFailedError(key, { cause: error })
  if (status === 401 || status === 403) return unavailable(`the store refuses us the bucket ${bucket}: ${message}`)
  if (status === 429 || status === 503) return unavailable(`the store is busy (${status}): ${message}`)
  if (status === 408) return unavailable(`the store has taken too long: ${message}`)
  if (status === undefined) return isAnswerLess(error) ? unavailable(`the store cannot be reached: ${message}`) : error
  if (status >= 500) return unavailable(`the store failed (${status}): ${message}`)
  return error
}

/** No answer, for a reason that is not ours: no connection, no credentials to be found. */
function isAnswerLess(error: unknown): boolean {
  return error instanceof Error && !(error instanceof TypeError) && !(error instanceof RangeError)
}

function headerOf(headers: unknown, name: string): unknown {
  if (typeof headers !== 'object' || headers === null) return undefined
  if ('get' in headers && typeof headers.get === 'function') return headers.get(name)
  return Object.entries(headers).find(([one]) => one === name)?.[1]
}
