import { EventEmitter } from 'node:events'
import type { Readable } from 'node:stream'
import type { OperationContext, Upload } from '../backend.ts'
import { NO_BLOB, RegistryError, unless } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { backoffMs, isTransient } from './backoff.ts'
import { wrongSize } from './blob-planner.ts'
import type { RepositoryPair } from './location.ts'
import type { Tally } from './tally.ts'

/** Up to here a blob goes in one call, and again from its beginning: going on in the middle would not be worth the session. */
const WHOLE_BYTES = 4 * 1024 * 1024
/** An attempt that got this far on was none in vain, and does not count. */
const PROGRESS_BYTES = 8 * 1024 * 1024
const TELL_EVERY_MS = 100

export interface TransferOptions {
  readonly pair: RepositoryPair
  readonly tally: Tally
  readonly attempts: number
  readonly sleep: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>
  readonly context: OperationContext
}

/**
 * Moves the bytes of one blob. The source's stream is handed to the target as it is: back-pressure is theirs, and so is hashing. A
 * transfer that breaks goes on where the upload stands.
 */
export class BlobTransfer {
  readonly #blob: Descriptor
  readonly #options: TransferOptions
  #upload: Upload | undefined
  /** Whether the target can go on with an upload. */
  #isResumable: boolean
  /** How far this attempt is, as the tally was told. */
  #bytes = 0

  constructor(blob: Descriptor, options: TransferOptions) {
    this.#blob = blob
    this.#options = options
    this.#isResumable = blob.size > WHOLE_BYTES
  }

  async run(): Promise<void> {
    try {
      await this.#persist()
      this.#options.tally.moved(this.#blob, this.#bytes)
    } catch (error) {
      // Nothing of a failed transfer stays; that the target cannot be told so is no news to whoever gets the error.
      await this.#upload?.cancel().catch(() => {})
      throw error
    } finally {
      await this.#upload?.[Symbol.asyncDispose]()
    }
  }

  async #persist(): Promise<void> {
    const { tally, attempts, sleep, context } = this.#options
    for (let failures = 0; ; ) {
      const begunAt = this.#upload?.offset ?? 0
      try {
        await this.#attempt()
        return
      } catch (error) {
        failures = this.#bytes - begunAt >= PROGRESS_BYTES ? 1 : failures + 1
        if (context.signal?.aborted || failures >= attempts || !isTransient(error)) throw error
        const delayMs = backoffMs(failures, error)
        tally.retried(this.#blob, this.#bytes, error, delayMs)
        this.#bytes = 0
        await sleep(delayMs, context.signal)
      }
    }
  }

  async #attempt(): Promise<void> {
    const { pair, tally, context } = this.#options
    const { digest, size } = this.#blob
    const upload = await this.#open()
    if (upload === 'published') return
    const start = upload?.offset ?? 0
    this.#bytes = start
    tally.started(this.#blob, start)
    if (upload !== undefined && start === size) {
      await upload.commit(digest, { ...context, at: start })
      return
    }
    const content = await this.#read(start)
    try {
      if (upload !== undefined) await upload.commit(digest, { ...context, at: start, last: content })
      else await pair.target.blobs.put(content, { ...context, digest, size })
    } finally {
      content.destroy()
    }
  }

  /** The upload to go on with; `undefined` where the target takes whole blobs only. */
  async #open(): Promise<Upload | 'published' | undefined> {
    const { pair, context } = this.#options
    const { blobs } = pair.target
    const { digest, size } = this.#blob
    if (!this.#isResumable) return undefined
    const earlier = this.#upload
    if (earlier !== undefined) {
      await earlier[Symbol.asyncDispose]()
      // Asked anew: what arrived before the connection broke, the target knows better than we do.
      this.#upload = await unless(['BLOB_UPLOAD_UNKNOWN'], blobs.resumeUpload(earlier.id, context))
      if (this.#upload !== undefined && this.#upload.offset <= size) return this.#upload
      await this.#upload?.cancel()
      // The answer to a commit may have been lost on its way.
      if (await unless(NO_BLOB, blobs.stat(digest, { ...context, reliedUpon: true }))) return 'published'
    }
    this.#upload = await unless(['UNSUPPORTED'], blobs.startUpload({ ...context, digest, size }))
    this.#isResumable = this.#upload !== undefined
    return this.#upload
  }

  async #read(start: number): Promise<Readable> {
    const { pair, context } = this.#options
    const { digest, size } = this.#blob
    const reader = await pair.source.blobs.open(digest, {
      ...context,
      ...(start > 0 && { range: { start } }),
      verify: pair.verifySource,
    })
    const { descriptor, range, body } = reader
    if (descriptor.size !== size || range.start !== start) {
      await body[Symbol.asyncDispose]()
      if (descriptor.size !== size) throw wrongSize(descriptor.size, size, 'the source has')
      throw new RegistryError('UNSUPPORTED', { message: `the source cannot go on at byte ${start}` })
    }
    const stream = body.stream()
    this.#count(stream)
    return stream
  }

  /**
   * Counts the chunks that pass, without a stream in between. Listens by the emitter's own method: `on('data')` of a stream would
   * set it flowing before the target is there.
   */
  #count(stream: Readable): void {
    const { tally } = this.#options
    stream.on('error', () => {}) // told by whoever reads it, and thrown by nobody once that one has stopped
    let toldAt = performance.now()
    EventEmitter.prototype.on.call(stream, 'data', (chunk: Uint8Array) => {
      this.#bytes += chunk.byteLength
      if (this.#bytes > this.#blob.size) {
        stream.destroy(wrongSize(this.#bytes, this.#blob.size, 'the source sent'))
        return
      }
      const now = performance.now()
      const isDue = now - toldAt >= TELL_EVERY_MS
      if (isDue) toldAt = now
      tally.advanced(this.#blob, chunk.byteLength, this.#bytes, isDue)
    })
  }
}
