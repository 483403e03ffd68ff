import { IdempotencyStrategy, Storage, type StorageOptions } from '@google-cloud/storage'
import { checkOptions, type OptionNames } from '../../arguments.ts'
import { checkPartBytes } from '../object-store/part-sizes.ts'

export interface GcsOptions {
  readonly bucket: string
  /** A client of yours. Then nothing else that concerns the connection is looked at. */
  readonly storage?: Storage
  /** Path of a service account's key file. Default: Application Default Credentials. */
  readonly keyFilename?: string
  /** What is in a key file. */
  readonly credentials?: NonNullable<StorageOptions['credentials']>
  readonly projectId?: string
  /** URL of something other than Google's service: an emulator, a private endpoint. */
  readonly endpoint?: string
  /**
   * Bytes of the parts that uploads are cut into, to begin with: an upload holds up to three of them in memory. At least 5 MiB.
   * Default: 8 MiB. As Distribution's `chunksize`.
   */
  readonly partBytes?: number
  /** Everything lies below this prefix of the bucket. Default: none. As Distribution's `rootdirectory`. */
  readonly rootDirectory?: string
}

const GCS_OPTIONS: OptionNames<GcsOptions> = {
  bucket: true,
  storage: true,
  keyFilename: true,
  credentials: true,
  projectId: true,
  endpoint: true,
  partBytes: true,
  rootDirectory: true,
}

/** @throws TypeError */
export function checkGcsOptions(options: GcsOptions): void {
  checkOptions('gcs()', options, GCS_OPTIONS)
  checkPartBytes(options?.partBytes)
  if (typeof options?.bucket !== 'string' || options.bucket === '') {
    throw new TypeError("gcs() needs a bucket: gcs({ bucket: 'images' })")
  }
  if (options.endpoint !== undefined && !URL.canParse(options.endpoint)) {
    throw new TypeError(
      `the option "endpoint" must be a URL such as https://storage.example.com, not ${options.endpoint}`,
    )
  }
}

/** Nothing is connected to before the first request. */
export function clientOf({ keyFilename, credentials, projectId, endpoint }: GcsOptions): Storage {
  return new Storage({
    ...(keyFilename !== undefined && { keyFilename }),
    ...(credentials !== undefined && { credentials }),
    ...(projectId !== undefined && { projectId }),
    ...(endpoint !== undefined && { apiEndpoint: endpoint }),
    timeout: 60_000,
    retryOptions: {
      autoRetry: true,
      maxRetries: 2,
      maxRetryDelay: 2,
      totalTimeout: 60,
      // Every write of ours may be repeated: without a condition it has one content, with one it carries a mark.
      idempotencyStrategy: IdempotencyStrategy.RetryAlways,
    },
  })
}
