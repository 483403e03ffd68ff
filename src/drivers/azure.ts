/**
 * A container of Azure Blob Storage.
 *
 * A blob lies under its key, below `rootDirectory`: the names that Distribution writes, so a container of its is served as it is.
 *
 * All are block blobs. An upload whose digest comes before its bytes is one Put Blob while it is smaller than a part (8 MiB),
 * else blocks of the final blob, which a block list makes visible once the digest is verified. Any other is staged: each part
 * of 8 MiB (16 MiB from half a gigabyte on) is a blob `data.part-…` beside `data.json`, the session, which is written last and
 * names them; the final blob is then made of blocks that the service copies itself (Put Block From URL), 16 at once.
 *
 * Blocks on their way to one blob are one heap, whoever sends them, and whoever commits a list throws the others away. That is
 * borne: a blob that is made of blocks has one content for ever, so whoever finds its blocks gone finds the blob there. Blocks
 * that a killed process leaves are dropped by the service after a week, and by nothing else.
 *
 * Append blobs, as which Distribution stores its uploads, are read, and replaced where they are small; they are never written.
 * Accounts with a hierarchical namespace list in another order than that of bytes: they are not supported.
 */
import type { StorageDriver } from '../storage/driver.ts'
import { AzureStore } from './azure/azure-store.ts'
import { type AzureOptions, checkAzureOptions } from './azure/options.ts'
import { ObjectStoreDriver } from './object-store/object-store-driver.ts'

export type { AzureOptions, AzureTokenCredential } from './azure/options.ts'
export { parseAzureUrl } from './azure/url.ts'

/**
 * A driver over a container. Connects to nothing before it is used; `ping` tells whether the container is there.
 *
 * @throws `TypeError` for options that make no sense
 */
export function azure(options: AzureOptions): StorageDriver {
  checkAzureOptions(options)
  return new ObjectStoreDriver(new AzureStore(options))
}
