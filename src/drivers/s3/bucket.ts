import {
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { DriverOptions, ObjectStat } from '../../storage/driver.ts'
import { BucketPresence } from '../object-store/bucket-presence.ts'
import { isNotFound, storageError } from './errors.ts'
import type { S3Options } from './options.ts'

export const CONTENT_TYPE = 'application/octet-stream'

/** What is said of every object that is made, however it is. */
type NewObject = Pick<
  PutObjectCommandInput,
  'Bucket' | 'Key' | 'ContentType' | 'StorageClass' | 'ACL' | 'ServerSideEncryption' | 'SSEKMSKeyId'
>

/** One bucket through one client: what its objects are called, whether they are there, and what its errors mean. */
export class S3Bucket {
  readonly client: S3Client
  readonly name: string
  /** What every name begins with: `''`, or a folder with its slash. */
  readonly root: string
  readonly presence: BucketPresence = new BucketPresence((signal) => this.ping(signal && { signal }))
  readonly #options: S3Options

  constructor(client: S3Client, options: S3Options) {
    this.client = client
    this.name = options.bucket
    const root = (options.rootDirectory ?? '').replace(/^\/+|(?<!\/)\/+$/g, '')
    this.root = root === '' ? '' : `${root}/`
    this.#options = options
  }

  async stat(key: string, { signal }: DriverOptions = {}): Promise<ObjectStat | undefined> {
    try {
      const found = await this.client.send(new HeadObjectCommand(this.object(key)), abortable(signal))
      this.presence.seen()
      return statOf(key, found)
    } catch (error) {
      if (!isNotFound(error)) throw this.failed(error, signal, key)
      await this.presence.require(signal)
      return undefined
    }
  }

  async ping({ signal }: DriverOptions = {}): Promise<void> {
    try {
      // Not a HEAD of the bucket, whose answer has no body that tells what is wrong.
      const input = { Bucket: this.name, Prefix: this.root, MaxKeys: 1 }
      await this.client.send(new ListObjectsV2Command(input), abortable(signal))
      this.presence.seen()
    } catch (error) {
      throw this.failed(error, signal)
    }
  }

  object(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.name, Key: this.root + key }
  }

  newObject(key: string): NewObject {
    const { storageClass, acl, serverSideEncryption, kmsKeyId } = this.#options
    return {
      ...this.object(key),
      ContentType: CONTENT_TYPE,
      ...(storageClass && { StorageClass: storageClass }),
      ...(acl && { ACL: acl }),
      ...(serverSideEncryption && { ServerSideEncryption: serverSideEncryption }),
      ...(kmsKeyId && { SSEKMSKeyId: kmsKeyId }),
    }
  }

  copySource(key: string): string {
    return `${this.name}/${(this.root + key).split('/').map(encodeURIComponent).join('/')}`
  }

  /** What is thrown for `error`: the reason of the signal where that ended the call. */
  failed(error: unknown, signal?: AbortSignal, key?: string): unknown {
    return signal?.aborted ? signal.reason : storageError(error, this.name, key)
  }
}

export function abortable(signal: AbortSignal | undefined): { readonly abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {}
}

export function statOf(
  key: string,
  found: Pick<HeadObjectCommandOutput, 'ContentLength' | 'LastModified' | 'ETag'>,
): ObjectStat {
  const { ContentLength = 0, LastModified, ETag } = found
  return {
    key,
    size: ContentLength,
    modifiedAt: LastModified ?? new Date(0),
    ...(ETag !== undefined && { version: ETag }),
  }
}
