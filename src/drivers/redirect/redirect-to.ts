import type { SignUrlOptions, StorageDriver } from '../../storage/driver.ts'
import { wrapDriver } from '../../storage/wrap-driver.ts'

export interface LocateObjectOptions extends SignUrlOptions {
  /** What the driver itself would have answered: for whom it is not to be changed, or only a little. */
  signUrl(): Promise<URL | undefined>
}

/**
 * The URL at which clients find an object, or `undefined`, and its bytes go through the registry. Whoever has the URL may read
 * the object: access was decided before. A `StorageUnavailableError` that it throws is 503 to the client, anything else 500.
 */
export type LocateObject = (key: string, options: LocateObjectOptions) => URL | undefined | Promise<URL | undefined>

/**
 * Sends pulls elsewhere than to the driver's own URLs: to a CDN, to a name by which clients reach the store.
 * `redirectTo(s3({ … }), cloudFront({ … }))`.
 */
export function redirectTo(driver: StorageDriver, locate: LocateObject): StorageDriver {
  if (typeof locate !== 'function') {
    throw new TypeError(
      "redirectTo() takes a driver and a function: redirectTo(driver, baseUrl('https://cdn.example.com'))",
    )
  }
  return wrapDriver(driver, {
    signUrl: async (key, options) => locate(key, { ...options, signUrl: async () => driver.signUrl?.(key, options) }),
  })
}
