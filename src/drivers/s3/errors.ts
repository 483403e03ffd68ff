import { KeyNotFoundError, PreconditionFailedError, StorageUnavailableError } from '../../storage/driver.ts'

/** What the SDK tells of a request that failed, of any class: clones answer with codes that it has no class for. */
interface S3Error {
  readonly name: string
  readonly message: string
  /** HTTP; absent when no answer came. */
  readonly status: number | undefined
  readonly attempts: number
  readonly retryAfterSeconds: number | undefined
}

const ABSENT = new Set(['NoSuchKey', 'NotFound'])
/** Codes of a store that is there and does not let us in, or not in here. */
const REFUSED = new Set([
  'AccessDenied',
  'AccountProblem',
  'AllAccessDisabled',
  'AuthorizationHeaderMalformed',
  'ExpiredToken',
  'Forbidden',
  'InvalidAccessKeyId',
  'InvalidBucketName',
  'InvalidToken',
  'PermanentRedirect',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
  'TokenRefreshRequired',
])
const BUSY = new Set([
  'RequestTimeout',
  'SlowDown',
  'ServiceUnavailable',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
])

export function readError(error: unknown): S3Error | undefined {
  if (!(error instanceof Error)) return undefined
  const { $metadata, $response, Code } = error as Error & {
    readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number }
    readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> }
    readonly Code?: string
  }
  const retryAfter = Number($response?.headers?.['retry-after'])
  return {
    name: Code ?? error.name,
    message: error.message,
    status: $metadata?.httpStatusCode ?? $response?.statusCode,
    attempts: $metadata?.attempts ?? 1,
    retryAfterSeconds: Number.isFinite(retryAfter) && retryAfter >= 0 ? Math.ceil(retryAfter) : undefined,
  }
}

export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  const read = readError(error)
  return read !== undefined && codes.includes(read.name)
}

export function isPreconditionFailed(error: unknown): boolean {
  const read = readError(error)
  // 409: another conditional write of the same key was on its way.
  return read?.status === 412 || read?.name === 'PreconditionFailed' || read?.name === 'ConditionalRequestConflict'
}

/** Of a HEAD, that means the object is absent or the bucket is: without a body, nothing tells which. */
export function isNotFound(error: unknown): boolean {
  const read = readError(error)
  return read !== undefined && read.name !== 'NoSuchBucket' && (ABSENT.has(read.name) || read.status === 404)
}

/** In the terms of the driver contract; what is neither absence nor an outage stays what it is. */
export function storageError(error: unknown, bucket: string, key?: string): unknown {
  if (error instanceof StorageUnavailableError || error instanceof KeyNotFoundError) return error
  const read = readError(error)
  if (read === undefined) return error
  const { name, message, status, retryAfterSeconds } = read
  const unavailable = (what: string) =>
    new StorageUnavailableError(what, { cause: error, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) })
  if (name === 'NoSuchBucket') return unavailable(`there is no bucket ${bucket}: create it, or name another one`)
  if (key !== undefined && ABSENT.has(name)) return new KeyNotFoundError(key, { cause: error })
  if (key !== undefined && isPreconditionFailed(error)) return new PreconditionFailedError(key, { cause: error })
  if (status === 301 || name === 'PermanentRedirect' || name === 'AuthorizationHeaderMalformed') {
    return unavailable(`the bucket ${bucket} is in another region than the one given: ${message}`)
  }
  if (REFUSED.has(name) || status === 401 || status === 403) {
    return unavailable(`the store refuses us the bucket ${bucket} (${name}): ${message}`)
  }
  if (BUSY.has(name) || status === 429 || status === 503) return unavailable(`the store is busy (${name}): ${message}`)
  if (name === 'CredentialsProviderError') return unavailable(`there are no credentials for the store: ${message}`)
  if (status === undefined) return isAnswerLess(error) ? unavailable(`the store cannot be reached: ${message}`) : error
  if (status >= 500) return unavailable(`the store failed (${name}, ${status}): ${message}`)
  return error
}

/** No answer, for a reason that is not ours: no connection, a time-out, no credentials to sign with. */
function isAnswerLess(error: unknown): boolean {
  return error instanceof Error && !(error instanceof TypeError) && !(error instanceof RangeError)
}
