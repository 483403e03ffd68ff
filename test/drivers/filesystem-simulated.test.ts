import { afterEach, describe, it } from 'vitest'
import { filesystem } from '../../src/drivers/filesystem.ts'
import type { StorageDriver } from '../../src/storage/driver.ts'
import { testStorageDriver } from '../../src/testing/driver-contract.ts'
import { seededRandom } from '../../src/testing/seeded.ts'
import { diskWith, type SimulatedDisk } from '../support/simulated-disk.ts'

const disks = new Map<StorageDriver, SimulatedDisk>()

/** So that what the power-loss tests find on the simulated disk can be believed. */
describe('filesystem on a simulated disk', () => {
  testStorageDriver(
    { describe, it, afterEach },
    {
      create: async () => {
        const disk = diskWith('/disk', { random: seededRandom(1) })
        const driver = filesystem('/disk', { fs: disk })
        disks.set(driver, disk)
        return driver
      },
      reopen: async (driver) => filesystem('/disk', { fs: disks.get(driver) ?? diskWith('/disk') }),
      destroy: async (driver) => void disks.delete(driver),
      largeObjectBytes: 4 * 1024 * 1024,
    },
  )
})
