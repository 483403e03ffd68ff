import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
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
import { BucketPresence } from '../object-store/bucket-presence.ts'
import { copyRanges } from '../object-store/copy-ranges.ts'
import type { Assembly, ObjectStore, OpenObject, Part, Source } from '../object-store/object-store.ts'
import { PART_BYTES } from '../object-store/part-sizes.ts'
import { probeConditions } from './conditions.ts'
import { isCode, isNotFound, isPreconditionFailed, readError, storageError } from './errors.ts'
import { clientOf, type S3Options } from './options.ts'
import { VersionCheck } from './version-check.ts'

const MIB = 1024 * 1024
/** Of a multipart upload's part but the last, by all stores that speak S3. */
const MIN_PART_BYTES = 5 * MIB
/** Up to here one call copies faster than several. */
const COPIED_AT_ONCE_BYTES = 32 * MIB
const COPIES_AT_ONCE = 16
/** How often a copy begins again when somebody has swept away what it had begun. */
const COPY_ATTEMPTS = 3
const CONTENT_TYPE = 'application/octet-stream'
/** Metadata that tells one conditional write from another of the same content. */
const MARK = 'wharfage-write'

/** {@link ObjectStore} over `@aws-sdk/client-s3`. */
export class S3Store implements ObjectStore {
  readonly name = 's3'
  readonly minPartBytes: number = MIN_PART_BYTES
  readonly partBytes: number
  readonly #client: S3Client
  readonly #ownsClient: boolean
  readonly #bucket: string
  readonly #root: string
  readonly #options: S3Options
  readonly #versions = new VersionCheck()
  #signer: S3Client | undefined
  #conditions: Promise<boolean> | undefined
  readonly #presence = new BucketPresence((signal) => this.ping(signal && { signal }))

  constructor(options: S3Options) {
    this.partBytes = options.partBytes ?? PART_BYTES
    this.#options = options
    this.#bucket = options.bucket
    const root = (options.rootDirectory ?? '').replace(/^\/+|\/+$/g, '')
    this.#root = root === '' ? '' : `${root}/`
    this.#ownsClient = options.client === undefined
    this.#client = options.client ?? clientOf(options)
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
      const input = { ...this.#object(key), ...(wanted !== undefined && { Range: wanted }) }
      const found = await this.#client.send(new GetObjectCommand(input), abortable(signal))
      this.#presence.seen()
      const size = found.ContentLength ?? 0
      const total = found.ContentRange === undefined ? size : Number(found.ContentRange.split('/')[1])
      if (!(found.Body instanceof Readable)) throw new Error('the S3 client gave no Node stream')
      return { stat: statOf(key, { ...found, ContentLength: total }), size, stream: found.Body }
    } catch (error) {
      if (range !== undefined && (isCode(error, 'InvalidRange') || readError(error)?.status === 416)) return 'beyond'
      throw this.#failed(error, signal, key)
    }
  }

  belongsTo(version: string, content: Uint8Array): boolean {
    return this.#versions.belongsTo(version, content)
  }

  async stat(key: string, { signal }: DriverOptions = {}): Promise<ObjectStat | undefined> {
    try {
      const found = await this.#client.send(new HeadObjectCommand(this.#object(key)), abortable(signal))
      this.#presence.seen()
      return statOf(key, found)
    } catch (error) {
      if (!isNotFound(error)) throw this.#failed(error, signal, key)
      await this.#presence.require(signal)
      return undefined
    }
  }

  async put(
    key: string,
    content: Uint8Array,
    { ifVersion, signal }: Omit<PutOptions, 'durable'> = {},
  ): Promise<string | undefined> {
    const mark = ifVersion === undefined ? undefined : randomUUID()
    const condition = ifVersion === null ? { IfNoneMatch: '*' } : ifVersion !== undefined && { IfMatch: ifVersion }
    const input = {
      ...this.#newObject(key),
      ...{ ContentLength: content.byteLength, Body: content },
      ...condition,
      ...(mark !== undefined && { Metadata: { [MARK]: mark } }),
    }
    try {
      const { ETag } = await this.#client.send(new PutObjectCommand(input), abortable(signal))
      return ETag
    } catch (error) {
      if (ifVersion === undefined || mark === undefined) throw this.#failed(error, signal, key)
      const isAbsent = ifVersion !== null && isCode(error, 'NoSuchKey', 'NotFound')
      if (!isAbsent && !isPreconditionFailed(error)) throw this.#failed(error, signal, key)
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
      await this.#client.send(new DeleteObjectCommand({ ...this.#object(key), ...condition }), abortable(signal))
    } catch (error) {
      const isGone = isNotFound(error)
      if (!isGone && !(ifVersion !== undefined && isPreconditionFailed(error))) throw this.#failed(error, signal, key)
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
      const Objects = keys.map((key) => ({ Key: this.#root + key }))
      const { Errors = [] } = await this.#client.send(
        new DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects, Quiet: true } }),
        abortable(signal),
      )
      const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey')
      if (failed) throw Object.assign(new Error(failed.Message ?? failed.Code), { Code: failed.Code, $metadata: {} })
    } catch (error) {
      // Some stores have it not, or not with the checksum that the SDK sends.
      const { status } = readError(error) ?? {}
      if (status !== 501 && status !== 400 && status !== 405) throw this.#failed(error, signal)
      for (const key of keys) await this.delete(key, options)
    }
  }

  async *pages(
    folder: string,
    { after, shallow, limit, signal }: ListKeysOptions,
  ): AsyncGenerator<readonly ListEntry[]> {
    const first = {
      Bucket: this.#bucket,
      Prefix: this.#root + folder,
      ...(shallow && { Delimiter: '/' }),
      ...(after !== undefined && { StartAfter: this.#root + after }),
      ...(limit !== undefined && { MaxKeys: Math.min(limit, 1_000) }),
    }
    let token: string | undefined
    do {
      const page = await this.#client
        .send(new ListObjectsV2Command({ ...first, ...(token && { ContinuationToken: token }) }), abortable(signal))
        .catch((error: unknown) => {
          throw this.#failed(error, signal)
        })
      this.#presence.seen()
      const keys = (page.Contents ?? []).flatMap(({ Key = '', Size, LastModified }): ListEntry[] => {
        const key = Key.slice(this.#root.length)
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
        return { key: Prefix.slice(this.#root.length, -1), isPrefix: true }
      })
      yield [...keys, ...folders]
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  async begin({ key }: Omit<Assembly, 'id'>, { signal }: DriverOptions = {}): Promise<string> {
    try {
      const command = new CreateMultipartUploadCommand(this.#newObject(key))
      const { UploadId } = await this.#client.send(command, abortable(signal))
      if (UploadId === undefined) throw new Error('the store began a multipart upload and did not say which')
      return UploadId
    } catch (error) {
      throw this.#failed(error, signal)
    }
  }

  async putPart(
    { key, id }: Assembly,
    number: number,
    content: Uint8Array,
    { signal }: DriverOptions = {},
  ): Promise<string> {
    const input = { ...this.#object(key), UploadId: id, PartNumber: number, Body: content }
    try {
      const { ETag } = await this.#client.send(
        new UploadPartCommand({ ...input, ContentLength: content.byteLength }),
        abortable(signal),
      )
      return tagOf(ETag)
    } catch (error) {
      throw this.#failed(error, signal)
    }
  }

  async complete({ key, id }: Assembly, parts: readonly Part[], { signal }: DriverOptions = {}): Promise<void> {
    const Parts = parts.map(({ number, tag }) => ({ PartNumber: number, ETag: tag }))
    try {
      await this.#client.send(
        new CompleteMultipartUploadCommand({ ...this.#object(key), UploadId: id, MultipartUpload: { Parts } }),
        abortable(signal),
      )
    } catch (error) {
      // It may have been completed already, and the answer lost.
      const size = parts.reduce((sum, part) => sum + part.size, 0)
      if (isCode(error, 'NoSuchUpload') && (await this.stat(key))?.size === size) return
      throw this.#failed(error, signal)
    }
  }

  async abandon({ key, id }: Assembly): Promise<void> {
    try {
      await this.#client.send(new AbortMultipartUploadCommand({ ...this.#object(key), UploadId: id }))
    } catch (error) {
      if (!isCode(error, 'NoSuchUpload')) throw this.#failed(error)
    }
  }

  async abandonAll({ key, scratch }: Omit<Assembly, 'id'>): Promise<void> {
    let marker: { readonly KeyMarker: string; readonly UploadIdMarker: string } | undefined
    do {
      const page = await this.#client
        .send(new ListMultipartUploadsCommand({ Bucket: this.#bucket, Prefix: this.#root + key, ...marker }))
        .catch((error: unknown) => {
          throw this.#failed(error)
        })
      for (const { Key, UploadId } of page.Uploads ?? []) {
        if (Key === this.#root + key && UploadId) await this.abandon({ key, scratch, id: UploadId })
      }
      const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page
      marker =
        IsTruncated && NextKeyMarker && NextUploadIdMarker
          ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker }
          : undefined
    } while (marker !== undefined)
  }

  async copy(
    sources: readonly Source[],
    target: string,
    scratch: string,
    { signal }: DriverOptions = {},
  ): Promise<void> {
    const [only] = sources
    if (sources.length === 1 && only && only.size <= COPIED_AT_ONCE_BYTES) return this.#copyObject(only.key, target)
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#copyParts(sources, { key: target, scratch }, signal)
        return
      } catch (error) {
        if (!isCode(error, 'NoSuchUpload')) throw error
        // Somebody who published the same bytes has swept up behind a process that was killed.
        const size = sources.reduce((sum, source) => sum + source.size, 0)
        if ((await this.stat(target))?.size === size) return
        if (attempt === COPY_ATTEMPTS) throw error
      }
    }
  }

  signUrl: NonNullable<StorageDriver['signUrl']> = async (key, { method, expiresInMs }) => {
    const input = { ...this.#object(key), ResponseContentType: CONTENT_TYPE }
    const command = method === 'HEAD' ? new HeadObjectCommand(input) : new GetObjectCommand(input)
    try {
      return new URL(await getSignedUrl(this.#signing(), command, { expiresIn: Math.ceil(expiresInMs / 1000) }))
    } catch (error) {
      throw this.#failed(error)
    }
  }

  async ping({ signal }: DriverOptions = {}): Promise<void> {
    try {
      // Not a HEAD of the bucket, whose answer has no body that tells what is wrong.
      const input = { Bucket: this.#bucket, Prefix: this.#root, MaxKeys: 1 }
      await this.#client.send(new ListObjectsV2Command(input), abortable(signal))
      this.#presence.seen()
    } catch (error) {
      throw this.#failed(error, signal)
    }
  }

  async close(): Promise<void> {
    this.#signer?.destroy()
    if (this.#ownsClient) this.#client.destroy()
  }

  async #copyObject(source: string, target: string): Promise<void> {
    try {
      await this.#client.send(
        new CopyObjectCommand({
          ...this.#newObject(target),
          CopySource: this.#copySource(source),
          MetadataDirective: 'REPLACE',
        }),
      )
    } catch (error) {
      throw this.#failed(error, undefined, source)
    }
  }

  async #copyParts(
    sources: readonly Source[],
    place: Omit<Assembly, 'id'>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const assembly = { ...place, id: await this.begin(place, signal && { signal }) }
    const ranges = copyRanges(sources)
    const parts: Part[] = []
    let next = 0
    const work = async () => {
      for (let index = next++; index < ranges.length; index = next++) {
        const range = ranges[index]
        if (range === undefined) return
        const { CopyPartResult } = await this.#client.send(
          new UploadPartCopyCommand({
            ...this.#object(assembly.key),
            UploadId: assembly.id,
            PartNumber: index + 1,
            CopySource: this.#copySource(range.key),
            ...(!range.isWhole && { CopySourceRange: `bytes=${range.start}-${range.end - 1}` }),
          }),
          abortable(signal),
        )
        parts[index] = { number: index + 1, size: range.end - range.start, tag: tagOf(CopyPartResult?.ETag) }
      }
    }
    const copied = await Promise.allSettled(Array.from({ length: COPIES_AT_ONCE }, work))
    const failed = copied.find((one) => one.status === 'rejected')
    if (failed !== undefined) {
      await this.abandon(assembly).catch(() => {}) // the first failure is what there is to tell
      throw this.#failed(failed.reason, signal)
    }
    await this.complete(assembly, parts, signal && { signal })
  }

  /** The version of an object that carries `mark`: then an earlier try of the write whose condition failed had gone through. */
  async #writtenBy(mark: string, key: string, error: unknown): Promise<string | undefined> {
    if ((readError(error)?.attempts ?? 1) < 2) return undefined
    const found = await this.#client.send(new HeadObjectCommand(this.#object(key))).catch(() => undefined)
    return found?.Metadata?.[MARK] === mark ? found.ETag : undefined
  }

  #object(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: this.#root + key }
  }

  #newObject(key: string) {
    const { storageClass, acl, serverSideEncryption, kmsKeyId } = this.#options
    return {
      ...this.#object(key),
      ContentType: CONTENT_TYPE,
      ...(storageClass && { StorageClass: storageClass }),
      ...(acl && { ACL: acl }),
      ...(serverSideEncryption && { ServerSideEncryption: serverSideEncryption }),
      ...(kmsKeyId && { SSEKMSKeyId: kmsKeyId }),
    }
  }

  #copySource(key: string): string {
    return `${this.#bucket}/${(this.#root + key).split('/').map(encodeURIComponent).join('/')}`
  }

  #signing(): S3Client {
    const { publicEndpoint } = this.#options
    if (publicEndpoint === undefined) return this.#client
    this.#signer ??= clientOf({ ...this.#options, credentials: this.#client.config.credentials }, publicEndpoint)
    return this.#signer
  }

  #failed(error: unknown, signal?: AbortSignal, key?: string): unknown {
    return signal?.aborted ? signal.reason : storageError(error, this.#bucket, key)
  }
}

function abortable(signal: AbortSignal | undefined): { readonly abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {}
}

function statOf(
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

function tagOf(tag: string | undefined): string {
  if (tag === undefined) throw new Error('the store took a part and gave no tag for it')
  return tag
}
