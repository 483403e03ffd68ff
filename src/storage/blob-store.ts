import { checkBlobContent } from '../arguments.ts'
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
} from '../backend.ts'
import { awaitErrors, type ByteSource } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest } from '../spec/digest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { isRepositoryName, isUploadId, parseRepositoryName } from '../spec/name.ts'
import type { BlobFact } from './blob-facts.ts'
import { KeyNotFoundError, type ObjectStat, type StorageDriver } from './driver.ts'
import { readMark } from './expired-uploads.ts'
import { blobData, digestOfLinkKey, isWholeLink, linkContent, parseLink, RepositoryLayout } from './layout.ts'
import { StorageCore } from './storage-core.ts'
import { isUploadOf, newUploadId } from './upload-id.ts'
import { UploadSession } from './upload-session.ts'

/** How long a signed URL lasts, in milliseconds; as with Distribution. */
const SIGNED_URL_MS = 20 * 60 * 1000

/** Blobs of one repository over a storage driver. A blob is visible where it is linked, and nowhere else. */
export class BlobStore implements Blobs {
  readonly #core: StorageCore
  readonly #name: string
  readonly #layout: RepositoryLayout
  readonly minChunkBytes?: number

  /** @throws {@link RegistryError} `NAME_INVALID` */
  constructor(storage: StorageDriver | StorageCore, repository: string) {
    this.#core = StorageCore.over(storage)
    this.#name = parseRepositoryName(repository)
    this.#layout = new RepositoryLayout(this.#name)
    if (this.#core.driver.minChunkBytes !== undefined) this.minChunkBytes = this.#core.driver.minChunkBytes
  }

  async stat(digest: Digest, options: StatBlobOptions = {}): Promise<Descriptor> {
    // Whoever leaves out an upload relies on the data itself, not on somebody having seen it.
    if (!options.reliedUpon) return descriptor(digest, (await this.#see(digest, options)).size)
    const found = await this.#find(digest, options)
    await this.#refresh(digest, found.linkedAt)
    return descriptor(digest, found.data.size)
  }

  async open(digest: Digest, options: OpenBlobOptions = {}): Promise<BlobReader> {
    const { range } = options
    const target = await this.#openData(digest, options)
    const { size } = target.stat
    const start = range?.start ?? 0
    const end = Math.min(range?.end ?? size, size)
    if (range !== undefined && (start >= size || end <= start)) {
      await target.body[Symbol.asyncDispose]()
      throw new RegistryError('RANGE_INVALID', { message: `the blob has ${size} bytes`, detail: { size } })
    }
    return { descriptor: descriptor(digest, size), range: { start, end }, body: target.body }
  }

  async startUpload(options: StartUploadOptions = {}): Promise<UploadSession> {
    const { signal } = options
    const session = await this.#createSession(options, true)
    const started = Buffer.from(session.startedAt.toISOString())
    try {
      // Not made durable: an upload without a byte may be lost with the power, its client starts again.
      await this.#core.driver.put(this.#layout.uploadStartedAt(session.id), started, {
        durable: false,
        ...(signal && { signal }),
      })
    } catch (error) {
      this.#core.openUploads.leave(this.#layout.uploadData(session.id))
      throw error
    }
    this.#core.expiredUploads.sweepWhenDue(this.#layout)
    return session
  }

  async resumeUpload(id: string, context: OperationContext = {}): Promise<Upload> {
    const { expiredUploads, openUploads, uploads, driver } = this.#core
    const signal = context.signal && { signal: context.signal }
    if (!isUploadId(id) || !isUploadOf(id, this.#name, context.actor)) throw unknownUpload(id)
    const key = this.#layout.uploadData(id)
    const markKey = this.#layout.uploadStartedAt(id)
    const known = uploads.peek(key)
    const [mark, upload] = await Promise.all([
      known !== undefined
        ? { ...known, modifiedAt: undefined }
        : driver.get(markKey, signal).then(marked).catch(absent),
      driver.resumeUpload(key, signal).catch(absent),
    ])
    if (mark?.startedAt !== undefined && expiredUploads.hasExpired(mark.startedAt)) {
      await upload?.[Symbol.asyncDispose]()
      // What was received in time may be on its way to being published: then it goes by itself.
      if (!uploads.running.has(key)) await this.#expire(id)
      throw unknownUpload(id)
    }
    // The mark may have been lost with the power when bytes that were acknowledged later were not.
    const isThere = upload !== undefined && (upload.size > 0 || mark !== undefined)
    // Without a byte there may be nothing but the mark, which another process may have removed since we remembered it.
    if (!isThere && (await driver.stat(markKey, signal)) === undefined) {
      openUploads.leave(key)
      throw unknownUpload(id)
    }
    openUploads.touch(key)
    return new UploadSession({
      core: this.#core,
      layout: this.#layout,
      id,
      startedAt: mark?.startedAt ?? mark?.modifiedAt ?? new Date(),
      upload: upload ?? (await driver.createUpload(key, { ...signal, takenOver: known === undefined })),
      algorithm: known?.algorithm,
    })
  }

  async mount(
    digest: Digest,
    from: string | AsyncIterable<string>,
    context: OperationContext = {},
  ): Promise<Descriptor> {
    const intent = await this.#core.intents.declare(new Set([digest]), context.signal)
    try {
      // Without its data there is no repository to look for.
      if (typeof from !== 'string' && algorithmOf(digest) === 'sha256' && !(await this.#hasData(digest, context))) {
        throw unknownBlob(digest)
      }
      for await (const source of typeof from === 'string' ? [from] : from) {
        if (!isRepositoryName(source)) continue
        const found = await this.#lookFor(digest, context, new RepositoryLayout(source))
        if (found === undefined) continue
        await this.#link(digest, found.target)
        return descriptor(digest, found.data.size)
      }
      throw unknownBlob(digest)
    } finally {
      intent.release()
    }
  }

  async delete(digest: Digest, context: OperationContext = {}): Promise<void> {
    const link = this.#layout.layerLink(digest)
    const found = await this.#core.driver.stat(link, context.signal && { signal: context.signal })
    if (found === undefined) throw unknownBlob(digest)
    await this.#core.driver.delete(link)
    await this.#core.facts.hide(this.#name, digest)
  }

  async locate(digest: Digest, { method, remoteAddress, signal }: LocateOptions): Promise<URL | undefined> {
    if (this.#core.driver.signUrl === undefined) return undefined
    const { target } = await this.#see(digest, signal && { signal })
    return this.#core.driver.signUrl(blobData(target), {
      method,
      expiresInMs: SIGNED_URL_MS,
      ...(remoteAddress !== undefined && { remoteAddress }),
    })
  }

  async put(content: ByteSource, options: StartUploadOptions = {}): Promise<Descriptor> {
    checkBlobContent(content)
    awaitErrors(content)
    const { digest, signal, algorithm = 'sha256' } = options
    const session = await this.#createSession(options, false)
    try {
      const counted = { at: 0, ...(signal && { signal }) }
      return digest !== undefined
        ? await session.commit(digest, { ...counted, last: content })
        : await session.commitAs(content, algorithm, counted)
    } catch (error) {
      await session.cancel().catch((err: unknown) => {
        this.#core.logger.warn({ err, upload: session.id }, 'could not remove a failed upload')
      })
      throw error
    } finally {
      await session[Symbol.asyncDispose]()
    }
  }

  async *list(options: ListOptions = {}): AsyncGenerator<Digest> {
    const { after, signal } = options
    const start = after === undefined ? undefined : `${this.#layout.layers}/${after.replace(':', '/')}`
    for await (const entry of this.#core.driver.list(this.#layout.layers, {
      ...(start !== undefined && { after: start }),
      ...(signal && { signal }),
    })) {
      const digest = digestOfLinkKey(this.#layout.layers, entry.key)
      if (digest !== undefined && (after === undefined || digest > after)) yield digest
    }
  }

  /** Without a mark where one request sees it through, and nobody else needs to find it. */
  async #createSession(
    { algorithm, digest, size, signal, actor }: StartUploadOptions,
    isMarked: boolean,
  ): Promise<UploadSession> {
    const id = newUploadId(this.#name, actor)
    const key = this.#layout.uploadData(id)
    const announced = digest !== undefined ? algorithmOf(digest) : (algorithm ?? 'sha256')
    const { openUploads } = this.#core
    const mark = this.#layout.uploadStartedAt(id)
    if (isMarked) await openUploads.enter(key, { repository: this.#name, actor, mark })
    const upload = await this.#core.driver.createUpload(key, signal && { signal }).catch((error: unknown) => {
      openUploads.leave(key)
      throw error
    })
    const startedAt = new Date()
    this.#core.uploads.begin(key, announced, startedAt)
    return new UploadSession({
      core: this.#core,
      layout: this.#layout,
      id,
      startedAt,
      upload,
      algorithm: announced,
      isMarked,
      // Of an upload in pieces it is what the client thinks beforehand, and may change.
      ...(!isMarked && { size }),
    })
  }

  async #expire(id: string): Promise<void> {
    const key = this.#layout.uploadData(id)
    this.#core.uploads.forget(key)
    this.#core.openUploads.leave(key)
    await this.#core.expiredUploads.remove(this.#layout, id)
  }

  async #find(digest: Digest, context: OperationContext = {}): Promise<FoundBlob> {
    const found = await this.#lookFor(digest, context)
    if (found !== undefined) return found
    throw unknownBlob(digest)
  }

  /**
   * For those who only read: the data may be remembered, the link is looked at each time, but for a time-to-live that the operator
   * chose. So nothing that another repository does makes a blob visible in this one.
   */
  async #see(digest: Digest, context: OperationContext = {}): Promise<BlobFact> {
    const { facts, driver } = this.#core
    const fact = await facts.get(digest)
    if (fact !== undefined) {
      if (await facts.isShown(this.#name, digest)) return fact
      const link = await driver.stat(this.#layout.layerLink(digest), context.signal && { signal: context.signal })
      if (link === undefined || !isWholeLink(fact.target, link.size)) throw unknownBlob(digest)
      await facts.show(this.#name, digest)
      return fact
    }
    const { target, data } = await this.#find(digest, context)
    await Promise.all([facts.remember(digest, { target, size: data.size }), facts.show(this.#name, digest)])
    return { target, size: data.size }
  }

  /** Link and data of a blob, here or in another repository; `undefined` when one of them is absent. */
  async #lookFor(
    digest: Digest,
    { signal }: OperationContext,
    layout: RepositoryLayout = this.#layout,
  ): Promise<FoundBlob | undefined> {
    const options = signal && { signal }
    const key = layout.layerLink(digest)
    if (algorithmOf(digest) === 'sha256') {
      // A sha256 link names its own digest, so link and data can be asked for at once.
      const [link, data] = await Promise.all([
        this.#core.driver.stat(key, options),
        this.#core.driver.stat(blobData(digest), options),
      ])
      if (link === undefined || data === undefined || !isWholeLink(digest, link.size)) return undefined
      return { target: digest, data, linkedAt: link.modifiedAt }
    }
    // Distribution keeps other algorithms as aliases: the link says under which digest the data lies.
    const link = await this.#core.driver.get(key, options).catch(absent)
    const target = link && parseLink(key, link.content)
    const data = target && (await this.#core.driver.stat(blobData(target), options))
    if (link === undefined || target === undefined || data === undefined) return undefined
    return { target, data, linkedAt: link.stat.modifiedAt }
  }

  async #openData(digest: Digest, { range, signal }: OpenBlobOptions) {
    const options = { ...(range && { range }), ...(signal && { signal }) }
    if (algorithmOf(digest) !== 'sha256') {
      const { target } = await this.#find(digest, options)
      return this.#core.driver.read(blobData(target), options).catch(asUnknown(digest))
    }
    const [link, data] = await Promise.allSettled([
      this.#core.driver.stat(this.#layout.layerLink(digest), signal && { signal }),
      this.#core.driver.read(blobData(digest), options),
    ])
    if (link.status === 'rejected' || link.value === undefined || !isWholeLink(digest, link.value.size)) {
      if (data.status === 'fulfilled') await data.value.body[Symbol.asyncDispose]()
      throw link.status === 'rejected' ? link.reason : unknownBlob(digest)
    }
    if (data.status === 'rejected') {
      if (data.reason instanceof KeyNotFoundError) await this.#core.facts.forget(digest)
      throw asError(data.reason, digest)
    }
    return data.value
  }

  async #hasData(digest: Digest, { signal }: OperationContext): Promise<boolean> {
    return (await this.#core.driver.stat(blobData(digest), signal && { signal })) !== undefined
  }

  /** Where data lies under another digest, Distribution looks for that one's link as well. */
  async #link(digest: Digest, target: Digest): Promise<void> {
    if (target !== digest) await this.#core.driver.put(this.#layout.layerLink(target), linkContent(target))
    await this.#core.driver.put(this.#layout.layerLink(digest), linkContent(target))
  }

  /** A link half way through the grace period is dated anew: whoever relies on it is given the whole period. */
  async #refresh(digest: Digest, linkedAt: Date): Promise<void> {
    if (Date.now() - linkedAt.getTime() < this.#core.gracePeriodMs / 2) return
    const intent = await this.#core.intents.declare(new Set([digest]))
    try {
      const { target } = await this.#find(digest)
      await this.#link(digest, target)
    } finally {
      intent.release()
    }
  }
}

interface FoundBlob {
  /** The digest under which the data lies. */
  readonly target: Digest
  readonly data: ObjectStat
  readonly linkedAt: Date
}

function descriptor(digest: Digest, size: number): Descriptor {
  return { mediaType: MEDIA_TYPES.octetStream, digest, size }
}

function unknownBlob(digest: Digest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', { detail: { digest } })
}

function unknownUpload(id: string): RegistryError {
  return new RegistryError('BLOB_UPLOAD_UNKNOWN', { detail: { upload: id.slice(0, 128) } })
}

/** For `.catch`: only absence becomes `undefined`; "cannot tell" stays an error. */
function absent(error: unknown): undefined {
  if (error instanceof KeyNotFoundError) return undefined
  throw error
}

function asError(error: unknown, digest: Digest): unknown {
  return error instanceof KeyNotFoundError ? unknownBlob(digest) : error
}

function asUnknown(digest: Digest): (error: unknown) => never {
  return (error) => {
    throw asError(error, digest)
  }
}

interface Mark {
  readonly startedAt: Date | undefined
  readonly modifiedAt: Date
}

function marked(read: { readonly stat: ObjectStat; readonly content: Uint8Array }): Mark {
  return { startedAt: readMark(read), modifiedAt: read.stat.modifiedAt }
}
