import { afterEach, describe, it } from 'vitest'
import { type AzureOptions, azure } from '../../../src/drivers/azure.ts'
import type { StorageDriver } from '../../../src/storage/driver.ts'
import { testStorageDriver } from '../../../src/testing/driver-contract.ts'
import { azurite, describeOn } from '../../support/servers/index.ts'
import { outagesOf } from '../object-store/stores.ts'

describeOn(azurite, 'the Azure driver', (running) => {
  const opened = new Map<StorageDriver, AzureOptions>()
  const open = (options: AzureOptions) => {
    const driver = azure(options)
    opened.set(driver, options)
    return driver
  }
  testStorageDriver(
    { describe, it: (name, body) => it(name, body, 60_000), afterEach },
    {
      create: async () => {
        const { endpoint, accountName, accountKey } = running()
        const container = await running().createBucket()
        return open({ container, endpoint, accountName, accountKey, rootDirectory: 'some/where' })
      },
      unavailable: outagesOf(azurite, running),
      reopen: async (driver) => open(opened.get(driver) as AzureOptions),
      destroy: async (driver) => driver.close?.(),
    },
  )
})
