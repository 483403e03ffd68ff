import { KeyNotFoundError, PreconditionFailedError, StorageUnavailableError } from '../../storage/driver.ts'

/** What the SDK tells of a request that failed. */
interface AzureError {
  /** The service's: `BlobNotFound`, …; of a HEAD it stands in a header. */
  readonly code: string
  readonly message: string
  /** HTTP; absent when no answer came. */
  readonly status: number | undefined
  readonly retryAfterSeconds: number | undefined
}

const NO_CONTAINER = new Set(['ContainerNotFound', 'ContainerBeingDeleted', 'ContainerDisabled', 'ResourceNotFound'])
const CONDITION = new Set(['BlobAlreadyExists', 'ConditionNotMet', 'TargetConditionNotMet'])

export function readError(error: unknown): AzureError | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, statusCode, details, response } = error as Error & {
    readonly code?: string
    readonly statusCode?: number
    readonly details?: { readonly errorCode?: string }
    readonly response?: { readonly headers?: { get(name: string): string | undefined } }
  }
  const retryAfter = Number(response?.headers?.get('retry-after') ?? Number.NaN)
  return {
    code: details?.errorCode ?? response?.headers?.get('x-ms-error-code') ?? code ?? error.name,
    // The service adds the request's id and date on lines of their own.
    message: error.message.split('\n')[0] ?? '',
    status: statusCode,
    retryAfterSeconds: Number.isFinite(retryAfter) && retryAfter >= 0 ? Math.ceil(retryAfter) : undefined,
  }
}

export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  const read = readError(error)
  return read !== undefined && codes.includes(read.code)
}

/** Azure answers 409 where "only if absent" does not hold, 412 where "only this version" does not. */
export function isPreconditionFailed(error: unknown): boolean {
  const read = readError(error)
  return read !== undefined && (read.status === 412 || CONDITION.has(read.code))
}

export function isAbsent(error: unknown): boolean {
  const read = readError(error)
  return read?.code === 'BlobNotFound' || (read?.status === 404 && !NO_CONTAINER.has(read.code))
}

/** In the terms of the driver contract; what is neither absence nor an outage stays what it is. */
export function storageError(error: unknown, container: string, key?: string): unknown {
  if (error instanceof StorageUnavailableError || error instanceof KeyNotFoundError) return error
  const read = readError(error)
  if (read === undefined) return error
  const { code, message, status, retryAfterSeconds } = read
  const unavailable = (what: string) =>
    new StorageUnavailableError(what, { cause: error, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) })
  if (NO_CONTAINER.has(code)) {
    return unavailable(`there is no container ${container} (${code}): create it, or name another one`)
  }
  if (key !== undefined && isAbsent(error)) return new KeyNotFoundError(key, { cause: error })
  if (key !== undefined && isPreconditionFailed(error)) return new PreconditionFailedError(key, { cause: error })
  if (status === 401 || status === 403) {
    return unavailable(`the store refuses us the container ${container} (${code}): ${message}`)
  }
  if (status === 429 || status === 503 || code === 'ServerBusy')
    return unavailable(`the store is busy (${code}): ${message}`)
  if (status === undefined) return isAnswerLess(error) ? unavailable(`the store cannot be reached: ${message}`) : error
  if (status >= 500) return unavailable(`the store failed (${code}, ${status}): ${message}`)
  return error
}

/** No answer, for a reason that is not ours: no connection, no token to be had. */
function isAnswerLess(error: unknown): boolean {
  return error instanceof Error && !(error instanceof TypeError) && !(error instanceof RangeError)
}
