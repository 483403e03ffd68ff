/**
 * Error codes of the distribution specification, and `RANGE_INVALID`, `UNAVAILABLE` and `UNKNOWN`, which Docker's clients know.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 */
export type ErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'RANGE_INVALID'
  | 'UNAVAILABLE'
  | 'UNKNOWN'

/** The one table from code to HTTP status and default message. */
export const ERROR_CODES: Readonly<Record<ErrorCode, { readonly status: number; readonly message: string }>> = {
  BLOB_UNKNOWN: { status: 404, message: 'blob unknown to registry' },
  BLOB_UPLOAD_INVALID: { status: 400, message: 'blob upload invalid' },
  BLOB_UPLOAD_UNKNOWN: { status: 404, message: 'blob upload unknown to registry' },
  DIGEST_INVALID: { status: 400, message: 'provided digest did not match uploaded content' },
  MANIFEST_BLOB_UNKNOWN: { status: 400, message: 'manifest references a manifest or blob unknown to registry' },
  MANIFEST_INVALID: { status: 400, message: 'manifest invalid' },
  MANIFEST_UNKNOWN: { status: 404, message: 'manifest unknown to registry' },
  NAME_INVALID: { status: 400, message: 'invalid repository name' },
  NAME_UNKNOWN: { status: 404, message: 'repository name not known to registry' },
  SIZE_INVALID: { status: 400, message: 'provided length did not match content length' },
  UNAUTHORIZED: { status: 401, message: 'authentication required' },
  DENIED: { status: 403, message: 'requested access to the resource is denied' },
  UNSUPPORTED: { status: 405, message: 'the operation is unsupported' },
  TOOMANYREQUESTS: { status: 429, message: 'too many requests' },
  RANGE_INVALID: { status: 416, message: 'invalid content range' },
  UNAVAILABLE: { status: 503, message: 'service unavailable' },
  UNKNOWN: { status: 500, message: 'unknown error' },
}

export interface RegistryErrorOptions {
  /** Where one code has several statuses: 412 precondition, 413 too large, 414, 415, 507. Default: the table's. */
  readonly status?: number
  readonly message?: string
  /** JSON value sent to the client as `detail`. Never put secrets or stack traces here. */
  readonly detail?: unknown
  /** Response headers the error implies, e.g. `www-authenticate`, `retry-after`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

const BRAND = Symbol.for('wharfage.RegistryError')

/** The only error the core lets reach a client; everything else becomes `UNKNOWN` (500). */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly code: ErrorCode
  readonly status: number
  readonly detail: unknown
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ErrorCode, options: RegistryErrorOptions = {}) {
    super(options.message ?? ERROR_CODES[code].message, { cause: options.cause })
    this.code = code
    this.status = options.status ?? ERROR_CODES[code].status
    this.detail = options.detail
    this.headers = options.headers ?? {}
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** Matches across duplicate copies of this package (registered symbol, not `instanceof`). */
  static is(error: unknown, code?: ErrorCode): error is RegistryError {
    return (
      error instanceof Object &&
      BRAND in error &&
      (code === undefined || (error as unknown as RegistryError).code === code)
    )
  }
}

/** @internal What is stored is not what its digest says: neither absence, nor an outage that will pass. */
export class DamagedContentError extends Error {
  override readonly name = 'DamagedContentError'
}

/** `undefined` in place of one of `codes`: absence, where any other failure must not look like it. */
export async function unless<T>(codes: readonly ErrorCode[], result: Promise<T>): Promise<T | undefined> {
  try {
    return await result
  } catch (error) {
    if (codes.some((code) => RegistryError.is(error, code))) return undefined
    throw error
  }
}

/** A repository that nothing was pushed to yet may be unknown itself. */
export const NO_MANIFEST: readonly ErrorCode[] = ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN']
export const NO_BLOB: readonly ErrorCode[] = ['BLOB_UNKNOWN', 'NAME_UNKNOWN']
