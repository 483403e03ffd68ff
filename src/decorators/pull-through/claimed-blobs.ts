import type {
  BlobReader,
  Blobs,
  ListOptions,
  LocateOptions,
  OpenBlobOptions,
  OperationContext,
  StartUploadOptions,
  StatBlobOptions,
  Upload,
} from '../../backend.ts'
import type { ByteRange, ByteSource } from '../../bytes.ts'
import { RegistryError } from '../../errors.ts'
import type { Descriptor } from '../../spec/descriptor.ts'
import type { Digest } from '../../spec/digest.ts'
import { BlobFill } from './blob-fill.ts'
import { keyOf, type PullThroughCore } from './core.ts'
import type { LocalWrites } from './local-writes.ts'
import type { Claim } from './router.ts'

/** Blobs of a repository that an upstream has. */
export class ClaimedBlobs implements Blobs {
  readonly #core: PullThroughCore
  readonly #claim: Claim
  readonly #writes: LocalWrites

  constructor(core: PullThroughCore, claim: Claim, writes: LocalWrites) {
    this.#core = core
    this.#claim = claim
    this.#writes = writes
  }

  async stat(digest: Digest, options: StatBlobOptions = {}): Promise<Descriptor> {
    const { keeper, writable, calls, now, tagTtlMs } = this.#core.options
    await keeper.ready()
    // Whoever leaves out an upload must find here what they rely on.
    const reliedUpon = writable && options.reliedUpon === true
    const here = await orAbsent(this.#local.stat(digest, { ...options, reliedUpon }))
    if (here !== undefined) return here
    if (reliedUpon) throw new RegistryError('BLOB_UNKNOWN', { detail: { digest } })
    const key = keyOf(this.#claim, digest)
    const fill = this.#core.fills.get(key)
    if (fill !== undefined) return fill.stat(options.signal)
    const known = this.#core.sizes.get(key)
    if (known !== undefined && now() < known.until) return { mediaType: OCTET_STREAM, digest, size: known.size }
    const { signal } = options
    const found = await calls.ask(this.#claim, { content: 'blob', reference: digest }, signal, () =>
      this.#core.remote(this.#claim).blobs.stat(digest, signal && { signal }),
    )
    this.#core.sizes.set(key, { size: found.size, until: now() + tagTtlMs })
    return { mediaType: OCTET_STREAM, digest, size: found.size }
  }

  async open(digest: Digest, options: OpenBlobOptions = {}): Promise<BlobReader> {
    const { keeper } = this.#core.options
    await keeper.ready()
    const reader = (await this.#openHere(digest, options)) ?? (await this.#openThere(digest, options))
    this.#core.tellOf(this.#claim, 'blob', digest, { type: 'pushed', bytes: reader.body.size })
    return reader
  }

  /** Only of what is here: what is not has no URL that we know of. */
  async locate(digest: Digest, options: LocateOptions): Promise<URL | undefined> {
    const { keeper } = this.#core.options
    await keeper.ready()
    const url = await orAbsent(this.#local.locate(digest, options))
    if (url !== undefined && options.method === 'GET') this.#hit(digest)
    return url
  }

  /** Those that are here. */
  list(options?: ListOptions): AsyncIterable<Digest> {
    return this.#local.list(options)
  }

  startUpload(options?: StartUploadOptions): Promise<Upload> {
    return this.#writes.startUpload(options)
  }

  resumeUpload(id: string, context?: OperationContext): Promise<Upload> {
    return this.#writes.resumeUpload(id, context)
  }

  mount(digest: Digest, from: string | AsyncIterable<string>, context?: OperationContext): Promise<Descriptor> {
    return this.#writes.mount(digest, from, context)
  }

  delete(digest: Digest, context?: OperationContext): Promise<void> {
    return this.#writes.deleteBlob(digest, context)
  }

  put(content: ByteSource, options?: StartUploadOptions): Promise<Descriptor> {
    return this.#writes.putBlob(content, options)
  }

  get #local(): Blobs {
    return this.#core.local(this.#claim).blobs
  }

  /** From the store, or from what is on its way there. */
  async #openHere(digest: Digest, options: OpenBlobOptions): Promise<BlobReader | undefined> {
    const { range, signal } = options
    const key = keyOf(this.#claim, digest)
    for (;;) {
      const fill = this.#core.fills.get(key)
      if (fill !== undefined && (this.#isWhole(digest, range) || hasArrived(fill, range))) {
        const reader = await fill.read(range, signal)
        this.#hit(digest)
        return reader
      }
      const ended = this.#core.endedFills.get(key)
      const reader = await orAbsent(this.#local.open(digest, options))
      if (reader !== undefined) {
        this.#hit(digest)
        return reader
      }
      // Somebody else's fill may have ended between the two looks, and left the blob where we looked too early.
      if (this.#core.endedFills.get(key) === ended) return undefined
    }
  }

  /** A range goes straight to the upstream: whoever wants some of a large layer need not wait for the rest, and it cannot be verified. */
  async #openThere(digest: Digest, { range, signal }: OpenBlobOptions): Promise<BlobReader> {
    const { calls, rangeMiss } = this.#core.options
    const key = keyOf(this.#claim, digest)
    const fill = this.#core.fills.get(key)
    if (range === undefined || this.#isWhole(digest, range)) {
      const reader = await (fill ?? this.#startFill(digest)).read(range, signal)
      this.#core.tellOf(this.#claim, 'blob', digest, { type: fill === undefined ? 'miss' : 'hit' })
      return reader
    }
    const context = signal && { signal }
    const reader = await calls.ask(this.#claim, { content: 'blob', reference: digest }, signal, () =>
      this.#core.remote(this.#claim).blobs.open(digest, { ...context, range, verify: false }),
    )
    this.#core.tellOf(this.#claim, 'blob', digest, { type: 'miss' })
    this.#core.tellOf(this.#claim, 'blob', digest, { type: 'pulled', bytes: reader.body.size })
    if (rangeMiss === 'fill' && !this.#core.fills.has(key)) this.#startFill(digest)
    return reader
  }

  #startFill(digest: Digest): BlobFill {
    const { calls, keeper, logger, spoolDirectory, abandonedFillMs } = this.#core.options
    const key = keyOf(this.#claim, digest)
    const subject = { content: 'blob', reference: digest } as const
    const repository = this.#claim.localName
    const fill = new BlobFill({
      digest,
      directory: spoolDirectory,
      abandonedMs: abandonedFillMs,
      openUpstream: (signal) =>
        calls.ask(this.#claim, subject, signal, () =>
          this.#core.remote(this.#claim).blobs.open(digest, { signal, verify: false }),
        ),
      // What is larger than the whole cache would be evicted as soon as it was there.
      target: (size) => (size <= keeper.maxBytes ? this.#local : undefined),
      onBytes: (bytes) => this.#core.tellOf(this.#claim, 'blob', digest, { type: 'pulled', bytes }),
      onStored: ({ size }) => keeper.brought({ content: 'blob', repository, digest, size, needs: [] }),
      onFailure: (err, during) => {
        const message =
          during === 'fetch' ? 'an upstream did not deliver a blob' : 'cannot keep a blob that was pulled through'
        logger.warn({ err, upstream: this.#claim.upstream.name, repository, digest }, message)
      },
      onEnd: () => {
        this.#core.endedFills.set(key, (this.#core.endedFills.get(key) ?? 0) + 1)
        this.#core.fills.delete(key)
      },
    })
    this.#core.fills.set(key, fill)
    return fill
  }

  /** As far as is known: `bytes=0-` is a range only by its form. */
  #isWhole(digest: Digest, range: ByteRange | undefined): boolean {
    if (range === undefined) return true
    if (range.start !== 0) return false
    const size = this.#core.sizes.get(keyOf(this.#claim, digest))?.size
    return range.end === undefined || (size !== undefined && size > 0 && range.end >= size)
  }

  #hit(digest: Digest): void {
    this.#core.options.keeper.used('blob', this.#claim.localName, digest)
    this.#core.tellOf(this.#claim, 'blob', digest, { type: 'hit' })
  }
}

const OCTET_STREAM = 'application/octet-stream'

/** Whether a range begins in what is here already; the rest of it then comes as fast as it would from the upstream. */
function hasArrived(fill: BlobFill, range: ByteRange | undefined): boolean {
  return (range?.start ?? 0) < fill.readable
}

async function orAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (RegistryError.is(error, 'BLOB_UNKNOWN')) return undefined
    throw error
  }
}
