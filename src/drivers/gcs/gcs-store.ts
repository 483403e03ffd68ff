import { randomBytes, randomUUID } from 'node:crypto'
import type { Bucket, File } from '@google-cloud/storage'
import { inParallel } from '../../in-parallel.ts'
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
import { withDeadline } from '../object-store/deadline.ts'
import type { Assembly, ObjectStore, OpenObject, Part, Source } from '../object-store/object-store.ts'
import { PART_BYTES } from '../object-store/part-sizes.ts'
import { compose } from './compose.ts'
import { GcsDownloads } from './download.ts'
import { isAbsent, isPreconditionFailed, readError, storageError } from './errors.ts'
import { clientOf, type GcsOptions } from './options.ts'

const MIB = 1024 * 1024
/** Google asks for none; much smaller ones only cost calls. */
const MIN_PART_BYTES = 4 * MIB
const AT_ONCE = 16
const MAX_PAGE_SIZE = 1_000
/** For how long URLs are not signed after that was found impossible: bytes then go through us. */
const UNSIGNED_MS = 60_000
const CONTENT_TYPE = 'application/octet-stream'
/** Metadata that tells one conditional write from another of the same content. */
const MARK = 'wharfage-write'
/** Of what is put together, within an assembly's own names. */
const PIECE = 'piece-'

/** {@link ObjectStore} over `@google-cloud/storage`. */
export class GcsStore implements ObjectStore {
  readonly name = 'gcs'
  readonly minPartBytes: number = MIN_PART_BYTES
  readonly partBytes: number
  readonly #bucket: Bucket
  readonly #root: string
  readonly #endpoint: string | undefined
  readonly #presence = new BucketPresence((signal) => this.ping(signal && { signal }))
  readonly #downloads: GcsDownloads
  #signsAgainAt = 0

  constructor(options: GcsOptions) {
    this.partBytes = options.partBytes ?? PART_BYTES
    this.#bucket = (options.storage ?? clientOf(options)).bucket(options.bucket)
    this.#downloads = new GcsDownloads(this.#bucket)
    this.#endpoint = options.endpoint
    const root = (options.rootDirectory ?? '').replace(/^\/+|(?<!\/)\/+$/g, '')
    this.#root = root === '' ? '' : `${root}/`
  }

  conditionalPuts(): Promise<boolean> {
    return Promise.resolve(true)
  }

  async open(key: string, { range, signal }: ReadOptions = {}): Promise<OpenObject | 'beyond'> {
    const wanted = range && `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}`
    try {
      const stream = await withDeadline(signal, (inTime) => this.#downloads.open(this.#root + key, wanted, inTime))
      this.#presence.seen()
      const { headers } = stream
      const size = Number(headers['content-length'] ?? headers['x-goog-stored-content-length'])
      const total = Number(headers['content-range']?.split('/')[1] ?? size)
      return { stat: statOf(key, total, headers['x-goog-generation'], headers['last-modified']), size, stream }
    } catch (error) {
      if (range !== undefined && readError(error)?.status === 416) return 'beyond'
      if (isAbsent(error)) await this.#presence.require(signal)
      throw this.#failed(error, signal, key)
    }
  }

  async stat(key: string, { signal }: DriverOptions = {}): Promise<ObjectStat | undefined> {
    try {
      const [{ size = 0, generation, updated }] = await withDeadline(signal, () => this.#file(key).getMetadata())
      this.#presence.seen()
      return statOf(key, Number(size), generation, updated)
    } catch (error) {
      if (!isAbsent(error)) throw this.#failed(error, signal, key)
      await this.#presence.require(signal)
      return undefined
    }
  }

  async put(
    key: string,
    content: Uint8Array,
    { ifVersion, signal }: Omit<PutOptions, 'durable'> = {},
  ): Promise<string | undefined> {
    const file = this.#file(key)
    const mark = ifVersion === undefined ? undefined : randomUUID()
    try {
      await withDeadline(signal, () =>
        file.save(asBuffer(content), {
          ...{ resumable: false, validation: false, contentType: CONTENT_TYPE },
          ...(ifVersion !== undefined && { preconditionOpts: { ifGenerationMatch: ifVersion ?? 0 } }),
          ...(mark !== undefined && { metadata: { metadata: { [MARK]: mark } } }),
        }),
      )
      return versionOf(file.metadata.generation)
    } catch (error) {
      if (mark === undefined || !isPreconditionFailed(error)) throw this.#failed(error, signal)
      // An earlier try of this very write may have gone through, and its answer been lost.
      const [now] = await this.#file(key)
        .getMetadata()
        .catch(() => [undefined])
      if (now?.metadata?.[MARK] === mark) return versionOf(now.generation)
      throw new PreconditionFailedError(key, { cause: error })
    }
  }

  async delete(key: string, { ifVersion, signal }: Omit<DeleteOptions, 'durable'> = {}): Promise<void> {
    // Emulators pass over the condition.
    if (ifVersion !== undefined && (await this.stat(key, signal && { signal }))?.version !== ifVersion) {
      throw new PreconditionFailedError(key)
    }
    try {
      const condition = ifVersion !== undefined && { ifGenerationMatch: ifVersion }
      await withDeadline(signal, () => this.#file(key).delete({ ...condition }))
    } catch (error) {
      // Where it was there a moment ago, an earlier try has deleted it, and its answer was lost.
      if (!isAbsent(error)) throw this.#failed(error, signal, key)
      await this.#presence.require(signal)
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
    let pageToken: string | undefined
    do {
      const query = {
        prefix: this.#root + folder,
        ...{ autoPaginate: false, maxResults: Math.min(limit ?? MAX_PAGE_SIZE, MAX_PAGE_SIZE) },
        ...(shallow && { delimiter: '/' }),
        ...(after !== undefined && { startOffset: this.#root + after }),
        ...(pageToken !== undefined && { pageToken }),
      }
      let page: ListPage
      try {
        page = (await withDeadline(signal, () => this.#bucket.getFiles(query)))[2] as ListPage // the API's own answer
      } catch (error) {
        throw this.#failed(error, signal)
      }
      this.#presence.seen()
      const keys = (page.items ?? []).flatMap(({ name, size, updated }): ListEntry[] => {
        const key = name.slice(this.#root.length)
        // What a console makes of a folder: an empty object.
        if (key === '' || key.endsWith('/')) return []
        return [{ key, isPrefix: false, size: Number(size), modifiedAt: new Date(updated) }]
      })
      const folders = (page.prefixes ?? []).map((prefix): ListEntry => {
        return { key: prefix.slice(this.#root.length, -1), isPrefix: true }
      })
      yield [...keys, ...folders]
      pageToken = page.nextPageToken
    } while (pageToken !== undefined && pageToken !== '')
  }

  async begin(): Promise<string> {
    return randomBytes(8).toString('hex')
  }

  async putPart(assembly: Assembly, number: number, content: Uint8Array, options: DriverOptions = {}): Promise<string> {
    return (await this.put(pieceOf(assembly, number), content, options)) ?? ''
  }

  async complete(assembly: Assembly, parts: readonly Part[], { signal }: DriverOptions = {}): Promise<void> {
    const pieces = parts.map(({ number }) => pieceOf(assembly, number))
    try {
      await this.#compose(pieces, assembly.key, `${assembly.scratch}${PIECE}${assembly.id}-`, signal)
    } catch (error) {
      // It may have been completed already, the pieces gone with it, and the answer lost.
      const size = parts.reduce((sum, part) => sum + part.size, 0)
      if (!isAbsent(error) || (await this.stat(assembly.key))?.size !== size) throw this.#failed(error, signal)
    }
    await this.deleteAll(pieces).catch(() => {}) // they go with the folder of the upload
  }

  async abandon(assembly: Assembly, parts: readonly Part[]): Promise<void> {
    await this.deleteAll(parts.map(({ number }) => pieceOf(assembly, number)))
  }

  async abandonAll({ scratch }: Omit<Assembly, 'id'>): Promise<void> {
    const [files] = await this.#bucket.getFiles({ prefix: `${this.#root}${scratch}${PIECE}` })
    await this.deleteAll(files.map(({ name }) => name.slice(this.#root.length)))
  }

  async copy(
    sources: readonly Source[],
    target: string,
    scratch: string,
    { signal }: DriverOptions = {},
  ): Promise<void> {
    try {
      const id = await this.begin()
      await this.#compose(
        sources.map(({ key }) => key),
        target,
        `${scratch}${PIECE}${id}-`,
        signal,
      )
    } catch (error) {
      throw this.#failed(error, signal, target)
    }
  }

  signUrl: NonNullable<StorageDriver['signUrl']> = async (key, { expiresInMs }) => {
    if (performance.now() < this.#signsAgainAt) return undefined
    try {
      const [url] = await this.#file(key).getSignedUrl({
        ...{ version: 'v4', action: 'read', responseType: CONTENT_TYPE },
        expires: Date.now() + expiresInMs,
        ...(this.#endpoint !== undefined && { host: new URL(this.#endpoint) }),
      })
      return new URL(url)
    } catch {
      // Credentials without a key: a person's, or a workload's that may not ask the service to sign, or not now.
      this.#signsAgainAt = performance.now() + UNSIGNED_MS
      return undefined
    }
  }

  async ping({ signal }: DriverOptions = {}): Promise<void> {
    try {
      // Not the bucket itself, which few service accounts may ask about.
      const query = { prefix: this.#root, autoPaginate: false, maxResults: 1 }
      await withDeadline(signal, () => this.#bucket.getFiles(query))
    } catch (error) {
      throw this.#failed(error, signal)
    }
  }

  async close(): Promise<void> {
    this.#downloads.close()
  }

  async #compose(
    sources: readonly string[],
    target: string,
    between: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const names = sources.map((key) => this.#root + key)
    const name = (index: number) => `${this.#root}${between}level-${index}`
    const used = await withDeadline(signal, () => compose(this.#bucket, names, this.#root + target, CONTENT_TYPE, name))
    const keys = used.map((one) => one.slice(this.#root.length))
    await this.deleteAll(keys).catch(() => {}) // they go with the folder of the upload
  }

  #file(key: string): File {
    return this.#bucket.file(this.#root + key)
  }

  #failed(error: unknown, signal?: AbortSignal, key?: string): unknown {
    return signal?.aborted ? signal.reason : storageError(error, this.#bucket.name, key)
  }
}

/** What the API answers to a listing. */
interface ListPage {
  readonly items?: readonly { readonly name: string; readonly size: string; readonly updated: string }[]
  readonly prefixes?: readonly string[]
  readonly nextPageToken?: string
}

function pieceOf({ scratch, id }: Assembly, number: number): string {
  return `${scratch}${PIECE}${id}-${String(number).padStart(5, '0')}`
}

function statOf(key: string, size: number, generation: unknown, updated: string | undefined): ObjectStat {
  const version = versionOf(generation)
  const modifiedAt = updated === undefined ? new Date(0) : new Date(updated)
  return { key, size, modifiedAt, ...(version !== undefined && { version }) }
}

function versionOf(generation: unknown): string | undefined {
  return generation === undefined ? undefined : String(generation)
}

function asBuffer(content: Uint8Array): Buffer {
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength)
}
