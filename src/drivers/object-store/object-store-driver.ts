import { randomUUID } from 'node:crypto'
import { type ByteBody, bytesBody, streamBody } from '../../bytes.ts'
import {
  type CreateUploadOptions,
  type DeleteOptions,
  type DriverOptions,
  type DriverUpload,
  KeyNotFoundError,
  type ListEntry,
  type ListKeysOptions,
  type ObjectStat,
  type PutOptions,
  type ReadOptions,
  type StorageDriver,
} from '../../storage/driver.ts'
import { checkKey, checkPrefix } from '../key.ts'
import type { ObjectStore } from './object-store.ts'
import { ObjectUpload } from './object-upload.ts'
import { readObject } from './read-object.ts'
import { StagedUpload, type UploadContext } from './staged-upload.ts'

/** Keys removed by one call where a folder is deleted: as many as S3 takes. */
const DELETED_AT_ONCE = 1_000

/**
 * {@link StorageDriver} over any object store. Holds nothing but the store's client: any number of processes may work on one
 * bucket. What it answers is durable when it is answered, as the stores promise; `durable` makes no difference.
 */
export class ObjectStoreDriver implements StorageDriver {
  readonly name: string
  readonly minChunkBytes: number
  readonly signUrl?: NonNullable<StorageDriver['signUrl']>
  readonly #store: ObjectStore
  readonly #uploads: UploadContext

  constructor(store: ObjectStore) {
    this.name = store.name
    this.minChunkBytes = store.minPartBytes
    if (store.signUrl) this.signUrl = store.signUrl.bind(store)
    this.#store = store
    this.#uploads = { store, writer: randomUUID(), removeFolder: (prefix) => this.deletePrefix(prefix) }
  }

  conditionalPuts(options?: DriverOptions): Promise<boolean> {
    return this.#store.conditionalPuts(options)
  }

  async get(key: string, options?: DriverOptions): Promise<{ stat: ObjectStat; content: Uint8Array }> {
    begin(key, options)
    return readObject(this.#store, key, options)
  }

  async put(key: string, content: Uint8Array, options: PutOptions = {}): Promise<void> {
    begin(key, options)
    await this.#store.put(key, content, options)
  }

  async read(key: string, options: ReadOptions = {}): Promise<{ stat: ObjectStat; body: ByteBody }> {
    begin(key, options)
    const { range } = options
    const isEmpty = range?.end !== undefined && range.end <= range.start
    const opened = isEmpty ? 'beyond' : await this.#store.open(key, options)
    if (opened !== 'beyond') return { stat: opened.stat, body: streamBody(opened.stream, opened.size) }
    const stat = await this.#store.stat(key, options)
    if (stat === undefined) throw new KeyNotFoundError(key)
    return { stat, body: bytesBody(new Uint8Array()) }
  }

  async stat(key: string, options?: DriverOptions): Promise<ObjectStat | undefined> {
    begin(key, options)
    return this.#store.stat(key, options)
  }

  async *list(prefix: string, options: ListKeysOptions = {}): AsyncIterable<ListEntry> {
    checkPrefix(prefix)
    options.signal?.throwIfAborted()
    const folder = prefix === '' ? '' : `${prefix}/`
    const after =
      options.after === undefined || options.after <= folder ? undefined : startAfter(options.after, options)
    for await (const page of this.#store.pages(folder, { ...options, ...(after !== undefined && { after }) })) {
      options.signal?.throwIfAborted()
      for (const entry of inOrder(page)) {
        if (options.after === undefined || placeOf(entry) > options.after) yield entry
      }
    }
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<void> {
    begin(key, options)
    await this.#store.delete(key, options)
  }

  async deletePrefix(prefix: string, options: DriverOptions = {}): Promise<void> {
    checkPrefix(prefix)
    options.signal?.throwIfAborted()
    const { signal } = options
    let batch: string[] = []
    for await (const { key } of this.list(prefix, signal && { signal })) {
      batch.push(key)
      if (batch.length < DELETED_AT_ONCE) continue
      await this.#store.deleteAll(batch, options)
      batch = []
    }
    if (batch.length > 0) await this.#store.deleteAll(batch, options)
  }

  async createUpload(key: string, { takenOver = false, ...options }: CreateUploadOptions = {}): Promise<DriverUpload> {
    begin(key, options)
    return new ObjectUpload(this.#uploads, key, new StagedUpload(this.#uploads, key, takenOver))
  }

  async resumeUpload(key: string, options?: DriverOptions): Promise<DriverUpload> {
    begin(key, options)
    try {
      return new ObjectUpload(this.#uploads, key, await StagedUpload.resume(this.#uploads, key, options))
    } catch (error) {
      throw error instanceof KeyNotFoundError ? new KeyNotFoundError(key, { cause: error }) : error
    }
  }

  async ping(options?: DriverOptions): Promise<void> {
    await this.#store.ping?.(options)
  }

  async close(): Promise<void> {
    await this.#store.close?.()
  }
}

function begin(key: string, options: DriverOptions | undefined): void {
  checkKey(key)
  options?.signal?.throwIfAborted()
}

/** A shallow listing that goes on after a folder skips all that is in it: `~` sorts after every character of a key. */
function startAfter(after: string, { shallow }: ListKeysOptions): string {
  return shallow && after.endsWith('/') ? `${after}~` : after
}

/** A page brings keys and folders apart. */
function inOrder(page: readonly ListEntry[]): readonly ListEntry[] {
  return page.some(({ isPrefix }) => isPrefix) ? [...page].sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1)) : page
}

function placeOf({ key, isPrefix }: ListEntry): string {
  return isPrefix ? `${key}/` : key
}
