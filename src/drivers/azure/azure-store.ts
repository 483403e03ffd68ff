import { randomBytes, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import type { BlockBlobClient, ContainerClient } from '@azure/storage-blob'
import { inParallel } from '../../in-parallel.ts'
import {
  type DeleteOptions,
  type DriverOptions,
  KeyNotFoundError,
  type ListEntry,
  type ListKeysOptions,
  type ObjectStat,
  PreconditionFailedError,
  type PutOptions,
  type ReadOptions,
  type StorageDriver,
} from '../../storage/driver.ts'
import { copyRanges } from '../object-store/copy-ranges.ts'
import { withDeadline } from '../object-store/deadline.ts'
import type { Assembly, ObjectStore, OpenObject, Part, Source } from '../object-store/object-store.ts'
import { PART_BYTES } from '../object-store/part-sizes.ts'
import { isAbsent, isCode, isPreconditionFailed, readError, storageError } from './errors.ts'
import { type AzureOptions, clientOf } from './options.ts'
import { AzureSignatures } from './signatures.ts'

const MIB = 1024 * 1024
/** Azure asks for none; much smaller ones only cost calls. */
const MIN_PART_BYTES = 4 * MIB
/** Of 50,000 that a blob may have. */
const MAX_BLOCKS = 40_000
const AT_ONCE = 16
const MAX_PAGE_SIZE = 5_000
const CONTENT_TYPE = 'application/octet-stream'
/** Metadata that tells one conditional write from another of the same content. */
const MARK = 'wharfagewrite'
/** In place of a block that was not written, because the blob is there in a shape that takes none. */
const PRESENT = 'present'

/** {@link ObjectStore} over `@azure/storage-blob`. */
export class AzureStore implements ObjectStore {
  readonly name = 'azure'
  readonly minPartBytes: number = MIN_PART_BYTES
  readonly partBytes: number
  readonly #container: ContainerClient
  readonly #root: string
  readonly #signatures: AzureSignatures

  constructor(options: AzureOptions) {
    this.partBytes = options.partBytes ?? PART_BYTES
    this.#container = options.containerClient ?? clientOf(options)
    const root = (options.rootDirectory ?? '').replace(/^\/+|(?<!\/)\/+$/g, '')
    this.#root = root === '' ? '' : `${root}/`
    this.#signatures = new AzureSignatures(this.#container)
  }

  conditionalPuts(): Promise<boolean> {
    return Promise.resolve(true)
  }

  async open(key: string, { range, signal }: ReadOptions = {}): Promise<OpenObject | 'beyond'> {
    const { start = 0, end } = range ?? {}
    const count = end === undefined ? undefined : end - start
    try {
      const found = await withDeadline(signal, (abortSignal) =>
        this.#blob(key).download(start, count, { abortSignal, maxRetryRequests: 0 }),
      )
      const size = found.contentLength ?? 0
      const total = found.contentRange === undefined ? size : Number(found.contentRange.split('/')[1])
      if (!(found.readableStreamBody instanceof Readable)) throw new Error('the Azure client gave no Node stream')
      return { stat: statOf(key, total, found), size, stream: found.readableStreamBody }
    } catch (error) {
      if (range !== undefined && (isCode(error, 'InvalidRange') || readError(error)?.status === 416)) return 'beyond'
      throw this.#failed(error, signal, key)
    }
  }

  async stat(key: string, { signal }: DriverOptions = {}): Promise<ObjectStat | undefined> {
    try {
      const found = await withDeadline(signal, (abortSignal) => this.#blob(key).getProperties({ abortSignal }))
      return statOf(key, found.contentLength ?? 0, found)
    } catch (error) {
      const failed = this.#failed(error, signal, key)
      if (failed instanceof KeyNotFoundError) return undefined
      throw failed
    }
  }

  async put(
    key: string,
    content: Uint8Array,
    { ifVersion, signal }: Omit<PutOptions, 'durable'> = {},
  ): Promise<string | undefined> {
    const mark = ifVersion === undefined ? undefined : randomUUID()
    const conditions = ifVersion === null ? { ifNoneMatch: '*' } : ifVersion !== undefined && { ifMatch: ifVersion }
    try {
      const { etag } = await withDeadline(signal, (abortSignal) =>
        this.#blob(key).upload(asBuffer(content), content.byteLength, {
          abortSignal,
          blobHTTPHeaders: { blobContentType: CONTENT_TYPE },
          ...(conditions && { conditions }),
          ...(mark !== undefined && { metadata: { [MARK]: mark } }),
        }),
      )
      return etag
    } catch (error) {
      const failed = mark !== undefined && (isPreconditionFailed(error) || isAbsent(error))
      if (!failed) throw this.#failed(error, signal, key)
      // An earlier try of this very write may have gone through, and its answer been lost.
      const now = await this.#blob(key)
        .getProperties()
        .catch(() => undefined)
      if (now?.metadata?.[MARK] === mark) return now?.etag
      const outage = this.#failed(error)
      throw outage === error ? new PreconditionFailedError(key, { cause: error }) : outage
    }
  }

  async delete(key: string, { ifVersion, signal }: Omit<DeleteOptions, 'durable'> = {}): Promise<void> {
    if (ifVersion !== undefined && (await this.stat(key, signal && { signal }))?.version !== ifVersion) {
      throw new PreconditionFailedError(key)
    }
    const conditions = ifVersion !== undefined && { conditions: { ifMatch: ifVersion } }
    try {
      await withDeadline(signal, (abortSignal) => this.#blob(key).delete({ abortSignal, ...conditions }))
    } catch (error) {
      const failed = this.#failed(error, signal, key)
      if (failed instanceof KeyNotFoundError) return
      // Where it was there a moment ago, an earlier try has deleted it, and its answer was lost.
      const isGone = isPreconditionFailed(error) && (await this.stat(key, signal && { signal })) === undefined
      if (!isGone) throw failed
    }
  }

  async deleteAll(keys: readonly string[], options: DriverOptions = {}): Promise<void> {
    const [first, ...others] = keys
    if (first !== undefined) await this.delete(first, options)
    await inParallel(others, AT_ONCE, (key) => this.delete(key, options))
  }

  async *pages(
    folder: string,
    { after, shallow, limit, signal }: ListKeysOptions,
  ): AsyncGenerator<readonly ListEntry[]> {
    const options = {
      prefix: this.#root + folder,
      ...(after !== undefined && { startFrom: this.#root + after }),
      ...(signal && { abortSignal: signal }),
    }
    const settings = { maxPageSize: Math.min(limit ?? MAX_PAGE_SIZE, MAX_PAGE_SIZE) }
    const pages = shallow
      ? this.#container.listBlobsByHierarchy('/', options).byPage(settings)
      : this.#container.listBlobsFlat(options).byPage(settings)
    try {
      for await (const { segment } of pages) {
        const keys = segment.blobItems.map(({ name, properties: { contentLength, lastModified } }): ListEntry => {
          const size = contentLength !== undefined && { size: contentLength }
          return { key: name.slice(this.#root.length), isPrefix: false, ...size, modifiedAt: lastModified }
        })
        const folders = prefixesOf(segment).map(({ name }): ListEntry => {
          return { key: name.slice(this.#root.length, -1), isPrefix: true }
        })
        yield [...keys, ...folders]
      }
    } catch (error) {
      throw this.#failed(error, signal)
    }
  }

  async begin(): Promise<string> {
    return randomBytes(8).toString('hex')
  }

  async putPart(
    { key, id }: Assembly,
    number: number,
    content: Uint8Array,
    { signal }: DriverOptions = {},
  ): Promise<string> {
    const block = blockId(id, number)
    try {
      await withDeadline(signal, (abortSignal) =>
        this.#blob(key).stageBlock(block, asBuffer(content), content.byteLength, { abortSignal }),
      )
      return block
    } catch (error) {
      if (isCode(error, 'InvalidBlobType')) return PRESENT
      throw this.#failed(error, signal)
    }
  }

  async complete({ key }: Assembly, parts: readonly Part[], { signal }: DriverOptions = {}): Promise<void> {
    await this.#commit(
      key,
      parts.map(({ tag }) => tag),
      parts.reduce((sum, { size }) => sum + size, 0),
      signal,
    )
  }

  /** Blocks that no list names are dropped by the service after a week, and nothing else drops them. */
  async abandon(): Promise<void> {}

  async abandonAll(): Promise<void> {}

  async copy(
    sources: readonly Source[],
    target: string,
    _scratch: string,
    { signal }: DriverOptions = {},
  ): Promise<void> {
    const id = await this.begin()
    const ranges = copyRanges(sources, MAX_BLOCKS)
    const blocks: string[] = ranges.map((_, index) => blockId(id, index + 1))
    const blob = this.#blob(target)
    try {
      await inParallel(ranges, AT_ONCE, async ({ key, start, end }, index) => {
        const { url, authorization } = await this.#signatures.source(this.#blob(key))
        await withDeadline(signal, (abortSignal) =>
          blob.stageBlockFromURL(blocks[index] ?? '', url, start, end - start, {
            abortSignal,
            ...(authorization && { sourceAuthorization: authorization }),
          }),
        )
      })
    } catch (error) {
      if (!isCode(error, 'InvalidBlobType')) throw this.#failed(error, signal)
      blocks.fill(PRESENT)
    }
    const size = sources.reduce((sum, source) => sum + source.size, 0)
    await this.#commit(target, blocks, size, signal)
  }

  signUrl: NonNullable<StorageDriver['signUrl']> = async (key, { expiresInMs }) => {
    try {
      return await this.#signatures.url(this.#blob(key), expiresInMs, CONTENT_TYPE)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  async ping({ signal }: DriverOptions = {}): Promise<void> {
    try {
      await withDeadline(signal, async (abortSignal) => {
        await this.#container.listBlobsFlat({ prefix: this.#root, abortSignal }).byPage({ maxPageSize: 1 }).next()
      })
    } catch (error) {
      throw this.#failed(error, signal)
    }
  }

  /**
   * Blocks on their way to one blob are one heap, whoever sends them: whoever commits a list throws away what it does not
   * name. Keys that are assembled hold one content for ever, so whoever finds its blocks gone looks whether that is there.
   */
  async #commit(key: string, blocks: readonly string[], size: number, signal: AbortSignal | undefined): Promise<void> {
    try {
      if (blocks.includes(PRESENT)) throw new Error(`${key} is there, and is not a block blob`)
      await withDeadline(signal, (abortSignal) =>
        this.#blob(key).commitBlockList([...blocks], {
          abortSignal,
          blobHTTPHeaders: { blobContentType: CONTENT_TYPE },
        }),
      )
    } catch (error) {
      const isGone = blocks.includes(PRESENT) || isCode(error, 'InvalidBlockList', 'InvalidBlobType')
      if (isGone && (await this.stat(key))?.size === size) return
      throw this.#failed(error, signal)
    }
  }

  #blob(key: string): BlockBlobClient {
    return this.#container.getBlockBlobClient(this.#root + key)
  }

  #failed(error: unknown, signal?: AbortSignal, key?: string): unknown {
    return signal?.aborted ? signal.reason : storageError(error, this.#container.containerName, key)
  }
}

function prefixesOf(segment: {
  readonly blobItems: unknown
  readonly blobPrefixes?: readonly { readonly name: string }[]
}): readonly { readonly name: string }[] {
  return segment.blobPrefixes ?? []
}

/** All that are on their way to one blob must be of one length. */
function blockId(id: string, number: number): string {
  return Buffer.from(`${id}-${String(number).padStart(6, '0')}`).toString('base64')
}

function asBuffer(content: Uint8Array): Buffer {
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength)
}

function statOf(
  key: string,
  size: number,
  { etag, lastModified }: { readonly etag?: string; readonly lastModified?: Date },
): ObjectStat {
  return { key, size, modifiedAt: lastModified ?? new Date(0), ...(etag !== undefined && { version: etag }) }
}
