import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'vitest'
import { filesystem } from '../../src/drivers/filesystem.ts'
import type { StorageDriver } from '../../src/storage/driver.ts'
import { testStorageDriver } from '../../src/testing/driver-contract.ts'

const roots = new Map<StorageDriver, string>()

async function create(): Promise<StorageDriver> {
  const root = await mkdtemp(join(tmpdir(), 'wharfage-'))
  const driver = filesystem(root)
  roots.set(driver, root)
  return driver
}

describe('filesystem', () => {
  testStorageDriver(
    { describe, it, afterEach },
    {
      create,
      reopen: async (driver) => filesystem(roots.get(driver) ?? ''),
      destroy: async (driver) => rm(roots.get(driver) ?? '', { recursive: true, force: true }),
    },
  )
})
