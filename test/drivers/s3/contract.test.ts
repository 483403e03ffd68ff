import { afterEach, describe, it } from 'vitest'
import { type S3Options, s3 } from '../../../src/drivers/s3.ts'
import type { StorageDriver } from '../../../src/storage/driver.ts'
import { testStorageDriver } from '../../../src/testing/driver-contract.ts'
import { describeOn, S3_SERVERS, versitygw } from '../../support/servers/index.ts'
import { outagesOf } from '../object-store/stores.ts'

const isSoak = process.env.WHARFAGE_SOAK === 'large'

for (const server of S3_SERVERS) {
  describeOn(server, 'the S3 driver', (running) => {
    const opened = new Map<StorageDriver, S3Options>()
    const open = (options: S3Options) => {
      const driver = s3(options)
      opened.set(driver, options)
      return driver
    }
    testStorageDriver(
      { describe, it: (name, body) => it(name, body, isSoak ? 3_600_000 : 60_000), afterEach },
      {
        create: async () => {
          const { endpoint, region, credentials } = running()
          return open({
            bucket: await running().createBucket(),
            endpoint,
            region,
            credentials,
            rootDirectory: 'some/where',
          })
        },
        reopen: async (driver) => open(opened.get(driver) as S3Options),
        unavailable: outagesOf(server, running),
        largeObjectBytes: server === versitygw && isSoak ? 4.5 * 2 ** 30 : 32 * 2 ** 20,
        tornConditions: server.tornConditions ?? [],
        destroy: async (driver) => driver.close?.(),
      },
    )
  })
}
