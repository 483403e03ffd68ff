/**
 * Everything in the memory of this process: for tests, and for registries that may forget. Nothing to set up, nothing left behind.
 */
import { checkAmount, checkOptions } from '../arguments.ts'
import { type ByteBody, type ByteSource, bytesBody } from '../bytes.ts'
import {
  type AppendOptions,
  type CreateUploadOptions,
  type DeleteOptions,
  type DriverOptions,
  type DriverUpload,
  KeyNotFoundError,
  type ListEntry,
  type ListKeysOptions,
  type ObjectStat,
  PreconditionFailedError,
  type PutOptions,
  type ReadOptions,
  type SealedUpload,
  type StorageDriver,
  StorageUnavailableError,
  UploadTakenOverError,
} from '../storage/driver.ts'
import { consume } from './consume.ts'
import { checkKey, checkPrefix } from './key.ts'
import { SortedKeys } from './sorted-keys.ts'

export interface MemoryOptions {
  /** Bytes of content, uploads included, after which writes are refused as on a full disk. Default: 1 GiB. */
  readonly maxBytes?: number
}

/** A driver over this process's memory; each call makes a new, empty store. */
export function memory(options?: MemoryOptions): MemoryDriver {
  return new MemoryDriver(options)
}

interface StoredObject {
  readonly content: Uint8Array
  readonly stat: ObjectStat
}

/** {@link StorageDriver} over a `Map`. */
export class MemoryDriver implements StorageDriver {
  readonly name = 'memory'
  readonly #objects = new Map<string, StoredObject>()
  readonly #keys = new SortedKeys()
  readonly #uploads = new Map<string, Staged>()
  readonly #budget: Budget
  #writes = 0

  constructor(options: MemoryOptions = {}) {
    checkOptions('memory()', options, { maxBytes: true })
    checkAmount('maxBytes', options.maxBytes)
    this.#budget = new Budget(options.maxBytes ?? 1024 ** 3)
  }

  async conditionalPuts(): Promise<boolean> {
    return true
  }

  async get(key: string, options?: DriverOptions): Promise<{ stat: ObjectStat; content: Uint8Array }> {
    const { stat, content } = this.#find(key, options)
    // A copy, because a caller may do with it what it likes, and the store's bytes must not change.
    return { stat, content: content.slice() }
  }

  async put(key: string, content: Uint8Array, options: PutOptions = {}): Promise<void> {
    checkKey(key)
    options.signal?.throwIfAborted()
    if (options.ifVersion !== undefined) this.#expect(key, options.ifVersion)
    this.#budget.take(content.byteLength)
    this.#store(key, content.slice())
  }

  async read(key: string, options: ReadOptions = {}): Promise<{ stat: ObjectStat; body: ByteBody }> {
    const { stat, content } = this.#find(key, options)
    const { start, end } = options.range ?? { start: 0 }
    return { stat, body: bytesBody(content.subarray(start, Math.max(start, end ?? content.byteLength))) }
  }

  async stat(key: string, options?: DriverOptions): Promise<ObjectStat | undefined> {
    checkKey(key)
    options?.signal?.throwIfAborted()
    return this.#objects.get(key)?.stat
  }

  async *list(prefix: string, options: ListKeysOptions = {}): AsyncIterable<ListEntry> {
    checkPrefix(prefix)
    const folder = prefix === '' ? '' : `${prefix}/`
    let key = this.#firstKey(folder, options)
    while (key?.startsWith(folder)) {
      options.signal?.throwIfAborted()
      const slash = options.shallow ? key.indexOf('/', folder.length) : -1
      if (slash >= 0) {
        const child = key.slice(0, slash)
        yield { key: child, isPrefix: true }
        key = this.#keys.atLeast(endOf(child))
      } else {
        const stat = this.#objects.get(key)?.stat
        if (stat) yield { key, isPrefix: false, size: stat.size, modifiedAt: stat.modifiedAt }
        key = this.#keys.above(key)
      }
    }
  }

  async delete(key: string, { signal, ifVersion }: DeleteOptions = {}): Promise<void> {
    checkKey(key)
    signal?.throwIfAborted()
    if (ifVersion !== undefined) this.#expect(key, ifVersion)
    this.#remove(key)
  }

  async deletePrefix(prefix: string, options?: DriverOptions): Promise<void> {
    checkPrefix(prefix)
    options?.signal?.throwIfAborted()
    const folder = prefix === '' ? '' : `${prefix}/`
    for (let key = this.#keys.atLeast(folder); key?.startsWith(folder); key = this.#keys.atLeast(folder)) {
      this.#remove(key)
    }
    for (const [key, staged] of this.#uploads) if (key.startsWith(folder)) staged.drop()
  }

  async createUpload(key: string, options?: CreateUploadOptions): Promise<DriverUpload> {
    checkKey(key)
    options?.signal?.throwIfAborted()
    const staged = new Staged(this.#budget, () => this.#uploads.delete(key))
    this.#uploads.set(key, staged)
    return this.#open(key, staged)
  }

  async resumeUpload(key: string, options?: DriverOptions): Promise<DriverUpload> {
    checkKey(key)
    options?.signal?.throwIfAborted()
    const staged = this.#uploads.get(key)
    if (!staged) throw new KeyNotFoundError(key)
    return this.#open(key, staged)
  }

  #open(key: string, staged: Staged): DriverUpload {
    return new MemoryUpload(key, staged, {
      store: (target, content) => this.#store(target, content),
      remove: (target) => this.#remove(target),
    })
  }

  #find(key: string, options: DriverOptions | undefined): StoredObject {
    checkKey(key)
    options?.signal?.throwIfAborted()
    const found = this.#objects.get(key)
    if (!found) throw new KeyNotFoundError(key)
    return found
  }

  #expect(key: string, version: string | null): void {
    if ((this.#objects.get(key)?.stat.version ?? null) !== version) throw new PreconditionFailedError(key)
  }

  /** Takes over `content`, whose bytes the budget has counted already. */
  #store(key: string, content: Uint8Array): void {
    const replaced = this.#objects.get(key)
    if (replaced) this.#budget.give(replaced.content.byteLength)
    else this.#keys.add(key)
    const stat = { key, size: content.byteLength, modifiedAt: new Date(), version: String(++this.#writes) }
    this.#objects.set(key, { content, stat })
  }

  #remove(key: string): void {
    const removed = this.#objects.get(key)
    if (!removed) return
    this.#objects.delete(key)
    this.#keys.delete(key)
    this.#budget.give(removed.content.byteLength)
  }

  #firstKey(folder: string, options: ListKeysOptions): string | undefined {
    const { after } = options
    if (after === undefined || after <= folder) return this.#keys.atLeast(folder)
    // A shallow listing that goes on after a folder (`name/`) skips all keys in it.
    return options.shallow && after.endsWith('/')
      ? this.#keys.atLeast(endOf(after.slice(0, -1)))
      : this.#keys.above(after)
  }
}

/** The smallest string above everything in a folder: `0` follows `/`. */
function endOf(folder: string): string {
  return `${folder}0`
}

/** Counts the bytes held against the limit. */
class Budget {
  readonly #max: number
  #used = 0

  constructor(max: number) {
    this.#max = max
  }

  take(bytes: number): void {
    if (this.#used + bytes > this.#max) {
      throw new StorageUnavailableError(`the memory store is full: raise its maxBytes, which is ${this.#max}`)
    }
    this.#used += bytes
  }

  give(bytes: number): void {
    this.#used -= bytes
  }
}

/** The bytes of one upload, shared by all handles on it. */
class Staged {
  readonly #budget: Budget
  readonly #forget: () => void
  #chunks: Uint8Array[] = []
  size = 0
  state: 'open' | 'sealed' | 'gone' = 'open'

  constructor(budget: Budget, forget: () => void) {
    this.#budget = budget
    this.#forget = forget
  }

  add(chunk: Uint8Array): Uint8Array {
    this.#budget.take(chunk.byteLength)
    const copy = Uint8Array.prototype.slice.call(chunk)
    this.#chunks.push(copy)
    this.size += copy.byteLength
    return copy
  }

  content(): Uint8Array {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks, this.size)]
    return this.#chunks[0] ?? new Uint8Array()
  }

  /** Hands the bytes over, still counted, to be stored at a key. */
  publish(): Uint8Array {
    const content = this.content()
    this.#end()
    return content
  }

  drop(): void {
    if (this.state === 'gone') return
    this.#budget.give(this.size)
    this.#end()
  }

  #end(): void {
    this.#chunks = []
    this.state = 'gone'
    this.#forget()
  }
}

/** What an upload does to the objects of its store. */
interface UploadObjects {
  store(key: string, content: Uint8Array): void
  remove(key: string): void
}

class MemoryUpload implements DriverUpload {
  readonly #key: string
  readonly #staged: Staged
  readonly #objects: UploadObjects
  #size: number
  #committed: string | undefined

  constructor(key: string, staged: Staged, objects: UploadObjects) {
    this.#key = key
    this.#staged = staged
    this.#objects = objects
    this.#size = staged.size
  }

  get size(): number {
    return this.#size
  }

  async append(content: ByteSource, options: AppendOptions = {}): Promise<void> {
    this.#require('open')
    await consume(content, (chunk) => this.#accept(chunk, options), options.signal)
  }

  async seal(options?: DriverOptions): Promise<SealedUpload> {
    options?.signal?.throwIfAborted()
    this.#require('open', 'sealed')
    this.#staged.state = 'sealed'
    const { size } = this.#staged
    this.#size = size
    return { size, exclusive: true, read: async () => bytesBody(this.#staged.content()) }
  }

  async commit(key: string, options?: DriverOptions): Promise<void> {
    checkKey(key)
    options?.signal?.throwIfAborted()
    if (this.#committed === key) return
    this.#require('open', 'sealed')
    this.#objects.store(key, this.#staged.publish())
    this.#committed = key
  }

  async discard(beside: readonly string[] = []): Promise<void> {
    this.#staged.drop()
    for (const key of beside) this.#objects.remove(key)
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #accept(chunk: Uint8Array, options: AppendOptions): undefined {
    this.#require('open')
    if (this.#size !== this.#staged.size) throw new UploadTakenOverError('another request continued the upload')
    const bytes = this.#staged.add(chunk)
    this.#size = this.#staged.size
    options.observe?.(bytes)
  }

  #require(...states: readonly Staged['state'][]): void {
    const { state } = this.#staged
    if (states.includes(state)) return
    if (state === 'gone') throw new KeyNotFoundError(this.#key)
    throw new UploadTakenOverError('the upload is being finished by another request')
  }
}
