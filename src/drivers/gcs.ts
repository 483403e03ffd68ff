/**
 * A bucket of Google Cloud Storage.
 *
 * An object lies under its key, below `rootDirectory`: the names that Distribution writes, so a bucket of its is served as it is.
 *
 * An upload whose digest comes before its bytes is one simple upload while it is smaller than a part (8 MiB); else its parts are
 * objects `data.piece-…` in the folder of the upload, which the service composes to the final one once the digest is verified.
 * Any other is staged: each part of 8 MiB (16 MiB from half a gigabyte on) is an object `data.part-…` beside `data.json`, the
 * session, which is written last and names them, and they are composed in the same way. One call composes 32 objects; more go
 * by a tree. No resumable uploads: they cannot be listed, joined, or continued by two processes.
 *
 * Conditions are generations. What a killed process leaves are objects in the folder of its upload, removed with that.
 */
import type { StorageDriver } from '../storage/driver.ts'
import { GcsStore } from './gcs/gcs-store.ts'
import { checkGcsOptions, type GcsOptions } from './gcs/options.ts'
import { ObjectStoreDriver } from './object-store/object-store-driver.ts'

export type { GcsOptions } from './gcs/options.ts'
export { parseGcsUrl } from './gcs/url.ts'

/**
 * A driver over a bucket. Connects to nothing before it is used; `ping` tells whether the bucket is there.
 *
 * @throws `TypeError` for options that make no sense
 */
export function gcs(options: GcsOptions): StorageDriver {
  checkGcsOptions(options)
  return new ObjectStoreDriver(new GcsStore(options))
}
