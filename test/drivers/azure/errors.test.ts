import { describe, expect, it } from 'vitest'
import { storageError } from '../../../src/drivers/azure/errors.ts'

interface Answer {
  readonly code?: string
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** As the SDK throws it: with the code of the body, or, after a HEAD, in a header alone. */
function answered({ code, status, headers = {} }: Answer): Error {
  return Object.assign(new Error('as the store says\nRequestId:1'), {
    name: 'RestError',
    ...(code !== undefined && { code }),
    ...(status !== undefined && { statusCode: status, response: { headers: new Map(Object.entries(headers)) } }),
  })
}

describe('an error of Azure Blob Storage', () => {
  it.each([
    ['BlobNotFound', 404, 'KeyNotFoundError', /no such key: a\/b/],
    ['ContainerNotFound', 404, 'StorageUnavailableError', /there is no container images \(ContainerNotFound\)/],
    ['ContainerBeingDeleted', 409, 'StorageUnavailableError', /there is no container images/],
    ['ContainerDisabled', 409, 'StorageUnavailableError', /there is no container images/],
    ['BlobAlreadyExists', 409, 'PreconditionFailedError', /not at the expected version/],
    ['ConditionNotMet', 412, 'PreconditionFailedError', /not at the expected version/],
    [
      'AuthorizationFailure',
      403,
      'StorageUnavailableError',
      /refuses us the container images \(AuthorizationFailure\)/,
    ],
    ['NoAuthenticationInformation', 401, 'StorageUnavailableError', /refuses us the container images/],
    ['ServerBusy', 503, 'StorageUnavailableError', /is busy \(ServerBusy\): as the store says$/],
    ['TooManyRequests', 429, 'StorageUnavailableError', /is busy/],
    ['OperationTimedOut', 500, 'StorageUnavailableError', /failed \(OperationTimedOut, 500\)/],
    ['ECONNREFUSED', undefined, 'StorageUnavailableError', /cannot be reached/],
    ['InvalidBlobOrBlock', 400, 'RestError', /as the store says/],
  ])('%s, %s, is a %s', (code, status, expected, message) => {
    const error = storageError(answered({ code, ...(status !== undefined && { status }) }), 'images', 'a/b')
    expect(error).toMatchObject({ name: expected, message: expect.stringMatching(message) })
  })

  it('after a HEAD, is read from its header: a missing container is not a missing blob', () => {
    const head = (code: string) => answered({ status: 404, headers: { 'x-ms-error-code': code } })
    expect(storageError(head('BlobNotFound'), 'images', 'a/b')).toMatchObject({ name: 'KeyNotFoundError' })
    expect(storageError(head('ContainerNotFound'), 'images', 'a/b')).toMatchObject({ name: 'StorageUnavailableError' })
  })

  it('tells when to come back, where the store did', () => {
    const busy = answered({ code: 'ServerBusy', status: 503, headers: { 'retry-after': '7' } })
    expect(storageError(busy, 'images')).toMatchObject({ retryAfterSeconds: 7, cause: busy })
  })

  it('is our own mistake where it is one', () => {
    const mistake = new TypeError('not a function')
    expect(storageError(mistake, 'images', 'a/b')).toBe(mistake)
  })
})
