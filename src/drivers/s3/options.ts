import {
  type ObjectCannedACL,
  S3Client,
  type S3ClientConfig,
  type ServerSideEncryption,
  type StorageClass,
} from '@aws-sdk/client-s3'
import { checkOptions, type OptionNames } from '../../arguments.ts'
import { checkPartBytes } from '../object-store/part-sizes.ts'

export interface S3Options {
  readonly bucket: string
  /** A client of yours, which stays yours to destroy. Then nothing else that concerns the connection is looked at. */
  readonly client?: S3Client
  /** Default: from the environment and the configuration files that the SDK reads. */
  readonly region?: string
  /** URL of a store other than AWS: MinIO, Ceph, R2, versitygw, … */
  readonly endpoint?: string
  /** `endpoint/bucket/key` in place of `bucket.endpoint/key`. Default: where an endpoint is given. */
  readonly forcePathStyle?: boolean
  /** Default: from where the SDK looks: environment, profile, container, instance. */
  readonly credentials?: NonNullable<S3ClientConfig['credentials']>
  /** Transfer acceleration. Default: false. */
  readonly accelerate?: boolean
  /** IPv6 and IPv4. Default: false. */
  readonly dualStack?: boolean
  /** FIPS endpoints. Default: false. */
  readonly fips?: boolean
  /**
   * Checksums of the SDK on top of our digests. `'WHEN_REQUIRED'` (default) is what every store understands;
   * `'WHEN_SUPPORTED'` is the SDK's own default.
   */
  readonly checksums?: 'WHEN_REQUIRED' | 'WHEN_SUPPORTED'
  /**
   * Bytes of the parts that uploads are cut into, to begin with: an upload holds up to three of them in memory. At least 5 MiB.
   * Default: 8 MiB. As Distribution's `chunksize`.
   */
  readonly partBytes?: number
  /** Everything lies below this prefix of the bucket. Default: none. As Distribution's `rootdirectory`. */
  readonly rootDirectory?: string
  /** Default: the bucket's. */
  readonly storageClass?: StorageClass
  /** Default: the bucket's. */
  readonly acl?: ObjectCannedACL
  /** Default: the bucket's. */
  readonly serverSideEncryption?: ServerSideEncryption
  /** Of the key for `serverSideEncryption: 'aws:kms'`. */
  readonly kmsKeyId?: string
  /**
   * Whether the store honours `If-Match` and `If-None-Match` on writes. Default: tried out by the first write that wants it.
   * `false` for a store that only pretends to.
   */
  readonly conditionalWrites?: boolean
  /** URL under which clients reach the store, for presigned URLs, where it differs from `endpoint`. */
  readonly publicEndpoint?: string
}

const S3_OPTIONS: OptionNames<S3Options> = {
  bucket: true,
  client: true,
  region: true,
  endpoint: true,
  forcePathStyle: true,
  credentials: true,
  accelerate: true,
  dualStack: true,
  fips: true,
  checksums: true,
  partBytes: true,
  rootDirectory: true,
  storageClass: true,
  acl: true,
  serverSideEncryption: true,
  kmsKeyId: true,
  conditionalWrites: true,
  publicEndpoint: true,
}

/** Long enough for a store that is far away, and not for ever: a request that hangs must come to an end. */
const CONNECTION_TIMEOUT_MS = 5_000
/** Without a byte in either direction. */
const SOCKET_IDLE_MS = 60_000
const MAX_SOCKETS = 256

/** Nothing is connected to before the first request. */
export function clientOf(options: S3Options, endpoint: string | undefined = options.endpoint): S3Client {
  const { region, credentials, forcePathStyle, accelerate, dualStack, fips, checksums = 'WHEN_REQUIRED' } = options
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS }
  return new S3Client({
    // A store of one's own has no regions, but signatures name one.
    ...(region !== undefined ? { region } : endpoint !== undefined && { region: 'us-east-1' }),
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
    forcePathStyle: forcePathStyle ?? endpoint !== undefined,
    ...(accelerate && { useAccelerateEndpoint: true }),
    ...(dualStack && { useDualstackEndpoint: true }),
    ...(fips && { useFipsEndpoint: true }),
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    maxAttempts: 3,
    // Nobody changes this client's middleware once it is used: a third of a small call's processor time.
    cacheMiddleware: true,
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      socketTimeout: SOCKET_IDLE_MS,
      httpAgent: agent,
      httpsAgent: agent,
    },
  })
}

/** @throws TypeError */
export function checkS3Options(options: S3Options): void {
  checkOptions('s3()', options, S3_OPTIONS)
  checkPartBytes(options?.partBytes)
  if (typeof options?.bucket !== 'string' || options.bucket === '') {
    throw new TypeError("s3() needs a bucket: s3({ bucket: 'images', region: 'eu-central-1' })")
  }
  if (options.endpoint !== undefined && !URL.canParse(options.endpoint)) {
    throw new TypeError(
      `the option "endpoint" must be a URL such as https://minio.example.com, not ${options.endpoint}`,
    )
  }
}
