import { RegistryError } from '../errors.ts'
import { type StorageDriver, StorageUnavailableError } from './driver.ts'
import { wrapDriver } from './wrap-driver.ts'

/**
 * The one wrapper round every driver: a store that cannot serve us now becomes `UNAVAILABLE` (503), with `Retry-After` where it
 * told; what is absent, and what is broken, keep their own errors. Uploads need no wrapping: the session translates theirs.
 */
export function translateOutages(driver: StorageDriver): StorageDriver {
  return wrapDriver(driver, {
    conditionalPuts: (options) => driver.conditionalPuts(options).catch(rethrowOutage),
    get: (key, options) => driver.get(key, options).catch(rethrowOutage),
    put: (key, content, options) => driver.put(key, content, options).catch(rethrowOutage),
    read: (key, options) => driver.read(key, options).catch(rethrowOutage),
    stat: (key, options) => driver.stat(key, options).catch(rethrowOutage),
    list: (prefix, options) => translated(driver.list(prefix, options)),
    delete: (key, options) => driver.delete(key, options).catch(rethrowOutage),
    deletePrefix: (prefix, options) => driver.deletePrefix(prefix, options).catch(rethrowOutage),
    createUpload: (key, options) => driver.createUpload(key, options).catch(rethrowOutage),
    resumeUpload: (key, options) => driver.resumeUpload(key, options).catch(rethrowOutage),
    // A signature may need a key that the store hands out.
    ...(driver.signUrl && { signUrl: async (key, options) => driver.signUrl?.(key, options).catch(rethrowOutage) }),
  })
}

async function* translated<T>(entries: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* entries
  } catch (error) {
    rethrowOutage(error)
  }
}

/** For `.catch`: a driver's outage in the terms of the registry, anything else as it came. */
export function rethrowOutage(error: unknown): never {
  if (!(error instanceof StorageUnavailableError)) throw error
  throw new RegistryError('UNAVAILABLE', {
    message:
      'the storage cannot be reached or refuses us, for a reason that stands in the log; what was acknowledged is safe',
    headers: { 'retry-after': String(error.retryAfterSeconds ?? 5) },
    cause: error,
  })
}
