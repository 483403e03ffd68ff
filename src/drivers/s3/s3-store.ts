import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import {
  type DeleteOptions,
  type DriverOptions,
  type ListEntry,
  type ListKeysOptions,
  type ObjectStat,
  PreconditionFailedError,
  type PutOptions,
  type ReadOptions,
  type StorageDriver,
} from '../../storage/driver.ts'
import type { Assembly, ObjectStore, OpenObject, Part, Source } from '../object-store/object-store.ts'
import { PART_BYTES } from '../object-store/part-sizes.ts'
import { S3Assemblies } from './assemblies.ts'
import { abortable, CONTENT_TYPE, S3Bucket, statOf } from './bucket.ts'
import { probeConditions } from './conditions.ts'
import { S3Copies } from './copies.ts'
import { isCode, isNotFound, isPreconditionFailed, readError } from './errors.ts'
import { clientOf, type S3Options } from './options.ts'
import { VersionCheck } from './version-check.ts'

const MIB = 1024 * 1024
/** Of a multipart upload's part but the last, by all stores that speak S3. */
const MIN_PART_BYTES = 5 * MIB
/** Metadata that tells one conditional write from another of the same content. */
const MARK = 'wharfage-write'

/** {@link ObjectStore} over `@aws-sdk/client-s3`. */
export class S3Store implements ObjectStore {
  readonly name = 's3'
  readonly minPartBytes: number = MIN_PART_BYTES
  readonly partBytes: number
  readonly #ownsClient: boolean
  readonly #options: S3Options
  readonly #bucket: S3Bucket
  readonly #assemblies: S3Assemblies
  readonly #copies: S3Copies
  readonly #versions = new VersionCheck()
  #signer: S3Client | undefined
  #conditions: Promise<boolean> | undefined

  constructor(options: S3Options) {
    this.partBytes = options.partBytes ?? PART_BYTES
    this.#options = options
    this.#ownsClient = options.client === undefined
    this.#bucket = new S3Bucket(options.client ?? clientOf(options), options)
    this.#assemblies = new S3Assemblies(this.#bucket)
    this.#copies = new S3Copies(this.#bucket, this.#assemblies)
    if (options.conditionalWrites !== undefined) this.#conditions = Promise.resolve(options.conditionalWrites)
  }

  conditionalPuts(): Promise<boolean> {
    this.#conditions ??= probeConditions(this).catch((error: unknown) => {
      this.#conditions = undefined
      throw error
    })
    return this.#conditions
  }

  async open(key: string, { range, signal }: ReadOptions = {}): Promise<OpenObject | 'beyond'> {
    const wanted = range && `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}`
    try {
      const input = { ...this.#bucket.object(key), ...(wanted !== undefined && { Range: wanted }) }
      const found = await this.#bucket.client.send(new GetObjectCommand(input), abortable(signal))
      this.#bucket.presence.seen()
      const size = found.ContentLength ?? 0
      const total = found.ContentRange === undefined ? size : Number(found.ContentRange.split('/')[1])
      if (!(found.Body instanceof Readable)) throw new Error('the S3 client gave no Node stream')
      return { stat: statOf(key, { ...found, ContentLength: total }), size, stream: found.Body }
    } catch (error) {
      if (range !== undefined && (isCode(error, 'InvalidRange') || readError(error)?.status === 416)) return 'beyond'
      throw this.#bucket.failed(error, signal, key)
    }
  }

  stat(key: string, options?: DriverOptions): Promise<ObjectStat | undefined> {
    return this.#bucket.stat(key, options)
  }

  belongsTo(version: string, content: Uint8Array): boolean {
    return this.#versions.belongsTo(version, content)
  }

  async put(
    key: string,
    content: Uint8Array,
    { ifVersion, signal }: Omit<PutOptions, 'durable'> = {},
  ): Promise<string | undefined> {
    const mark = ifVersion === undefined ? undefined : randomUUID()
    const condition = ifVersion === null ? { IfNoneMatch: '*' } : ifVersion !== undefined && { IfMatch: ifVersion }
    const input = {
      ...this.#bucket.newObject(key),
      ...{ ContentLength: content.byteLength, Body: content },
      ...condition,
      ...(mark !== undefined && { Metadata: { [MARK]: mark } }),
    }
    try {
      const { ETag } = await this.#bucket.client.send(new PutObjectCommand(input), abortable(signal))
      return ETag
    } catch (error) {
      if (ifVersion === undefined || mark === undefined) throw this.#bucket.failed(error, signal, key)
      const isAbsent = ifVersion !== null && isCode(error, 'NoSuchKey', 'NotFound')
      if (!isAbsent && !isPreconditionFailed(error)) throw this.#bucket.failed(error, signal, key)
      const own = await this.#writtenBy(mark, key, error)
      if (own !== undefined) return own
      throw new PreconditionFailedError(key, { cause: error })
    }
  }

  async delete(key: string, { ifVersion, signal }: Omit<DeleteOptions, 'durable'> = {}): Promise<void> {
    if (ifVersion !== undefined) {
      // Not every store that writes on a condition deletes on one, and some pass over it.
      const stat = await this.stat(key, signal && { signal })
      if (stat?.version !== ifVersion) throw new PreconditionFailedError(key)
    }
    const condition = ifVersion !== undefined && { IfMatch: ifVersion }
    try {
      await this.#bucket.client.send(
        new DeleteObjectCommand({ ...this.#bucket.object(key), ...condition }),
        abortable(signal),
      )
    } catch (error) {
      const isGone = isNotFound(error)
      if (!isGone && !(ifVersion !== undefined && isPreconditionFailed(error)))
        throw this.#bucket.failed(error, signal, key)
      // It was there a moment ago: an earlier try has deleted it, and its answer was lost.
      if (isGone || (await this.stat(key, signal && { signal })) === undefined) return
      throw new PreconditionFailedError(key, { cause: error })
    }
  }

  async deleteAll(keys: readonly string[], options: DriverOptions = {}): Promise<void> {
    const { signal } = options
    if (keys.length <= 1) {
      for (const key of keys) await this.delete(key, options)
      return
    }
    try {
      const Objects = keys.map((key) => ({ Key: this.#bucket.root + key }))
      const { Errors = [] } = await this.#bucket.client.send(
        new DeleteObjectsCommand({ Bucket: this.#bucket.name, Delete: { Objects, Quiet: true } }),
        abortable(signal),
      )
      const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey')
      if (failed) throw Object.assign(new Error(failed.Message ?? failed.Code), { Code: failed.Code, $metadata: {} })
    } catch (error) {
      // Some stores have it not, or not with the checksum that the SDK sends.
      const { status } = readError(error) ?? {}
      if (status !== 501 && status !== 400 && status !== 405) throw this.#bucket.failed(error, signal)
      for (const key of keys) await this.delete(key, options)
    }
  }

  async *pages(
    folder: string,
    { after, shallow, limit, signal }: ListKeysOptions,
  ): AsyncGenerator<readonly ListEntry[]> {
    const first = {
      Bucket: this.#bucket.name,
      Prefix: this.#bucket.root + folder,
      ...(shallow && { Delimiter: '/' }),
      ...(after !== undefined && { StartAfter: this.#bucket.root + after }),
      ...(limit !== undefined && { MaxKeys: Math.min(limit, 1_000) }),
    }
    let token: string | undefined
    do {
      const page = await this.#bucket.client
        .send(new ListObjectsV2Command({ ...first, ...(token && { ContinuationToken: token }) }), abortable(signal))
        .catch((error: unknown) => {
          throw this.#bucket.failed(error, signal)
        })
      this.#bucket.presence.seen()
      const keys = (page.Contents ?? []).flatMap(({ Key = '', Size, LastModified }): ListEntry[] => {
        const key = Key.slice(this.#bucket.root.length)
        // What a console makes of a folder: an empty object.
        if (key.endsWith('/') || key === '') return []
        return [
          {
            key,
            isPrefix: false,
            ...(Size !== undefined && { size: Size }),
            ...(LastModified && { modifiedAt: LastModified }),
          },
        ]
      })
      const folders = (page.CommonPrefixes ?? []).map(({ Prefix = '' }): ListEntry => {
        return { key: Prefix.slice(this.#bucket.root.length, -1), isPrefix: true }
      })
      yield [...keys, ...folders]
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  begin(assembly: Omit<Assembly, 'id'>, options?: DriverOptions): Promise<string> {
    return this.#assemblies.begin(assembly, options)
  }

  putPart(assembly: Assembly, number: number, content: Uint8Array, options?: DriverOptions): Promise<string> {
    return this.#assemblies.putPart(assembly, number, content, options)
  }

  complete(assembly: Assembly, parts: readonly Part[], options?: DriverOptions): Promise<void> {
    return this.#assemblies.complete(assembly, parts, options)
  }

  abandon(assembly: Assembly): Promise<void> {
    return this.#assemblies.abandon(assembly)
  }

  abandonAll(assembly: Omit<Assembly, 'id'>): Promise<void> {
    return this.#assemblies.abandonAll(assembly)
  }

  copy(sources: readonly Source[], target: string, scratch: string, options?: DriverOptions): Promise<void> {
    return this.#copies.copy(sources, target, scratch, options)
  }

  signUrl: NonNullable<StorageDriver['signUrl']> = async (key, { method, expiresInMs }) => {
    const input = { ...this.#bucket.object(key), ResponseContentType: CONTENT_TYPE }
    const command = method === 'HEAD' ? new HeadObjectCommand(input) : new GetObjectCommand(input)
    try {
      return new URL(await getSignedUrl(this.#signing(), command, { expiresIn: Math.ceil(expiresInMs / 1000) }))
    } catch (error) {
      throw this.#bucket.failed(error)
    }
  }

  ping(options?: DriverOptions): Promise<void> {
    return this.#bucket.ping(options)
  }

  async close(): Promise<void> {
    this.#signer?.destroy()
    if (this.#ownsClient) this.#bucket.client.destroy()
  }

  /** The version of an object that carries `mark`: then an earlier try of the write whose condition failed had gone through. */
  async #writtenBy(mark: string, key: string, error: unknown): Promise<string | undefined> {
    if ((readError(error)?.attempts ?? 1) < 2) return undefined
    const found = await this.#bucket.client.send(new HeadObjectCommand(this.#bucket.object(key))).catch(() => undefined)
    return found?.Metadata?.[MARK] === mark ? found.ETag : undefined
  }

  #signing(): S3Client {
    const { publicEndpoint } = this.#options
    if (publicEndpoint === undefined) return this.#bucket.client
    this.#signer ??= clientOf({ ...this.#options, credentials: this.#bucket.client.config.credentials }, publicEndpoint)
    return this.#signer
  }
}
