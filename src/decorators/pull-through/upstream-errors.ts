import { type ErrorCode, RegistryError } from '../../errors.ts'

/** The upstream says that it does not have this. */
export function isAbsent(error: unknown): boolean {
  return (
    RegistryError.is(error, 'MANIFEST_UNKNOWN') ||
    RegistryError.is(error, 'BLOB_UNKNOWN') ||
    RegistryError.is(error, 'NAME_UNKNOWN')
  )
}

/** The upstream could not tell: it is down, busy or broken. What we have of it is as true as it was. */
export function isOutage(error: unknown): boolean {
  return !RegistryError.is(error) || error.status >= 500 || error.code === 'TOOMANYREQUESTS'
}

/**
 * What our client is told of an error of an upstream: what happened and when to come back, never the upstream's own words, headers or
 * challenges. Those stay with the `cause`.
 *
 * @param absent - how "not found" is called here
 */
export function translateUpstreamError(
  error: unknown,
  upstream: string,
  absent: { readonly code: ErrorCode; readonly detail: unknown },
): RegistryError {
  // A name that it takes for none is one that it does not have.
  if (isAbsent(error) || RegistryError.is(error, 'NAME_INVALID'))
    return new RegistryError(absent.code, { detail: absent.detail, cause: error })
  if (!RegistryError.is(error)) return unavailable(upstream, error)
  const retryAfter = error.headers['retry-after']
  const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter }
  switch (error.code) {
    case 'TOOMANYREQUESTS': {
      const message = `the upstream ${upstream} asks for fewer requests`
      return new RegistryError('TOOMANYREQUESTS', { message, headers, cause: error })
    }
    case 'UNAUTHORIZED':
    case 'DENIED':
      // Not 401: our client would look for credentials of ours.
      return new RegistryError('DENIED', { message: `the upstream ${upstream} refuses us this`, cause: error })
    case 'RANGE_INVALID':
      return new RegistryError('RANGE_INVALID', { detail: error.detail, cause: error })
    default:
      return unavailable(upstream, error, headers)
  }
}

function unavailable(upstream: string, cause: unknown, headers: Readonly<Record<string, string>> = {}): RegistryError {
  return new RegistryError('UNAVAILABLE', { message: `the upstream ${upstream} cannot be asked now`, headers, cause })
}
