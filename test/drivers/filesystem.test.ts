import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, it } from 'vitest'
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

const misplaced = join(tmpdir(), `wharfage-${randomUUID()}`)
afterAll(() => rm(misplaced, { force: true }))

describe('filesystem', () => {
  testStorageDriver(
    { describe, it, afterEach },
    {
      create,
      unavailable: {
        'a file in its place': async () => {
          await writeFile(misplaced, 'not a directory')
          return filesystem(misplaced)
        },
      },
      largeObjectBytes: process.env.WHARFAGE_SOAK === 'large' ? 4.5 * 2 ** 30 : 32 * 2 ** 20,
      reopen: async (driver) => filesystem(roots.get(driver) ?? ''),
      destroy: async (driver) => rm(roots.get(driver) ?? '', { recursive: true, force: true }),
    },
  )
})
