import { testBodies } from './driver-contract/bodies.ts'
import { testConditionalPuts } from './driver-contract/conditional-puts.ts'
import { type ContractContext, openDrivers } from './driver-contract/context.ts'
import { testFinishedUploads } from './driver-contract/finished-uploads.ts'
import { testInterruptedUploads } from './driver-contract/interrupted-uploads.ts'
import { testLargeObjects } from './driver-contract/large-objects.ts'
import { testListing } from './driver-contract/listing.ts'
import { testObjects } from './driver-contract/objects.ts'
import type { DriverContractOptions, TestRunner } from './driver-contract/options.ts'
import { testOutages } from './driver-contract/outages.ts'
import { testRepeatedCalls } from './driver-contract/repeated-calls.ts'
import { testResumedUploads } from './driver-contract/resumed-uploads.ts'
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
    testInterruptedUploads(context)
    testResumedUploads(context)
    testFinishedUploads(context)
    testRepeatedCalls(context)
    testLargeObjects(context)
    testOutages(context)
  })
}
