import { testBodies } from './driver-contract/bodies.ts'
import { testConditionalPuts } from './driver-contract/conditional-puts.ts'
import { type ContractContext, openDrivers } from './driver-contract/context.ts'
import { testListing } from './driver-contract/listing.ts'
import { testObjects } from './driver-contract/objects.ts'
import type { DriverContractOptions, TestRunner } from './driver-contract/options.ts'
import { testUploads } from './driver-contract/uploads.ts'

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
