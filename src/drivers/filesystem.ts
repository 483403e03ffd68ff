/**
 * A directory on a disk: every key is a file at the same path below the root, which is Distribution's layout where the core's keys
 * are. What is ours alone lies in `docker/registry/v2/_wharfage/`, where Distribution never looks:
 *
 * - `tmp/`: files being written, folders being deleted; whatever is left there by a crash is removed a day later;
 * - `claims/`: conditional writes in progress, see `filesystem/claims.ts`.
 *
 * A write goes to a temporary file, is synced, renamed, and then the directory is synced, with those above it that may
 * not be durable yet: acknowledged means that it survives a power loss. Uploads grow in place, see `filesystem/upload.ts`.
 *
 * Tags differ by case: on a disk that does not tell upper from lower case, `V1` and `v1` are one, which is logged as a warning.
 *
 * For one machine, by any number of processes. On a network file system the guarantees are those of its renames and its
 * exclusive creation.
 */
import { checkChoice, checkOptions } from '../arguments.ts'
import type { ByteBody } from '../bytes.ts'
import { consoleLogger, type Logger } from '../logger.ts'
import type {
  CreateUploadOptions,
  DeleteOptions,
  DriverOptions,
  DriverUpload,
  ListEntry,
  ListKeysOptions,
  ObjectStat,
  PutOptions,
  ReadOptions,
  StorageDriver,
} from '../storage/driver.ts'
import { keyError, storageError } from './filesystem/errors.ts'
import { type FileOps, nodeFileOps } from './filesystem/file-ops.ts'
import { listKeys } from './filesystem/list-keys.ts'
import { foldsCase, openRoot } from './filesystem/root.ts'
import { FilesystemStore } from './filesystem/store.ts'
import { FilesystemUpload } from './filesystem/upload.ts'
import { checkKey, checkPrefix } from './key.ts'

export interface FilesystemOptions {
  /**
   * `'full'` (default): what is acknowledged survives a power loss. `'none'`: it survives the end of the process, but nothing is
   * synced; for tests, and for disks that are thrown away.
   */
  readonly durability?: 'full' | 'none'
  readonly logger?: Logger
  /** @internal The calls to the operating system, for tests. */
  readonly fs?: FileOps
}

/** A driver over a directory, which is made at first use where it is missing. */
export function filesystem(rootDirectory: string, options?: FilesystemOptions): FilesystemDriver {
  return new FilesystemDriver(rootDirectory, options)
}

/** {@link StorageDriver} over a directory. */
export class FilesystemDriver implements StorageDriver {
  readonly name = 'filesystem'
  readonly #directory: string
  readonly #ops: FileOps
  readonly #logger: Logger
  readonly #isDurable: boolean
  #store: FilesystemStore | undefined
  #opening: Promise<FilesystemStore> | undefined

  constructor(rootDirectory: string, options: FilesystemOptions = {}) {
    if (typeof rootDirectory !== 'string' || rootDirectory === '') {
      throw new TypeError("filesystem() needs a directory: filesystem('./registry-data')")
    }
    checkOptions('filesystem()', options, { durability: true, logger: true, fs: false })
    checkChoice('durability', options.durability, ['full', 'none'])
    this.#directory = rootDirectory
    this.#ops = options.fs ?? nodeFileOps
    this.#logger = options.logger ?? consoleLogger
    this.#isDurable = options.durability !== 'none'
  }

  async conditionalPuts(): Promise<boolean> {
    return true
  }

  get(key: string, options?: DriverOptions): Promise<{ stat: ObjectStat; content: Uint8Array }> {
    return this.#withKey(key, options, (store) => store.reader.get(key))
  }

  put(key: string, content: Uint8Array, options?: PutOptions): Promise<void> {
    return this.#with(options, checkKey, key, (store) => store.writer.put(key, content, options))
  }

  read(key: string, options?: ReadOptions): Promise<{ stat: ObjectStat; body: ByteBody }> {
    return this.#withKey(key, options, (store) => store.reader.read(key, options?.range))
  }

  stat(key: string, options?: DriverOptions): Promise<ObjectStat | undefined> {
    return this.#with(options, checkKey, key, (store) => store.reader.stat(key))
  }

  async *list(prefix: string, options: ListKeysOptions = {}): AsyncIterable<ListEntry> {
    checkPrefix(prefix)
    options.signal?.throwIfAborted()
    try {
      const store = this.#store ?? (await this.#open())
      yield* listKeys(store, prefix, options)
    } catch (error) {
      throw storageError(error, this.#directory)
    }
  }

  delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.#with(options, checkKey, key, (store) => store.writer.delete(key, options))
  }

  deletePrefix(prefix: string, options?: DriverOptions & { readonly durable?: boolean }): Promise<void> {
    return this.#with(options, checkPrefix, prefix, (store) =>
      store.writer.deletePrefix(prefix, options?.durable !== false),
    )
  }

  createUpload(key: string, options?: CreateUploadOptions): Promise<DriverUpload> {
    return this.#with(options, checkKey, key, async (store) => {
      store.uploads.begun.add(key)
      return new FilesystemUpload(store.uploads, key, 0)
    })
  }

  resumeUpload(key: string, options?: DriverOptions): Promise<DriverUpload> {
    return this.#withKey(key, options, (store) => FilesystemUpload.resume(store.uploads, key))
  }

  /** Writes and removes a file: what a full or read-only disk refuses, though it still reads. */
  ping(options?: DriverOptions): Promise<void> {
    return this.#with(options, checkPrefix, '', (store) => store.writer.probe())
  }

  async #with<T>(
    options: DriverOptions | undefined,
    check: (key: string) => void,
    key: string,
    task: (store: FilesystemStore) => Promise<T>,
  ): Promise<T> {
    check(key)
    options?.signal?.throwIfAborted()
    try {
      return await task(this.#store ?? (await this.#open()))
    } catch (error) {
      throw storageError(error, this.#directory)
    }
  }

  /** For a key that has to be there. */
  async #withKey<T>(
    key: string,
    options: DriverOptions | undefined,
    task: (store: FilesystemStore) => Promise<T>,
  ): Promise<T> {
    checkKey(key)
    options?.signal?.throwIfAborted()
    try {
      return await task(this.#store ?? (await this.#open()))
    } catch (error) {
      throw keyError(error, this.#directory, key)
    }
  }

  /** Once; a root that cannot be opened is tried again by the next call. */
  #open(): Promise<FilesystemStore> {
    this.#opening ??= this.#openNow().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #openNow(): Promise<FilesystemStore> {
    const root = await openRoot(this.#ops, this.#directory, this.#isDurable)
    if (await foldsCase(this.#ops, root)) {
      const message =
        'this disk does not tell upper from lower case: of two tags such as V1 and v1 the later one replaces the other'
      this.#logger.warn({ directory: root }, message)
    }
    this.#store = new FilesystemStore(this.#ops, root, this.#isDurable, this.#logger)
    return this.#store
  }
}
