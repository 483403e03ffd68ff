import { type DriverOptions, KeyNotFoundError, type ObjectStat, StorageUnavailableError } from '../../storage/driver.ts'
import type { ObjectStore, OpenObject } from './object-store.ts'

/** How often an object is read that is replaced each time we look. */
const ATTEMPTS = 10
/** How often one is read whose bytes break off: no SDK repeats what it has begun to hand out. */
const BREAKS = 3

export interface ReadObject {
  readonly stat: ObjectStat
  readonly content: Uint8Array
}

/** A whole small object. @throws {@link KeyNotFoundError} */
export async function readObject(store: ObjectStore, key: string, options?: DriverOptions): Promise<ReadObject> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const found = await readWhole(store, key, options)
    const { version } = found.stat
    if (version === undefined || !store.belongsTo || store.belongsTo(version, found.content)) return found
  }
  throw new StorageUnavailableError(`${key} is being replaced faster than it can be read`)
}

async function readWhole(store: ObjectStore, key: string, options: DriverOptions | undefined): Promise<ReadObject> {
  for (let attempt = 1; ; attempt++) {
    const opened = await store.open(key, options)
    // No range was asked for: nothing to begin beyond.
    if (opened === 'beyond') throw new KeyNotFoundError(key)
    try {
      return { stat: opened.stat, content: await contentOf(opened) }
    } catch (error) {
      options?.signal?.throwIfAborted()
      if (attempt === BREAKS) throw new StorageUnavailableError(`the store breaks off within ${key}`, { cause: error })
    }
  }
}

/** @throws when there is less than was told, or more */
async function contentOf({ stream, size: expected }: OpenObject): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    size += chunk.byteLength
  }
  if (size !== expected) throw new Error(`ended after ${size} of ${expected} bytes`)
  const [only] = chunks
  return chunks.length === 1 && only ? only : Buffer.concat(chunks, size)
}
