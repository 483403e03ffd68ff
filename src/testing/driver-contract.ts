import type { StorageDriver } from '../storage/driver.ts'
import { testBodies } from './driver-contract/bodies.ts'
import { testConditionalPuts } from './driver-contract/conditional-puts.ts'
import { type ContractContext, openDrivers } from './driver-contract/context.ts'
import { testListing } from './driver-contract/listing.ts'
import { testObjects } from './driver-contract/objects.ts'
import { testUploads } from './driver-contract/uploads.ts'

/** The three functions we need from vitest, node:test, mocha or jest. */
export interface TestRunner {
  describe(name: string, body: () => void): void
  it(name: string, body: () => Promise<void>): void
  afterEach(body: () => Promise<void>): void
}

export interface DriverContractOptions {
  /** Returns a driver over an empty store; called once or more per test. */
  create(): Promise<StorageDriver>
  /** Another driver over the same store, as a second process would have; without it the tests that need one use `driver` itself. */
  reopen?(driver: StorageDriver): Promise<StorageDriver>
  /** Removes whatever `create` made. Not called for drivers from `reopen`. */
  destroy?(driver: StorageDriver): Promise<void>
  /** Largest object the suite writes, in bytes. Default: 32 MiB. */
  readonly largeObjectBytes?: number
}

/**
 * What every storage driver must do, as tests for any runner:
 * `testStorageDriver({ describe, it, afterEach }, { create: async () => memory() })`.
 */
export function testStorageDriver(runner: TestRunner, options: DriverContractOptions): void {
  runner.describe('StorageDriver', () => {
    const context: ContractContext = openDrivers(runner, options)
    testObjects(context)
    testConditionalPuts(context)
    testListing(context)
    testBodies(context)
    testUploads(context)
  })
}
