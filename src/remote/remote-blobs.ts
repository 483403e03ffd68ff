import { Readable } from 'node:stream'
import { checkBlobContent } from '../arguments.ts'
import type {
  BlobReader,
  Blobs,
  OpenBlobOptions,
  OperationContext,
  StartUploadOptions,
  StatBlobOptions,
  Upload,
} from '../backend.ts'
import { awaitErrors, type ByteRange, type ByteSource, streamBody } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import { parseDecimal } from '../spec/decimal.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest } from '../spec/digest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { isRepositoryName } from '../spec/name.ts'
import { formatRange, parseContentRange, type Range } from '../spec/range.ts'
import { BlobStream } from './blob-stream.ts'
import type { ApiResponse, RegistryClient } from './client/registry-client.ts'
import { blobPath, scope, uploadsPath } from './paths.ts'
import { RemoteUpload } from './remote-upload.ts'
import { parseUploadId } from './upload-id.ts'

/** Repositories that are tried as the source of a mount, where several may have the blob. */
const MAX_MOUNT_SOURCES = 16

export interface RemoteBlobsOptions {
  /** Bytes of one request's body at most. */
  readonly maxChunkBytes?: number
}

/** Blobs of one repository of a registry over HTTP. */
export class RemoteBlobs implements Blobs {
  readonly #client: RegistryClient
  readonly #name: string
  readonly #options: RemoteBlobsOptions

  constructor(client: RegistryClient, name: string, options: RemoteBlobsOptions = {}) {
    this.#client = client
    this.#name = name
    this.#options = options
  }

  async stat(digest: Digest, context: StatBlobOptions = {}): Promise<Descriptor> {
    const response = await this.#client.call({ ...this.#blob('HEAD', digest), expect: [200], context })
    const size = parseDecimal(response.headers['content-length'] ?? '')
    if (size !== undefined) return descriptor(digest, size)
    // A HEAD need not tell the length.
    const { descriptor: found, body } = await this.open(digest, { ...context, verify: false })
    await body[Symbol.asyncDispose]()
    return found
  }

  async open(digest: Digest, options: OpenBlobOptions = {}): Promise<BlobReader> {
    const { range, verify = true, signal } = options
    if (range?.end !== undefined && range.end <= range.start) throw emptyRange(range)
    const response = await this.#get(digest, range, options)
    const { size, sent } = await this.#extentOf(response, digest, options)
    const wanted = { start: range?.start ?? 0, end: Math.min(range?.end ?? size, size) }
    if (range !== undefined && wanted.start >= size) {
      response.body.destroy()
      throw new RegistryError('RANGE_INVALID', { message: `the blob has ${size} bytes`, detail: { size } })
    }
    const isWhole = wanted.start === 0 && wanted.end === size
    // A registry that does not know ranges sends everything, which is then asked for where it is wanted.
    const first = this.#cut(response.body, sent, wanted)
    const stream = new BlobStream(first, {
      range: wanted,
      ...(isWhole && verify && { digest }),
      reopen: (at) => this.#reopen(digest, { start: at, end: wanted.end }, options),
      retries: this.#client.retries,
      signal,
    })
    const length = wanted.end - wanted.start
    return { descriptor: descriptor(digest, size), range: wanted, body: streamBody(stream, length) }
  }

  async startUpload(options: StartUploadOptions = {}): Promise<RemoteUpload> {
    const response = await this.#client.call({
      method: 'POST',
      target: uploadsPath(this.#name) + algorithmQuery(options),
      scopes: [scope(this.#name, 'pull', 'push')],
      expect: [202],
      absent: 'NAME_UNKNOWN',
      // What is begun twice is one upload that nobody goes on with.
      repeatable: true,
      context: options,
    })
    const upload = this.#upload(response, options.size)
    const problem = this.#chunkProblem(response)
    if (problem === undefined) return upload
    await upload.cancel().catch(() => {}) // the problem tells more
    throw problem
  }

  async resumeUpload(id: string, context: OperationContext = {}): Promise<Upload> {
    const path = parseUploadId(id, this.#name)
    if (path === undefined) throw new RegistryError('BLOB_UPLOAD_UNKNOWN', { detail: { upload: id.slice(0, 128) } })
    const target = this.#client.judge('location', path, this.#client.address.url)
    const upload = new RemoteUpload(this.#client, { name: this.#name, target, offset: 0, ...this.#options })
    await upload.refresh(context)
    return upload
  }

  async mount(
    digest: Digest,
    from: string | AsyncIterable<string>,
    context: OperationContext = {},
  ): Promise<Descriptor> {
    let tried = 0
    for await (const source of typeof from === 'string' ? [from] : from) {
      if (!isRepositoryName(source)) continue
      if (await this.#mountFrom(digest, source, context)) return this.stat(digest, context)
      tried += 1
      if (tried === MAX_MOUNT_SOURCES) break
    }
    throw new RegistryError('BLOB_UNKNOWN', { detail: { digest } })
  }

  async delete(digest: Digest, context: OperationContext = {}): Promise<void> {
    const { target, absent } = this.#blob('HEAD', digest)
    const scopes = [scope(this.#name, 'delete', 'pull')]
    await this.#client.call({ method: 'DELETE', target, absent, scopes, expect: [202, 200, 204], context })
  }

  /** Never: the registry's own redirects are followed here. */
  locate(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  async put(content: ByteSource, options: StartUploadOptions = {}): Promise<Descriptor> {
    checkBlobContent(content)
    const { digest, algorithm, size } = options
    awaitErrors(content)
    const upload = await this.startUpload(options)
    try {
      return await upload.take(content, {
        ...options,
        algorithm: digest === undefined ? (algorithm ?? 'sha256') : algorithmOf(digest),
        ...(size === undefined && content instanceof Uint8Array && { size: content.byteLength }),
      })
    } catch (error) {
      await upload.cancel().catch(() => {}) // the first error tells more; the registry drops uploads that nobody goes on with
      throw error
    } finally {
      await upload[Symbol.asyncDispose]()
    }
  }

  /** @throws {@link RegistryError} `UNSUPPORTED`: no registry lists its blobs */
  // biome-ignore lint/correctness/useYield: a listing that fails as soon as it is read
  async *list(): AsyncGenerator<Digest> {
    throw new RegistryError('UNSUPPORTED', { message: `${this.#client.address.name} has no list of blobs` })
  }

  #blob<M extends 'GET' | 'HEAD'>(method: M, digest: Digest) {
    return {
      method,
      target: blobPath(this.#name, digest),
      scopes: [scope(this.#name, 'pull')],
      absent: 'BLOB_UNKNOWN',
    } as const
  }

  #upload(response: ApiResponse, size?: number): RemoteUpload {
    const { location } = response.headers
    if (location === undefined) throw noLocation(this.#client.address.name)
    return new RemoteUpload(this.#client, {
      name: this.#name,
      target: this.#client.judge('location', location, response.url),
      offset: 0,
      ...(size !== undefined && { size }),
      ...this.#options,
    })
  }

  /** Where the registry takes no chunks as small as ours have to be. */
  #chunkProblem({ headers }: ApiResponse): RegistryError | undefined {
    const { maxChunkBytes = Number.POSITIVE_INFINITY } = this.#options
    const minimum = parseDecimal(String(headers['oci-chunk-min-length'] ?? '')) ?? 0
    if (maxChunkBytes >= minimum) return undefined
    return new RegistryError('UNSUPPORTED', {
      message: `${this.#client.address.name} takes chunks of ${minimum} bytes or more, and maxChunkBytes is ${maxChunkBytes}`,
    })
  }

  /** Whether it is here now; the upload that a registry begins instead is dropped. */
  async #mountFrom(digest: Digest, from: string, context: OperationContext): Promise<boolean> {
    const response = await this.#client.call({
      method: 'POST',
      target: `${uploadsPath(this.#name)}?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`,
      scopes: [scope(this.#name, 'pull', 'push'), scope(from, 'pull')],
      expect: [201, 202],
      absent: 'NAME_UNKNOWN',
      repeatable: true,
      context,
    })
    if (response.status === 201) return true
    // An upload in its place. That it cannot be dropped says nothing of the mount; the registry drops it by and by.
    if (response.headers.location !== undefined)
      await this.#upload(response)
        .cancel()
        .catch(() => {})
    return false
  }

  #get(digest: Digest, range: ByteRange | undefined, context: OperationContext): Promise<ApiResponse> {
    return this.#client.request({
      ...this.#blob('GET', digest),
      // Bytes as they are stored: a proxy that compresses them would change what the digest is of.
      headers: { 'accept-encoding': 'identity', ...(range && { range: rangeHeader(range) }) },
      expect: range === undefined ? [200] : [200, 206],
      bulk: true,
      context,
    })
  }

  async #extentOf(response: ApiResponse, digest: Digest, context: OperationContext): Promise<Extent> {
    const { headers } = response
    try {
      if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
        throw unusable(this.#client.address.name, `a blob encoded as ${headers['content-encoding']}`)
      }
      if (response.status === 206) {
        const extent = readContentRange(headers['content-range'])
        if (extent === undefined) throw unusable(this.#client.address.name, 'a part of a blob and not which')
        return extent
      }
      const length = parseDecimal(headers['content-length'] ?? '')
      const size = length ?? (await this.#headSize(digest, context))
      return { size, sent: { start: 0, end: size } }
    } catch (error) {
      response.body.destroy()
      throw error
    }
  }

  async #headSize(digest: Digest, context: OperationContext): Promise<number> {
    const response = await this.#client.call({ ...this.#blob('HEAD', digest), expect: [200], context })
    const size = parseDecimal(response.headers['content-length'] ?? '')
    if (size === undefined) throw unusable(this.#client.address.name, 'a blob and not its size')
    return size
  }

  /** Of what is sent, what is wanted. Less than that is for the stream to ask for. */
  #cut(body: Readable, sent: Range, wanted: Range): Readable {
    if (sent.start === wanted.start && sent.end <= wanted.end) return body
    if (sent.start > wanted.start) {
      body.destroy()
      throw unusable(this.#client.address.name, 'another part of a blob')
    }
    const within = { start: wanted.start - sent.start, end: wanted.end - sent.start }
    return Readable.from(slice(body, within), { objectMode: false })
  }

  async #reopen(digest: Digest, range: Range, context: OperationContext): Promise<Readable> {
    const response = await this.#get(digest, range, context)
    const { sent } = await this.#extentOf(response, digest, context)
    return this.#cut(response.body, sent, range)
  }
}

interface Extent {
  /** Of the whole blob. */
  readonly size: number
  /** What the answer holds of it. */
  readonly sent: Range
}

async function* slice(body: AsyncIterable<Buffer>, { start, end }: Range): AsyncGenerator<Buffer> {
  let at = 0
  for await (const chunk of body) {
    const part = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at))
    at += chunk.byteLength
    if (part.byteLength > 0) yield part
    if (at >= end) return
  }
}

function rangeHeader({ start, end }: ByteRange): string {
  return end === undefined ? `bytes=${start}-` : formatRange([{ start, end }])
}

/** `bytes 0-99/1000` */
function readContentRange(header: string | undefined): Extent | undefined {
  const sent = header === undefined ? undefined : parseContentRange(header)
  const size = parseDecimal(header?.slice(header.indexOf('/') + 1) ?? '')
  return sent === undefined || size === undefined ? undefined : { size, sent }
}

function algorithmQuery({ digest, algorithm }: StartUploadOptions): string {
  const chosen = digest === undefined ? algorithm : algorithmOf(digest)
  return chosen === undefined || chosen === 'sha256' ? '' : `?digest-algorithm=${chosen}`
}

function descriptor(digest: Digest, size: number): Descriptor {
  return { mediaType: MEDIA_TYPES.octetStream, digest, size }
}

function emptyRange({ start, end }: ByteRange): RegistryError {
  return new RegistryError('RANGE_INVALID', { message: `no byte lies between ${start} and ${end}` })
}

function noLocation(registry: string): RegistryError {
  return unusable(registry, 'an upload and not where')
}

/** An answer that breaks the specification: nothing can be told from it. */
function unusable(registry: string, what: string): RegistryError {
  return new RegistryError('UNAVAILABLE', { message: `${registry} answers with ${what}` })
}
