import { testAbortedCalls } from './backend-contract/aborted-calls.ts'
import { testBlobDeletes, testBlobLists } from './backend-contract/blob-lists.ts'
import { testBlobPuts } from './backend-contract/blob-puts.ts'
import { testBlobReads } from './backend-contract/blob-reads.ts'
import { testBodies } from './backend-contract/bodies.ts'
import { testConditionalTags } from './backend-contract/conditional-tags.ts'
import { type ContractContext, openBackends } from './backend-contract/context.ts'
import { testLargeBlobs } from './backend-contract/large-blobs.ts'
import { testManifestDeletes } from './backend-contract/manifest-deletes.ts'
import { testManifestPuts } from './backend-contract/manifest-puts.ts'
import { testManifests } from './backend-contract/manifests.ts'
import { testMissingContent } from './backend-contract/missing-content.ts'
import { testMounts } from './backend-contract/mounts.ts'
import { testNames } from './backend-contract/names.ts'
import type { BackendContractOptions } from './backend-contract/options.ts'
import { testOutages } from './backend-contract/outages.ts'
import { testReferrerDeletes, testReferrers } from './backend-contract/referrers.ts'
import { testRefusedChanges } from './backend-contract/refused-changes.ts'
import { testRepositories, testRepositoryDeletes } from './backend-contract/repositories.ts'
import { testResumedUploads } from './backend-contract/resumed-uploads.ts'
import { testTagChanges, testTags } from './backend-contract/tags.ts'
import { testUploads } from './backend-contract/uploads.ts'
import type { TestRunner } from './driver-contract/options.ts'

/**
 * What everything that holds images must do, as tests for any runner:
 * `testBackend({ describe, it, afterEach }, { create: async () => new Registry({ storage: memory() }) })`. What a backend
 * cannot do by its own kind is said by `lacks`; the suite then asks for what is documented instead.
 */
export function testBackend(runner: TestRunner, options: BackendContractOptions): void {
  runner.describe('Backend', () => {
    const context: ContractContext = openBackends(runner, options)
    testNames(context)
    testBlobReads(context)
    testBodies(context)
    testBlobLists(context)
    testManifests(context)
    testReferrers(context)
    testTags(context)
    testRepositories(context)
    if (context.has('write')) testChanges(context)
    else testRefusedChanges(context)
    testLargeBlobs(context)
    testAbortedCalls(context)
    testOutages(context)
  })
}

function testChanges(context: ContractContext): void {
  testBlobPuts(context)
  testBlobDeletes(context)
  testUploads(context)
  testResumedUploads(context)
  testMounts(context)
  testManifestPuts(context)
  testMissingContent(context)
  testManifestDeletes(context)
  testReferrerDeletes(context)
  testTagChanges(context)
  testConditionalTags(context)
  testRepositoryDeletes(context)
}
