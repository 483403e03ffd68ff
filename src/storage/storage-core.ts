import { consoleLogger, type Logger } from '../logger.ts'
import { BlobFacts } from './blob-facts.ts'
import { type DescriptorCache, MemoryCache } from './descriptor-cache.ts'
import type { StorageDriver } from './driver.ts'
import { ExpiredUploads } from './expired-uploads.ts'
import { ManifestCache } from './manifest-cache.ts'
import { OpenUploads } from './open-uploads.ts'
import { translateOutages } from './translate-outages.ts'
import { UploadTable } from './upload-table.ts'
import { WriteIntents } from './write-intents.ts'

/** Which references of a manifest may be missing when it is pushed. */
export type Sparseness =
  /** Every config, layer and child must be there. */
  | 'none'
  /** An index may lack platforms, an image may not lack layers. */
  | 'index'
  /** Nothing needs to be there. */
  | 'all'

export interface StorageOptions {
  /** Which references of a manifest may be missing when it is pushed. Default: `'index'`. */
  readonly sparse?: Sparseness
  /** Default: warnings and errors to standard error. */
  readonly logger?: Logger
  /**
   * For how long, in milliseconds, a collection leaves alone what nothing references yet. A client that was told by HEAD that a
   * blob is here relies on it for that long. Default: 24 hours.
   */
  readonly gracePeriodMs?: number
  /**
   * Where what was found out about blobs is remembered. Default: 16 MiB of this process's memory; `redisCache(client)` for many
   * nodes over one bucket. Nothing that is not in the storage is ever served out of it.
   */
  readonly cache?: DescriptorCache
  /**
   * For how long, in milliseconds, a blob that was seen in a repository may be told, and redirected to, without looking whether
   * it still is. Deleting the blob through a registry with the same cache counts
   * at once, whatever else takes it away after that time. Default: 0, always look.
   */
  readonly linkTtlMs?: number
  /**
   * Uploads of one repository that may be open at once; one more is refused with `TOOMANYREQUESTS` (429). Each process counts those
   * that were begun in it, and leaves out what nobody touched for an hour. Default: 1000.
   */
  readonly maxUploadsPerRepository?: number
  /** The same of one actor, over all repositories. Anonymous and programmatic uploads have none. Default: 100. */
  readonly maxUploadsPerActor?: number
  /**
   * For how long an upload may be gone on with, in milliseconds. An older one is unknown, and is taken away when somebody asks for it
   * or, a day later, begins to upload to its repository. Default: 7 days.
   */
  readonly uploadLifetimeMs?: number
}

const DAY_MS = 24 * 60 * 60 * 1000

/**
 * What the stores of all repositories over one driver share: to be made once where stores are used without a `Registry`.
 * Everything in it can be lost: the truth is in the driver.
 */
export class StorageCore {
  readonly driver: StorageDriver
  /** @internal */
  readonly intents: WriteIntents
  /** @internal */
  readonly uploads: UploadTable = new UploadTable()
  /** @internal */
  readonly openUploads: OpenUploads
  /** @internal */
  readonly expiredUploads: ExpiredUploads
  /** @internal */
  readonly manifestCache: ManifestCache = new ManifestCache()
  /** @internal */
  readonly facts: BlobFacts
  readonly sparse: Sparseness
  readonly gracePeriodMs: number
  readonly logger: Logger

  constructor(driver: StorageDriver, options: StorageOptions = {}) {
    this.driver = translateOutages(driver)
    this.logger = options.logger ?? consoleLogger
    this.intents = new WriteIntents(this.driver, this.logger)
    const { maxUploadsPerRepository = 1000, maxUploadsPerActor = 100, uploadLifetimeMs = 7 * DAY_MS } = options
    this.openUploads = new OpenUploads(this.driver, {
      maxPerRepository: maxUploadsPerRepository,
      maxPerActor: maxUploadsPerActor,
    })
    this.expiredUploads = new ExpiredUploads(this.driver, uploadLifetimeMs, this.logger)
    this.facts = new BlobFacts(options.cache ?? new MemoryCache(), options.linkTtlMs ?? 0, this.logger)
    this.sparse = options.sparse ?? 'index'
    this.gracePeriodMs = options.gracePeriodMs ?? DAY_MS
  }

  /** Lets a store be made from a driver alone. */
  static over(storage: StorageDriver | StorageCore): StorageCore {
    return storage instanceof StorageCore ? storage : new StorageCore(storage)
  }

  /** Waits for what goes on in the background, then closes the driver. */
  async close(): Promise<void> {
    await this.expiredUploads.close()
    await this.intents.close()
    await this.driver.close?.()
  }
}
