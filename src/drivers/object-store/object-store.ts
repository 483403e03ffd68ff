import type { Readable } from 'node:stream'
import type {
  DeleteOptions,
  DriverOptions,
  ListEntry,
  ListKeysOptions,
  ObjectStat,
  PutOptions,
  ReadOptions,
  StorageDriver,
} from '../../storage/driver.ts'

/**
 * What `ObjectStoreDriver` asks of a store: whole objects, pages of a listing, and objects that are assembled from parts. One
 * implementation per store translates to its SDK and does nothing else.
 *
 * Keys are those of the driver contract; an implementation puts its root directory in front of them. Errors are the driver
 * contract's, too: `KeyNotFoundError` when the object is absent and for nothing else; a missing bucket, denied access,
 * throttling and time-outs are `StorageUnavailableError`. Every method may be called again after it failed, also when its
 * effect happened and only the answer was lost. `signal` ends the wait and rejects with its reason.
 */
export interface ObjectStore extends Pick<StorageDriver, 'name' | 'conditionalPuts' | 'signUrl' | 'ping' | 'close'> {
  /** Smallest part but the last, in bytes; at most `partBytes`. */
  readonly minPartBytes: number
  /** Bytes of the parts that uploads are cut into, to begin with. Default: 8 MiB. */
  readonly partBytes?: number
  /** One call. Resolves once the headers are there; the stream brings exactly `size` bytes, or fails. */
  open(key: string, options?: ReadOptions): Promise<OpenObject | 'beyond'>
  /**
   * For a store that may answer one read with the version of one write and the bytes of another: whether these are the bytes of
   * `version`. Where they are not, the object is read again.
   */
  belongsTo?(version: string, content: Uint8Array): boolean
  stat(key: string, options?: DriverOptions): Promise<ObjectStat | undefined>
  /** Resolves with the version now there, where the store has versions. @throws `PreconditionFailedError` */
  put(key: string, content: Uint8Array, options?: Omit<PutOptions, 'durable'>): Promise<string | undefined>
  /** Succeeds when the object was already absent, but for `ifVersion`. @throws `PreconditionFailedError` */
  delete(key: string, options?: Omit<DeleteOptions, 'durable'>): Promise<void>
  /** In as few calls as the store allows, the first before any other; succeeds for those already absent. */
  deleteAll(keys: readonly string[], options?: DriverOptions): Promise<void>
  /**
   * What lies below a folder (`name/`, or `''`), page by page, each in any order, but none reaching into the next. `after`
   * may be taken as inclusive.
   */
  pages(folder: string, options: ListKeysOptions): AsyncIterable<readonly ListEntry[]>

  /** Starts to assemble an object, which is invisible until `complete`. */
  begin(assembly: Omit<Assembly, 'id'>, options?: DriverOptions): Promise<string>
  /** Parts are numbered from 1 and may arrive in any order, several at once. Durable when it resolves. */
  putPart(assembly: Assembly, number: number, content: Uint8Array, options?: DriverOptions): Promise<string>
  /**
   * Makes the object of these parts visible at once, whole, in place of what was there. Repeated after a lost answer, also by
   * another process, it succeeds again.
   */
  complete(assembly: Assembly, parts: readonly Part[], options?: DriverOptions): Promise<void>
  /** Gives up on an object and its parts, which nothing refers to any more. Idempotent; a no-op after `complete`. */
  abandon(assembly: Assembly, parts: readonly Part[]): Promise<void>
  /**
   * Gives up on everything that was begun for this key and never completed, by whomever: for what a process left that was
   * killed. Another one that is assembling the same key at this moment must be able to bear it, and begin again. Looks for it,
   * so it is not for every day.
   */
  abandonAll(assembly: Omit<Assembly, 'id'>): Promise<void>
  /**
   * Publishes the bytes of other objects, one after the other, at `target`: within the store, and visible all at once. `scratch`
   * as with {@link Assembly}. None of the sources but the last is smaller than `minPartBytes`; there are up to 2,000.
   */
  copy(sources: readonly Source[], target: string, scratch: string, options?: DriverOptions): Promise<void>
}

export interface OpenObject {
  readonly stat: ObjectStat
  /** Bytes the stream will bring. */
  readonly size: number
  /** To be read or destroyed: either gives the connection back. */
  readonly stream: Readable
}

/** An object that is being assembled. Plain data: another process can go on with it. */
export interface Assembly {
  /** Where it will appear. */
  readonly key: string
  /** Whatever begins with this is the assembly's own: for parts that a store keeps as objects. Ends with `.`. */
  readonly scratch: string
  /** The store's name for it; `[A-Za-z0-9._~+/=-]`, bound in length by the store. */
  readonly id: string
}

export interface Part {
  readonly number: number
  /** Bytes. */
  readonly size: number
  /** What the store gave for it. */
  readonly tag: string
}

export interface Source {
  readonly key: string
  /** Bytes. */
  readonly size: number
}
