import type { AppendOptions, CommitOptions, OperationContext, Upload } from '../backend.ts'
import type { ByteSource } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import { parseDecimal } from '../spec/decimal.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, digestOf } from '../spec/digest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { formatChunkRange } from '../spec/range.ts'
import { Chunks } from './chunks.ts'
import { isRetryable } from './client/refusal.ts'
import type { ApiRequest, ApiResponse, RegistryClient } from './client/registry-client.ts'
import { Measured, wrongSize } from './measured.ts'
import { blobPath, scope } from './paths.ts'
import type { JudgedUrl } from './transport/named-url.ts'
import { formatUploadId } from './upload-id.ts'

export interface RemoteUploadState {
  /** The repository. */
  readonly name: string
  /** Where the registry wants the next request. */
  readonly target: JudgedUrl
  readonly offset: number
  /** Of the whole blob, in bytes, where it is known: some registries take no request that does not tell its length. */
  readonly size?: number
  readonly maxChunkBytes?: number
}

export interface TakeOptions extends OperationContext {
  readonly digest?: Digest
  readonly algorithm: DigestAlgorithm
  readonly size?: number
}

/** For a cancellation and its tries together: nobody waits long to be told of a failure. */
const CANCEL_TIMEOUT_MS = 5_000
const STATUS_OF_COMMIT = [201, 200, 204]

/** An upload to a registry over HTTP. Its bytes are there when the registry says so; what a lost connection took is asked for. */
export class RemoteUpload implements Upload {
  readonly startedAt: Date = new Date()
  readonly #client: RegistryClient
  readonly #name: string
  readonly #size: number | undefined
  readonly #maxChunkBytes: number | undefined
  #target: JudgedUrl
  #offset: number
  #isOver = false
  #isBusy = false

  constructor(client: RegistryClient, { name, target, offset, size, maxChunkBytes }: RemoteUploadState) {
    this.#client = client
    this.#name = name
    this.#target = target
    this.#offset = offset
    this.#size = size
    this.#maxChunkBytes = maxChunkBytes
  }

  get id(): string {
    return formatUploadId(this.#target.url, this.#name)
  }

  get offset(): number {
    return this.#offset
  }

  append(content: ByteSource, options: AppendOptions = {}): Promise<number> {
    return this.#exclusively(async () => {
      this.#checkOffset(options)
      await this.#append(content, {}, options)
      return this.#offset
    })
  }

  commit(digest: Digest, options: CommitOptions = {}): Promise<Descriptor> {
    return this.#exclusively(async () => {
      this.#checkOffset(options)
      const isStream = options.last !== undefined && !(options.last instanceof Uint8Array)
      const size = isStream && this.#size !== undefined ? this.#size - this.#offset : undefined
      return this.#commit(digest, options.last, { ...options, size })
    })
  }

  async cancel(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    try {
      // Often it is because the registry no longer answers that an upload is cancelled.
      const context = { signal: AbortSignal.timeout(CANCEL_TIMEOUT_MS) }
      await this.#client.call({ ...this.#request('DELETE'), expect: [204, 200, 202, 404], context })
    } catch (error) {
      // Not every registry can; each drops what nobody goes on with.
      if (!RegistryError.is(error, 'UNSUPPORTED')) throw error
    }
  }

  /** Asks the registry how far it is. @throws {@link RegistryError} `BLOB_UPLOAD_UNKNOWN` */
  async refresh(context: OperationContext = {}): Promise<void> {
    const response = await this.#client.call({ ...this.#request('GET'), expect: [204, 200], context })
    this.#follow(response)
    // Nobody sends one byte alone.
    this.#offset = readOffset(response, 0) ?? this.#offset
  }

  /** The whole blob in one go: with its digest at once, else hashed as it passes. */
  take(content: ByteSource, { digest, algorithm, size, ...context }: TakeOptions): Promise<Descriptor> {
    return this.#exclusively(async () => {
      if (content instanceof Uint8Array) {
        if (size !== undefined && size !== content.byteLength) throw wrongSize(size, content.byteLength)
        return this.#commit(digest ?? digestOf(content, algorithm), content, { ...context, size: content.byteLength })
      }
      if (digest !== undefined) return this.#commit(digest, content, { ...context, size })
      const measured = Measured.of(content, { size, algorithm })
      await this.#append(measured, { size }, context)
      const found = measured.digest()
      if (found === undefined) throw new RegistryError('UNKNOWN')
      return this.#commit(found, undefined, context)
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }

  async #append(content: ByteSource, { size }: Sized, context: OperationContext): Promise<void> {
    const limit = this.#maxChunkBytes
    if (content instanceof Uint8Array) {
      const step = limit ?? Math.max(1, content.byteLength)
      for (let at = 0; at < content.byteLength; at += step) {
        await this.#patchBytes(content.subarray(at, at + step), context)
      }
    } else if (limit === undefined) await this.#patchStream(content, size, context)
    else {
      await this.#inChunks(content, { size, signal: context.signal }, (chunk, bytes) =>
        this.#patchStream(chunk, bytes, context),
      )
    }
  }

  /** Bytes at hand can be sent again: from where the registry says it is. */
  async #patchBytes(content: Uint8Array, context: OperationContext): Promise<void> {
    const start = this.#offset
    const end = start + content.byteLength
    await this.#client.retries.run(async () => {
      if (this.#offset === end) return
      const rest = content.subarray(this.#offset - start)
      const range = formatChunkRange({ start: this.#offset, end })
      try {
        this.#advance(await this.#patch(rest, { 'content-range': range }, context), end)
      } catch (error) {
        if (RegistryError.is(error) && isRetryable(error.code)) await this.#refreshWithin(start, end, context)
        throw error
      }
    }, context.signal)
  }

  async #patchStream(content: ByteSource, size: number | undefined, context: OperationContext): Promise<void> {
    const start = this.#offset
    const measured = Measured.of(content, { size })
    const sized = size !== undefined &&
      size > 0 && {
        'content-length': String(size),
        'content-range': formatChunkRange({ start, end: start + size }),
      }
    try {
      const response = await this.#patch(measured, { ...sized }, context)
      this.#advance(response, start + measured.bytes)
    } catch (error) {
      measured.destroy()
      // Where to go on from: what came before the connection broke is kept.
      if (RegistryError.is(error, 'UNAVAILABLE')) {
        await this.#refreshWithin(start, start + measured.bytes, context).catch(() => {})
      }
      throw error
    }
  }

  #patch(body: ByteSource, headers: Readonly<Record<string, string>>, context: OperationContext): Promise<ApiResponse> {
    return this.#client.call({
      ...this.#request('PATCH'),
      headers: { 'content-type': MEDIA_TYPES.octetStream, ...headers },
      body,
      expect: [202, 204, 201],
      context,
    })
  }

  /** What a request brought, in the registry's own words; with other words than expected, nothing more can be appended. */
  #advance(response: ApiResponse, expected: number): void {
    this.#follow(response)
    const offset = readOffset(response, expected === 0 ? 0 : 1) ?? expected
    this.#offset = offset
    if (offset === expected) return
    throw new RegistryError('RANGE_INVALID', {
      message: `${this.#client.address.name} has ${offset} bytes of an upload that brought ${expected}`,
      detail: { offset },
    })
  }

  async #refreshWithin(start: number, end: number, context: OperationContext): Promise<void> {
    await this.refresh(context)
    if (this.#offset >= start && this.#offset <= end) return
    throw new RegistryError('RANGE_INVALID', {
      message: `${this.#client.address.name} lost bytes of an upload: it is at ${this.#offset}, and was at ${start}`,
      detail: { offset: this.#offset },
    })
  }

  async #commit(
    digest: Digest,
    last: ByteSource | undefined,
    { size, ...context }: CommitContext,
  ): Promise<Descriptor> {
    const body = await this.#allButLast(last, size, context)
    const target = withDigest(this.#target, digest)
    const measured = body instanceof Uint8Array || body === undefined ? undefined : Measured.of(body, { size })
    const headers = {
      ...(body !== undefined && { 'content-type': MEDIA_TYPES.octetStream }),
      ...(measured && size !== undefined && { 'content-length': String(size) }),
    }
    const sent = measured ?? body
    try {
      const request = { ...this.#request('PUT'), target, headers, ...(sent !== undefined && { body: sent }), context }
      const response = await this.#client.call({ ...request, expect: STATUS_OF_COMMIT })
      this.#checkDigest(response, digest)
    } catch (error) {
      measured?.destroy()
      if (RegistryError.is(error, 'DIGEST_INVALID')) this.#isOver = true
      // The answer to a first try may have been lost: the blob is here then, though not all of it need have been read for it.
      const there = isDoubtful(error) ? await this.#sizeThere(digest, context) : undefined
      if (there === undefined) throw error
      return this.#published(digest, there)
    }
    const sentBytes = measured?.bytes ?? (body instanceof Uint8Array ? body.byteLength : 0)
    return this.#published(digest, this.#offset + sentBytes)
  }

  #published(digest: Digest, size: number): Descriptor {
    this.#isOver = true
    this.#offset = size
    return { mediaType: MEDIA_TYPES.octetStream, digest, size }
  }

  /** Sends in chunks what one request may not bring; what is left for the last one is returned. */
  async #allButLast(
    last: ByteSource | undefined,
    size: number | undefined,
    context: OperationContext,
  ): Promise<ByteSource | undefined> {
    const limit = this.#maxChunkBytes
    const length = last instanceof Uint8Array ? last.byteLength : size
    if (last === undefined || limit === undefined || (length !== undefined && length <= limit)) return last
    await this.#append(last, { size }, context)
    return undefined
  }

  async #inChunks(
    content: AsyncIterable<Uint8Array>,
    { size, signal }: Sized & { readonly signal: AbortSignal | undefined },
    send: (chunk: AsyncIterable<Uint8Array>, bytes: number | undefined) => Promise<void>,
  ): Promise<void> {
    const limit = this.#maxChunkBytes ?? Number.POSITIVE_INFINITY
    const chunks = new Chunks(content, signal)
    let sent = 0
    try {
      while (!(await chunks.isAtEnd())) {
        if (size !== undefined && sent >= size) throw wrongSize(size, sent + 1)
        const bytes = size === undefined ? undefined : Math.min(limit, size - sent)
        await send(chunks.take(bytes ?? limit), bytes)
        sent += bytes ?? 0
      }
      if (size !== undefined && sent < size) throw wrongSize(size, sent)
    } finally {
      chunks.close()
    }
  }

  /** Bytes of a blob that the registry has; `undefined` where it has none, and where that cannot be told. */
  async #sizeThere(digest: Digest, context: OperationContext): Promise<number | undefined> {
    try {
      const response = await this.#client.call({
        method: 'HEAD',
        target: blobPath(this.#name, digest),
        scopes: [scope(this.#name, 'pull')],
        expect: [200],
        context,
      })
      return parseDecimal(response.headers['content-length'] ?? '')
    } catch {
      return undefined // the first error tells more
    }
  }

  #checkDigest({ headers }: ApiResponse, digest: Digest): void {
    const found = headers['docker-content-digest']
    const isSameKind = typeof found === 'string' && found.startsWith(`${algorithmOf(digest)}:`)
    if (!isSameKind || found === digest) return
    throw new RegistryError('DIGEST_INVALID', {
      message: `${this.#client.address.name} stored ${found} for an upload of ${digest}`,
    })
  }

  #request<M extends ApiRequest['method']>(method: M) {
    return {
      method,
      target: this.#target,
      scopes: [scope(this.#name, 'pull', 'push')],
      absent: 'BLOB_UPLOAD_UNKNOWN',
    } as const
  }

  #follow({ headers, url }: ApiResponse): void {
    if (headers.location !== undefined) this.#target = this.#client.judge('location', headers.location, url)
  }

  #checkOffset({ at }: AppendOptions): void {
    if (at === undefined || at === this.#offset) return
    throw new RegistryError('RANGE_INVALID', {
      message: `the upload continues at byte ${this.#offset}`,
      detail: { offset: this.#offset },
    })
  }

  /** One request at a time: a second one would be somewhere else than it thinks. */
  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isOver) throw new RegistryError('BLOB_UPLOAD_UNKNOWN', { message: 'the upload is over' })
    if (this.#isBusy) throw new RegistryError('RANGE_INVALID', { message: 'another request of this upload is running' })
    this.#isBusy = true
    try {
      return await work()
    } finally {
      this.#isBusy = false
    }
  }
}

interface Sized {
  readonly size?: number | undefined
}

type CommitContext = OperationContext & Sized

function withDigest(target: JudgedUrl, digest: Digest): JudgedUrl {
  const url = new URL(target.url)
  // Not by searchParams: it would write anew what the registry signed.
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`
  return { ...target, url }
}

/**
 * Bytes that the registry holds: by `Upload-Offset` where it is told, else by the `Range` of its answer, `0-99`, or `bytes=0-99` of
 * some. Of one byte and of none, `Range` says the same.
 */
function readOffset({ headers }: ApiResponse, ifAmbiguous: 0 | 1): number | undefined {
  const told = parseDecimal(String(headers['upload-offset'] ?? ''))
  if (told !== undefined) return told
  const range = headers.range
  if (typeof range !== 'string') return undefined
  const last = parseDecimal(range.replace(/^bytes=/, '').split('-', 2)[1] ?? '')
  if (last === undefined) return undefined
  return last === 0 ? ifAmbiguous : last + 1
}

/** No answer, or that of a registry which may have said something else before. */
function isDoubtful(error: unknown): boolean {
  return RegistryError.is(error, 'UNAVAILABLE') || RegistryError.is(error, 'BLOB_UPLOAD_UNKNOWN')
}
