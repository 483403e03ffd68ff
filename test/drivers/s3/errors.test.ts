import { describe, expect, it } from 'vitest'
import { storageError } from '../../../src/drivers/s3/errors.ts'

function answered(name: string, status: number | undefined, headers: Readonly<Record<string, string>> = {}): Error {
  return Object.assign(new Error('as the store says'), {
    name,
    $metadata: { httpStatusCode: status },
    ...(status !== undefined && { $response: { statusCode: status, headers } }),
  })
}

describe('an error of a store that speaks S3', () => {
  it.each([
    ['NoSuchKey', 404, 'KeyNotFoundError', /no such key: a\/b/],
    ['NotFound', 404, 'KeyNotFoundError', /no such key: a\/b/],
    ['NoSuchBucket', 404, 'StorageUnavailableError', /there is no bucket images/],
    ['PreconditionFailed', 412, 'PreconditionFailedError', /not at the expected version/],
    ['ConditionalRequestConflict', 409, 'PreconditionFailedError', /not at the expected version/],
    ['AccessDenied', 403, 'StorageUnavailableError', /refuses us the bucket images/],
    ['InvalidAccessKeyId', 403, 'StorageUnavailableError', /refuses us the bucket images/],
    ['Unknown', 401, 'StorageUnavailableError', /refuses us the bucket images/],
    ['PermanentRedirect', 301, 'StorageUnavailableError', /in another region/],
    ['AuthorizationHeaderMalformed', 400, 'StorageUnavailableError', /in another region/],
    ['SlowDown', 503, 'StorageUnavailableError', /is busy/],
    ['TooManyRequests', 429, 'StorageUnavailableError', /is busy/],
    ['RequestTimeout', 400, 'StorageUnavailableError', /is busy/],
    ['InternalError', 500, 'StorageUnavailableError', /failed \(InternalError, 500\)/],
    ['TimeoutError', undefined, 'StorageUnavailableError', /cannot be reached/],
    ['CredentialsProviderError', undefined, 'StorageUnavailableError', /no credentials/],
    ['EntityTooLarge', 400, 'EntityTooLarge', /as the store says/],
  ])('%s, %s, is a %s', (name, status, expected, message) => {
    const error = storageError(answered(name, status), 'images', 'a/b')
    expect(error).toMatchObject({ name: expected, message: expect.stringMatching(message) })
  })

  it('tells when to come back, where the store did', () => {
    expect(storageError(answered('SlowDown', 503, { 'retry-after': '7' }), 'images')).toMatchObject({
      retryAfterSeconds: 7,
    })
  })

  it('is our own mistake where it is one', () => {
    const mistake = new TypeError('not a function')
    expect(storageError(mistake, 'images', 'a/b')).toBe(mistake)
  })
})
