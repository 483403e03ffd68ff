/**
 * A bucket of S3, or of whatever speaks S3.
 *
 * An object lies under its key, below `rootDirectory`: the keys that Distribution writes, so a bucket of its is served as it is.
 *
 * - An upload whose digest comes before its bytes (POST or PUT with `?digest=` and the whole body) is one `PutObject` while it is
 *   smaller than a part (8 MiB), else a multipart upload of the final key, completed once the digest is verified.
 * - Any other upload is staged: each part of 8 MiB (16 MiB from half a gigabyte on) is an object `data.part-…` beside
 *   `data.json`, the session, which is written last and names them; a short end is part of the session, or a short object that
 *   the next request replaces. The blob is then a multipart upload of server-side copies (`UploadPartCopy`), 16 at once; a
 *   small one is one `CopyObject`, or a `PutObject` of what is still in memory. Every thousand parts are joined by the same
 *   copy, so an upload of 5 TiB has few hundred.
 * - An upload holds at most three parts in memory: 24 MiB, 48 from half a gigabyte on. Straight to the final key, parts of an
 *   object of more than 12 GiB double in size every 800, up to 1 GiB: three times 128 MiB for 100 GiB.
 *
 * What a killed process leaves: parts in the folder of its upload, removed with that; and a multipart upload of a final key,
 * which is aborted when the same upload is finished elsewhere. A lifecycle rule of the bucket that aborts incomplete multipart
 * uploads after a week takes the rest.
 */
import type { StorageDriver } from '../storage/driver.ts'
import { ObjectStoreDriver } from './object-store/object-store-driver.ts'
import { checkS3Options, type S3Options } from './s3/options.ts'
import { S3Store } from './s3/s3-store.ts'

export type { S3Options } from './s3/options.ts'
export { parseS3Url } from './s3/url.ts'

/**
 * A driver over a bucket. Connects to nothing before it is used; `ping` tells whether the bucket is there.
 *
 * @throws `TypeError` for options that make no sense
 */
export function s3(options: S3Options): StorageDriver {
  checkS3Options(options)
  return new ObjectStoreDriver(new S3Store(options))
}
