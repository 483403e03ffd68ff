import { type DriverOptions, KeyNotFoundError, type ObjectStat, StorageUnavailableError } from '../../storage/driver.ts'
import type { ObjectStore } from './object-store.ts'

/** How often an object is read that is replaced each time we look. */
const ATTEMPTS = 10

export interface ReadObject {
  readonly stat: ObjectStat
  readonly content: Uint8Array
}

/** A whole small object. @throws {@link KeyNotFoundError} */
export async function readObject(store: ObjectStore, key: string, options?: DriverOptions): Promise<ReadObject> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const found = await readOnce(store, key, options)
    const { version } = found.stat
    if (version === undefined || !store.belongsTo || store.belongsTo(version, found.content)) return found
  }
  throw new StorageUnavailableError(`${key} is being replaced faster than it can be read`)
}

async function readOnce(store: ObjectStore, key: string, options: DriverOptions | undefined): Promise<ReadObject> {
  const opened = await store.open(key, options)
  // No range was asked for: nothing to begin beyond.
  if (opened === 'beyond') throw new KeyNotFoundError(key)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of opened.stream as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    size += chunk.byteLength
  }
  if (size !== opened.size) throw new Error(`${key} ended after ${size} of ${opened.size} bytes`)
  const [only] = chunks
  return { stat: opened.stat, content: chunks.length === 1 && only ? only : Buffer.concat(chunks, size) }
}
