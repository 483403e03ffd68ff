import { Readable } from 'node:stream'
import { type ByteSource, streamBody } from '../bytes.ts'
import {
  type AppendOptions,
  type DriverOptions,
  type DriverUpload,
  KeyNotFoundError,
  PreconditionFailedError,
  type SealedUpload,
  type StorageDriver,
  UploadTakenOverError,
} from '../storage/driver.ts'
import { consume } from './consume.ts'
import { checkKey } from './key.ts'

/** What a driver has to do for its uploads to be kept as objects of its own; its `ifVersion` must hold. */
export interface PieceStore extends Pick<StorageDriver, 'put' | 'read' | 'list' | 'delete'> {
  /** Makes the bytes of `sources`, one after the other, the object `target`, visible all at once and durable. None is empty, there may be none. */
  assemble(sources: readonly string[], target: string, options?: DriverOptions): Promise<void>
}

export interface PiecesOptions {
  /** Bytes of a piece, and what an upload holds in memory while it receives. Default: 4 MiB. */
  readonly pieceBytes?: number
}

interface Piece {
  readonly key: string
  readonly size: number
}

/**
 * Uploads for a driver whose store knows nothing but objects: `createUpload` and `resumeUpload`, over the rest of its methods.
 *
 * What an upload receives is kept as `KEY.00000001`, `KEY.00000002`, …, none of them empty; an empty one says that it is sealed. A
 * piece is only ever put where none is: two who continue one upload, or one of whom seals it, cannot both succeed. What counts is
 * what can be reached from the first piece on.
 */
export function uploadsInPieces(
  store: PieceStore,
  { pieceBytes = 4 * 1024 * 1024 }: PiecesOptions = {},
): Pick<StorageDriver, 'createUpload' | 'resumeUpload'> {
  return {
    createUpload: async (key, options) => {
      checkKey(key)
      options?.signal?.throwIfAborted()
      return new PiecewiseUpload(store, key, pieceBytes, [])
    },
    resumeUpload: async (key, options) => {
      checkKey(key)
      const { pieces, isSealed } = await piecesOf(store, key, options)
      if (pieces.length === 0 && !isSealed) throw new KeyNotFoundError(key)
      return new PiecewiseUpload(store, key, pieceBytes, pieces)
    },
  }
}

class PiecewiseUpload implements DriverUpload {
  readonly #store: PieceStore
  readonly #key: string
  readonly #pieceBytes: number
  #pieces: readonly Piece[]
  #ownBytes = 0
  #committed: string | undefined
  #isDiscarded = false

  constructor(store: PieceStore, key: string, pieceBytes: number, pieces: readonly Piece[]) {
    this.#store = store
    this.#key = key
    this.#pieceBytes = pieceBytes
    this.#pieces = pieces
  }

  get size(): number {
    return sizeOf(this.#pieces)
  }

  async append(content: ByteSource, { signal, observe }: AppendOptions = {}): Promise<void> {
    this.#require()
    let held: Buffer[] = []
    let heldBytes = 0
    const flush = async (): Promise<void> => {
      if (heldBytes === 0) return
      const bytes = Buffer.concat(held, heldBytes)
      held = []
      heldBytes = 0
      await this.#put(bytes)
      observe?.(bytes)
    }
    try {
      await consume(
        content,
        (chunk) => {
          // Lent for the call only.
          held.push(Buffer.from(chunk))
          heldBytes += chunk.byteLength
          return heldBytes < this.#pieceBytes ? undefined : flush()
        },
        signal,
      )
    } finally {
      // What was held when a put failed is gone already: it is not tried again behind what may be missing.
      await flush()
    }
  }

  async seal(options?: DriverOptions): Promise<SealedUpload> {
    this.#require()
    for (;;) {
      const end = pieceKey(this.#key, this.#pieces.length + 1)
      await this.#store.put(end, new Uint8Array(), { ...options, ifVersion: null }).catch(unlessTaken)
      const { pieces, isSealed } = await piecesOf(this.#store, this.#key, options)
      if (sizeOf(pieces) < this.size) {
        // Somebody else has discarded it.
        await this.#store.delete(end, options)
        throw new KeyNotFoundError(this.#key)
      }
      this.#pieces = pieces
      if (isSealed) break
    }
    const { size } = this
    return {
      size,
      exclusive: this.#ownBytes === size,
      read: async (reading) => streamBody(Readable.from(this.#read(reading), { objectMode: false }), size),
    }
  }

  async commit(target: string, options?: DriverOptions): Promise<void> {
    if (this.#committed === target) return
    await this.seal(options)
    const sources = this.#pieces.map(({ key }) => key)
    await this.#store.assemble(sources, target, options)
    this.#committed = target
  }

  async discard(beside: readonly string[] = []): Promise<void> {
    this.#isDiscarded = true
    // The first one first: without it, there is no upload.
    for await (const { key } of entriesOf(this.#store, this.#key)) await this.#store.delete(key)
    for (const key of beside) await this.#store.delete(key)
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #put(content: Buffer): Promise<void> {
    const key = pieceKey(this.#key, this.#pieces.length + 1)
    try {
      // Not with the caller's signal: what a source brought before it was interrupted is kept.
      await this.#store.put(key, content, { ifVersion: null })
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error
      throw new UploadTakenOverError('somebody else has continued or sealed the upload', { cause: error })
    }
    this.#pieces = [...this.#pieces, { key, size: content.byteLength }]
    this.#ownBytes += content.byteLength
  }

  async *#read(options?: DriverOptions): AsyncGenerator<Uint8Array> {
    for (const { key } of this.#pieces) {
      const { body } = await this.#store.read(key, options)
      yield* body.stream() as AsyncIterable<Uint8Array>
    }
  }

  #require(): void {
    if (this.#isDiscarded) throw new KeyNotFoundError(this.#key)
  }
}

/** What can be reached from the first piece on. */
async function piecesOf(
  store: PieceStore,
  upload: string,
  options?: DriverOptions,
): Promise<{ readonly pieces: readonly Piece[]; readonly isSealed: boolean }> {
  const pieces: Piece[] = []
  for await (const { key, size } of entriesOf(store, upload, options)) {
    if (key !== pieceKey(upload, pieces.length + 1)) break
    if (size === 0) return { pieces, isSealed: true }
    pieces.push({ key, size })
  }
  return { pieces, isSealed: false }
}

async function* entriesOf(store: PieceStore, upload: string, options?: DriverOptions): AsyncGenerator<Piece> {
  const folder = upload.slice(0, Math.max(0, upload.lastIndexOf('/')))
  const first = `${upload}.`
  for await (const entry of store.list(folder, { ...options, after: upload, shallow: true })) {
    if (entry.isPrefix || !entry.key.startsWith(first)) {
      if (entry.key > `${first}~`) return
      continue
    }
    yield { key: entry.key, size: entry.size ?? (await sizeAt(store, entry.key, options)) }
  }
}

/** For a listing that does not tell. */
async function sizeAt(store: PieceStore, key: string, options?: DriverOptions): Promise<number> {
  const { stat, body } = await store.read(key, options)
  await body[Symbol.asyncDispose]()
  return stat.size
}

function sizeOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { size }) => sum + size, 0)
}

function pieceKey(upload: string, number: number): string {
  return `${upload}.${String(number).padStart(8, '0')}`
}

function unlessTaken(error: unknown): void {
  if (!(error instanceof PreconditionFailedError)) throw error
}
