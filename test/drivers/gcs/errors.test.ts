import { describe, expect, it } from 'vitest'
import { storageError } from '../../../src/drivers/gcs/errors.ts'

function answered(status: number | string | undefined, message = 'as the store says', retryAfter?: string): Error {
  return Object.assign(new Error(message), {
    name: 'ApiError',
    ...(status !== undefined && { code: status }),
    ...(retryAfter !== undefined && { response: { headers: { 'retry-after': retryAfter } } }),
  })
}

describe('an error of Google Cloud Storage', () => {
  it.each([
    [404, undefined, 'KeyNotFoundError', /no such key: a\/b/],
    [404, 'The specified bucket does not exist.', 'StorageUnavailableError', /there is no bucket images/],
    [412, undefined, 'PreconditionFailedError', /not at the expected version/],
    [401, undefined, 'StorageUnavailableError', /refuses us the bucket images/],
    [403, undefined, 'StorageUnavailableError', /refuses us the bucket images/],
    [408, undefined, 'StorageUnavailableError', /has taken too long/],
    [429, undefined, 'StorageUnavailableError', /is busy \(429\)/],
    [503, undefined, 'StorageUnavailableError', /is busy \(503\)/],
    [500, undefined, 'StorageUnavailableError', /failed \(500\)/],
    ['503', undefined, 'StorageUnavailableError', /is busy \(503\)/],
    ['ECONNREFUSED', undefined, 'StorageUnavailableError', /cannot be reached/],
    [
      undefined,
      'Could not load the default credentials.',
      'StorageUnavailableError',
      /cannot be reached: Could not load/,
    ],
    [400, undefined, 'ApiError', /as the store says/],
  ])('%s, %s, is a %s', (status, text, expected, message) => {
    const error = storageError(answered(status, text), 'images', 'a/b')
    expect(error).toMatchObject({ name: expected, message: expect.stringMatching(message) })
  })

  it('of what is no object is never absence', () => {
    expect(storageError(answered(404), 'images')).toMatchObject({ name: 'StorageUnavailableError' })
  })

  it('tells when to come back, where the store did', () => {
    const busy = answered(429, 'slow down', '7')
    expect(storageError(busy, 'images')).toMatchObject({ retryAfterSeconds: 7, cause: busy })
  })

  it('is our own mistake where it is one', () => {
    const mistake = new RangeError('too far')
    expect(storageError(mistake, 'images', 'a/b')).toBe(mistake)
  })
})
