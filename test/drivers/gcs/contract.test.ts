import { afterEach, describe, it } from 'vitest'
import { type GcsOptions, gcs } from '../../../src/drivers/gcs.ts'
import type { StorageDriver } from '../../../src/storage/driver.ts'
import { testStorageDriver } from '../../../src/testing/driver-contract.ts'
import { describeOn, fakeGCSServer } from '../../support/servers/index.ts'
import { outagesOf } from '../object-store/stores.ts'

describeOn(fakeGCSServer, 'the GCS driver', (running) => {
  const opened = new Map<StorageDriver, GcsOptions>()
  const open = (options: GcsOptions) => {
    const driver = gcs(options)
    opened.set(driver, options)
    return driver
  }
  testStorageDriver(
    { describe, it: (name, body) => it(name, body, 60_000), afterEach },
    {
      create: async () => {
        const { endpoint, projectId, credentials } = running()
        const bucket = await running().createBucket()
        return open({ bucket, endpoint, projectId, credentials, rootDirectory: 'some/where' })
      },
      reopen: async (driver) => open(opened.get(driver) as GcsOptions),
      unavailable: outagesOf(fakeGCSServer, running),
      tornConditions: fakeGCSServer.tornConditions ?? [],
      destroy: async (driver) => driver.close?.(),
    },
  )
})
