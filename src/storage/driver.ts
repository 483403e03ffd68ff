import type { ByteBody, ByteRange, ByteSource } from '../bytes.ts'

/**
 * The contract of a storage driver: flat key → bytes, plus uploads that grow, are sealed, and appear at a key all at once.
 * Drivers import this file and nothing else of the storage core.
 */

/** The folder in which all keys of the core lie: Distribution's, so that either program serves what the other wrote. */
export const KEY_ROOT = 'docker/registry/v2'

/** Where Distribution has no business, and never looks: for what only we know, a driver's own files among it. */
export const OWN_ROOT: string = `${KEY_ROOT}/_wharfage`

export interface ObjectStat {
  readonly key: string
  /** Bytes. */
  readonly size: number
  /** By the store's own clock. */
  readonly modifiedAt: Date
  /**
   * Opaque, changes with every write that changes the bytes; for `ifVersion` of puts and deletes. Absent where the store has
   * none.
   */
  readonly version?: string
}

export interface DriverOptions {
  readonly signal?: AbortSignal
}

export interface PutOptions extends DriverOptions {
  /** Only if the key still has this version; `null`: only if it is absent. @throws {@link PreconditionFailedError}, having written nothing */
  readonly ifVersion?: string | null
  /**
   * What may happen to it when the power fails, where the driver is durable at all. `true` (default): nothing. `'whole'`: it may be
   * lost, but is not there in part (a tag's history). `false`: anything (intents, condemnations). Visible to every process at
   * once in any case.
   */
  readonly durable?: boolean | 'whole'
}

export interface DeleteOptions extends DriverOptions {
  /**
   * Only if the key still has this version. Holds where `conditionalPuts` does; a driver whose store puts on a condition, but cannot
   * delete on one, looks before it deletes. @throws {@link PreconditionFailedError}, having deleted nothing, also when the key is absent
   */
  readonly ifVersion?: string
  /** `false`: may come back when the power fails. Default: true. */
  readonly durable?: boolean
}

export interface ReadOptions extends DriverOptions {
  /** `end` beyond the object is cut; `start` at or beyond it gives an empty body. */
  readonly range?: ByteRange
}

export interface ListKeysOptions extends DriverOptions {
  /**
   * Start strictly after this text, compared byte by byte with keys in which a folder is `name/`: after `t/a` come `t/a-b` and the
   * folder `t/a`; after `t/a/`, in a shallow listing, comes what follows that folder.
   */
  readonly after?: string
  /**
   * `false` (default): every key below `prefix`; `true`: its direct children only, folders as prefixes. A store of real
   * directories may show a folder in which no key is left (uploads come and go in one, Distribution leaves many behind): who
   * has to know looks for a key below it.
   */
  readonly shallow?: boolean
  /** A hint: how many entries the caller takes at most before it stops. A store of pages need not read more for the first. */
  readonly limit?: number
}

/**
 * What a listing tells for free. Keys are whole, a folder's has no trailing slash. The order is the store's: byte order of
 * keys in which a folder counts as `name/`.
 */
export type ListEntry =
  | { readonly key: string; readonly isPrefix: false; readonly size?: number; readonly modifiedAt?: Date }
  | { readonly key: string; readonly isPrefix: true }

export interface AppendOptions extends DriverOptions {
  /**
   * Called with every stretch of bytes accepted, in order, before `append` resolves or rejects: to hash while receiving.
   * The bytes are only lent for the call.
   */
  readonly observe?: (bytes: Uint8Array) => void
  /** `false` when `commit` follows in the same request, which makes everything durable anyway. Default: true. */
  readonly durable?: boolean
  /**
   * With `durable: false`: the key to which `commit` is going to publish, where it is known already. An object store that has
   * no byte of the upload yet then writes straight towards that key, invisible until `commit`, and nothing is copied. The
   * price: what an interrupted source brought may be lost (`size` says so), and `seal` may have nothing to read again, so
   * whoever says this has to compute the digest from what `observe` is shown.
   */
  readonly target?: string
}

/** What is in an upload once nothing can be appended any more. */
export interface SealedUpload {
  /** Bytes. */
  readonly size: number
  /**
   * Whether every byte came through this very handle (or others of this process for the same upload) and no other process
   * can have changed one: a digest computed over what was appended is then a digest of what will be published.
   */
  readonly exclusive: boolean
  /** Opens what is there, to hash it again. Rejects where all of it went straight towards {@link AppendOptions.target}. */
  read(options?: DriverOptions): Promise<ByteBody>
}

/** An upload in progress. Holds nothing open between calls that disposing would not release. */
export interface DriverUpload extends AsyncDisposable {
  /** Bytes accepted so far, including those of earlier processes; never goes back. */
  readonly size: number
  /**
   * Appends whatever arrives; resolves when the bytes survive a crash. An interrupted source, or one that throws, rejects the
   * call with that error, but keeps the bytes it brought, durably, and counts them in `size`.
   *
   * A Node `Readable` stays its maker's: where it is the store or the signal that ends the call, it is paused, not destroyed,
   * for behind it may be the socket on which a refusal has to travel. Any other iterable is told to `return`.
   */
  append(content: ByteSource, options?: AppendOptions): Promise<void>
  /** Ends the appending, in every process. Not yet visible at any key. Idempotent. */
  seal(options?: DriverOptions): Promise<SealedUpload>
  /**
   * Seals, then atomically publishes the bytes at `key`, durably; the same content twice, or from two nodes, succeeds for both.
   * What is staged stays until `discard`, so that an upload which was published, and not yet removed, is never found with
   * fewer bytes than were acknowledged.
   */
  commit(key: string, options?: DriverOptions): Promise<void>
  /**
   * Removes what is staged, published or not, and the keys in `beside`, which lie in the same folder; a driver may remove the
   * whole folder. Idempotent. What it removed may come back when the power fails.
   */
  discard(beside?: readonly string[]): Promise<void>
}

export interface CreateUploadOptions extends DriverOptions {
  /**
   * Whether another process may have begun it, and left behind what cannot be continued (it was killed before it could write
   * down what it had): a driver whose store would keep that for ever looks for it when the upload is discarded.
   */
  readonly takenOver?: boolean
}

export interface SignUrlOptions {
  /** The one method that the URL is good for, where the store can tell them apart. */
  readonly method: 'GET' | 'HEAD'
  /** From now on; what has begun by then is served to its end. */
  readonly expiresInMs: number
  /** The client's address, where the host knows it: for who sends some clients elsewhere than others. */
  readonly remoteAddress?: string
}

/**
 * Flat key → bytes storage. Keys are `/`-separated segments of `[A-Za-z0-9._+=-]` (none of them `.` or `..`), no leading slash;
 * no key is a prefix folder of another. Every driver must pass `testStorageDriver` from `wharfage/testing`.
 *
 * Errors: {@link KeyNotFoundError} for absence and for nothing else; {@link StorageUnavailableError} for denied, throttled,
 * timed out and full; anything else as it is, with its cause.
 */
export interface StorageDriver {
  /** For logs and metrics: `memory`, `filesystem`, `s3`, … */
  readonly name: string
  /**
   * Whether `PutOptions.ifVersion` holds; where that depends on the store, it is tried out once, when first asked. Where it
   * does not hold, `If-Match` is refused, not ignored.
   */
  conditionalPuts(options?: DriverOptions): Promise<boolean>
  /** Smallest part but the last that an upload likes, in bytes; told to clients as `OCI-Chunk-Min-Length`. */
  readonly minChunkBytes?: number
  /** Whole small object. @throws {@link KeyNotFoundError} */
  get(key: string, options?: DriverOptions): Promise<{ readonly stat: ObjectStat; readonly content: Uint8Array }>
  /** Whole small object, atomically: readers see the old bytes or the new ones. */
  put(key: string, content: Uint8Array, options?: PutOptions): Promise<void>
  /** Opens for reading, in one call to the store; rejects (not errors the stream) when the key is missing. @throws {@link KeyNotFoundError} */
  read(key: string, options?: ReadOptions): Promise<{ readonly stat: ObjectStat; readonly body: ByteBody }>
  /** `undefined` when the key is absent. */
  stat(key: string, options?: DriverOptions): Promise<ObjectStat | undefined>
  /** Everything below the folder `prefix` (no trailing slash; `''` is the root); nothing when it is absent. */
  list(prefix: string, options?: ListKeysOptions): AsyncIterable<ListEntry>
  /** Removes a key; succeeds when it was already absent. Never touches its neighbours. Durable. */
  delete(key: string, options?: DeleteOptions): Promise<void>
  /** Removes every key below the folder `prefix`, and whatever the driver keeps there; succeeds when there is none. */
  deletePrefix(prefix: string, options?: DriverOptions & { readonly durable?: boolean }): Promise<void>
  /**
   * Starts an upload. `key` is where its bytes are staged: the driver may use that key and others that begin with `key + '.'`,
   * nothing else. Writes nothing that must survive a crash.
   */
  createUpload(key: string, options?: CreateUploadOptions): Promise<DriverUpload>
  /**
   * Continues an upload, of this process or another. What its `size` tells is durable from then on, also what a process wrote
   * and was killed before it acknowledged it.
   *
   * @throws {@link KeyNotFoundError} when nothing of it is there; a driver may count an upload without a byte as that
   */
  resumeUpload(key: string, options?: DriverOptions): Promise<DriverUpload>
  /** Direct URL, or `undefined` when this driver cannot make one. */
  signUrl?(key: string, options: SignUrlOptions): Promise<URL | undefined>
  /** Rejects when the store is unreachable or refuses us. */
  ping?(options?: DriverOptions): Promise<void>
  close?(): Promise<void>
}

/** The key is not there. A driver throws it for absence and for nothing but absence. */
export class KeyNotFoundError extends Error {
  override readonly name = 'KeyNotFoundError'
  readonly key: string

  constructor(key: string, options?: ErrorOptions) {
    super(`no such key: ${key}`, options)
    this.key = key
  }
}

/** Somebody else has continued or sealed the upload since this handle looked at it. */
export class UploadTakenOverError extends Error {
  override readonly name = 'UploadTakenOverError'
}

/** `PutOptions.ifVersion` did not hold; nothing was written. */
export class PreconditionFailedError extends Error {
  override readonly name = 'PreconditionFailedError'
  readonly key: string

  constructor(key: string, options?: ErrorOptions) {
    super(`${key} is not at the expected version`, options)
    this.key = key
  }
}

/** The store cannot serve us now: denied, throttled, timed out, full, read-only. Says nothing about what is in it. */
export class StorageUnavailableError extends Error {
  override readonly name = 'StorageUnavailableError'
  /** When to try again, where the store said so. */
  readonly retryAfterSeconds: number | undefined

  constructor(message: string, options?: ErrorOptions & { readonly retryAfterSeconds?: number }) {
    super(message, options)
    this.retryAfterSeconds = options?.retryAfterSeconds
  }
}
