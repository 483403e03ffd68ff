import type { StorageDriver } from '../../src/storage/driver.ts'

/** Every key below a folder. */
export async function keysUnder(storage: StorageDriver, folder: string): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const { key } of storage.list(folder)) keys.push(key)
  return keys
}
