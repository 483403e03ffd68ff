import { afterEach, describe, expect, it } from 'vitest'
import { memory } from '../../src/drivers/memory.ts'
import { StorageUnavailableError } from '../../src/storage/driver.ts'
import { testStorageDriver } from '../../src/testing/driver-contract.ts'

describe('memory', () => {
  testStorageDriver({ describe, it, afterEach }, { create: async () => memory(), reopen: async (driver) => driver })
})

describe('MemoryOptions.maxBytes', () => {
  it('refuses a put beyond it and takes one when there is room again', async () => {
    const driver = memory({ maxBytes: 10 })
    await driver.put('a', new Uint8Array(6))
    await expect(driver.put('b', new Uint8Array(5))).rejects.toThrow(StorageUnavailableError)
    expect(await driver.stat('b')).toBeUndefined()
    await driver.put('b', new Uint8Array(4))
    await driver.delete('a')
    await driver.put('c', new Uint8Array(6))
  })

  it('counts uploads, keeps what fitted, and gives back what is aborted', async () => {
    const driver = memory({ maxBytes: 10 })
    const upload = await driver.createUpload('u/data')
    const chunks = async function* () {
      yield new Uint8Array(6)
      yield new Uint8Array(6)
    }
    await expect(upload.append(chunks())).rejects.toThrow(StorageUnavailableError)
    expect(upload.size).toBe(6)
    await expect(driver.put('a', new Uint8Array(5))).rejects.toThrow(StorageUnavailableError)
    await upload.discard()
    await driver.put('a', new Uint8Array(10))
  })

  it('does not count what was replaced', async () => {
    const driver = memory({ maxBytes: 10 })
    for (let i = 0; i < 10; i++) await driver.put('a', new Uint8Array(5))
    for (let i = 0; i < 3; i++) {
      const upload = await driver.createUpload('u/data')
      await upload.append(new Uint8Array(5))
      await upload.commit('a')
    }
    expect((await driver.stat('a'))?.size).toBe(5)
  })
})
