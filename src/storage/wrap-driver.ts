import type { StorageDriver } from './driver.ts'

/** A driver that does what `driver` does, but for what `changes` does in its place. */
export function wrapDriver(driver: StorageDriver, changes: Partial<StorageDriver>): StorageDriver {
  return {
    name: driver.name,
    conditionalPuts: driver.conditionalPuts.bind(driver),
    ...(driver.minChunkBytes !== undefined && { minChunkBytes: driver.minChunkBytes }),
    get: driver.get.bind(driver),
    put: driver.put.bind(driver),
    read: driver.read.bind(driver),
    stat: driver.stat.bind(driver),
    list: driver.list.bind(driver),
    delete: driver.delete.bind(driver),
    deletePrefix: driver.deletePrefix.bind(driver),
    createUpload: driver.createUpload.bind(driver),
    resumeUpload: driver.resumeUpload.bind(driver),
    ...(driver.signUrl && { signUrl: driver.signUrl.bind(driver) }),
    ...(driver.ping && { ping: driver.ping.bind(driver) }),
    ...(driver.close && { close: driver.close.bind(driver) }),
    ...changes,
  }
}
