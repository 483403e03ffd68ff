import { checkManifestPut } from '../arguments.ts'
import type {
  ListOptions,
  Manifest,
  Manifests,
  OperationContext,
  PutManifestOptions,
  ReferrersOptions,
} from '../backend.ts'
import { DamagedContentError, RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../spec/digest.ts'
import { declaredMediaType, detectMediaType, type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../spec/name.ts'
import { KeyNotFoundError, type StorageDriver } from './driver.ts'
import { blobData, digestOfLinkKey, isWholeLink, linkContent, RepositoryLayout } from './layout.ts'
import type { CachedManifest } from './manifest-cache.ts'
import { ReferenceCheck, referencesOf } from './reference-check.ts'
import { ReferrerStore } from './referrer-store.ts'
import { StorageCore } from './storage-core.ts'
import { TagStore, type TagTarget } from './tag-store.ts'

/** How many tags are looked at together when a manifest is deleted. */
const TAGS_AT_ONCE = 16

/** Manifests of one repository over a storage driver. Their bytes are never re-serialised. */
export class ManifestStore implements Manifests {
  readonly #core: StorageCore
  readonly #layout: RepositoryLayout
  readonly #tags: TagStore
  readonly #referrers: ReferrerStore
  readonly #references: ReferenceCheck

  /** @throws {@link RegistryError} `NAME_INVALID` */
  constructor(storage: StorageDriver | StorageCore, repository: string) {
    this.#core = StorageCore.over(storage)
    this.#layout = new RepositoryLayout(parseRepositoryName(repository))
    this.#tags = new TagStore(this.#core, repository)
    this.#references = new ReferenceCheck(this.#core, this.#layout)
    this.#referrers = new ReferrerStore(this.#core, this.#layout, (reference, context) =>
      this.#read(reference, context),
    )
  }

  async stat(reference: Digest | string, context: OperationContext = {}): Promise<Descriptor> {
    return (await this.get(reference, context)).descriptor
  }

  async get(reference: Digest | string, context: OperationContext = {}): Promise<Manifest> {
    const manifest = await this.#read(reference, context)
    if (manifest !== undefined) return manifest
    throw unknownManifest(reference)
  }

  async put(content: Uint8Array, options: PutManifestOptions): Promise<Descriptor> {
    checkManifestPut(content, options)
    const { mediaType, expected, signal } = options
    const tags = [...new Set((options.tags ?? []).map(parseTag))]
    const parsed = parseManifest(content, mediaType)
    const digest = digestOf(content, options.digest && algorithmOf(options.digest))
    if (options.digest !== undefined && options.digest !== digest) {
      throw new RegistryError('DIGEST_INVALID', { detail: { expected: options.digest, received: digest } })
    }
    const intent = await this.#core.intents.declare(new Set([digest, ...referencesOf(parsed, content)]), signal)
    try {
      await this.#references.check(parsed, signal && { signal })
      // All conditions are looked at before anything is written: one that fails leaves the other tags where they are.
      const conditions = await Promise.all(tags.map((tag) => this.#tags.condition(tag, expected)))
      await this.#write(digest, content, parsed)
      // A tag that was acknowledged must not come to point to a revision that the power took: revision first, then tags.
      await settled(tags.map((tag, i) => this.#tags.point(tag, digest, conditions[i])))
    } finally {
      intent.release()
    }
    this.#core.manifestCache.set(digest, Buffer.from(content))
    return describe(digest, content, mediaType)
  }

  async delete(digest: Digest, context: OperationContext = {}): Promise<readonly string[]> {
    if (!(await this.#isLinked(digest, context))) throw unknownManifest(digest)
    // What is damaged can be deleted as well; then nothing tells a subject.
    const manifest = await this.#read(digest, context).catch(() => undefined)
    // Tags first: the other way round, a crash would leave tags that point to nothing.
    const found = await this.#tagsOf(digest, context)
    const deleted = await settled(found.map(({ tag, target }) => this.#tags.deleteIfAt(tag, target)))
    const tags = found.flatMap(({ tag }, i) => (deleted[i] ? [tag] : []))
    if (manifest !== undefined) await this.#referrers.remove(digest, manifest)
    await this.#core.driver.deletePrefix(this.#layout.revision(digest))
    return tags
  }

  async *list(options: ListOptions = {}): AsyncGenerator<Digest> {
    const { after, signal } = options
    const { revisions } = this.#layout
    for await (const entry of this.#core.driver.list(revisions, {
      ...(after !== undefined && { after: `${revisions}/${after.replace(':', '/')}` }),
      ...(signal && { signal }),
    })) {
      const digest = digestOfLinkKey(revisions, entry.key)
      if (digest !== undefined && (after === undefined || digest > after)) yield digest
    }
  }

  referrers(subject: Digest, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    return this.#referrers.list(subject, options)
  }

  /** By tag or digest; `undefined` when any of tag, revision link and data is absent. */
  async #read(reference: Digest | string, context: OperationContext = {}): Promise<Manifest | undefined> {
    const options = context.signal && { signal: context.signal }
    const digest = isDigest(reference) ? reference : (await this.#tags.current(reference, context))?.digest
    if (digest === undefined) return undefined
    // The link first: without one, the digest may be that of a blob of any size, and of any repository.
    if (!(await this.#isLinked(digest, context))) return undefined
    const manifest = await this.#content(digest, options)
    if (manifest === undefined) return undefined
    const mediaType = manifest.declaredMediaType ?? (await this.#saidMediaType(digest, manifest.content, options))
    return { descriptor: describe(digest, manifest.content, mediaType), content: Buffer.from(manifest.content) }
  }

  async #isLinked(digest: Digest, { signal }: OperationContext): Promise<boolean> {
    const link = await this.#core.driver.stat(this.#layout.revisionLink(digest), signal && { signal })
    return link !== undefined && isWholeLink(digest, link.size)
  }

  async #content(
    digest: Digest,
    options: { readonly signal: AbortSignal } | undefined,
  ): Promise<CachedManifest | undefined> {
    const cached = this.#core.manifestCache.get(digest)
    if (cached !== undefined) return cached
    try {
      const { content } = await this.#core.driver.get(blobData(digest), options)
      if (digestOf(content, algorithmOf(digest)) !== digest)
        throw new DamagedContentError(`damaged manifest: ${digest}`)
      return this.#core.manifestCache.set(digest, content)
    } catch (error) {
      if (error instanceof KeyNotFoundError) return undefined
      throw error
    }
  }

  /** What the client said when it pushed bytes that do not declare their type; else what their shape tells. */
  async #saidMediaType(
    digest: Digest,
    content: Uint8Array,
    options: { readonly signal: AbortSignal } | undefined,
  ): Promise<string> {
    try {
      const said = await this.#core.driver.get(this.#layout.revisionMediaType(digest), options)
      if (said.content.byteLength > 0) return Buffer.from(said.content).toString('latin1')
    } catch (error) {
      if (!(error instanceof KeyNotFoundError)) throw error
    }
    return detectMediaType(content) ?? MEDIA_TYPES.octetStream
  }

  async #write(digest: Digest, content: Uint8Array, parsed: ParsedManifest): Promise<void> {
    const { driver } = this.#core
    const writes = [
      driver.put(blobData(digest), content),
      driver.put(this.#layout.revisionLink(digest), linkContent(digest)),
    ]
    const said = this.#layout.revisionMediaType(digest)
    if (parsed.mediaType !== detectMediaType(content)) {
      writes.push(driver.put(said, Buffer.from(parsed.mediaType, 'latin1')))
    } else if (declaredMediaType(content) === undefined && (await driver.stat(said)) !== undefined) {
      writes.push(driver.delete(said)) // the same bytes were once pushed as something else
    }
    if (parsed.subject !== undefined) writes.push(this.#referrers.add(parsed.subject.digest, digest))
    await settled(writes)
  }

  /** Reads where every tag points: Distribution's layout has no way back from a manifest to its tags. */
  async #tagsOf(digest: Digest, context: OperationContext): Promise<Tagged[]> {
    const found: Tagged[] = []
    let batch: string[] = []
    const look = async () => {
      const targets = await Promise.all(batch.map((tag) => this.#tags.current(tag, context)))
      found.push(...batch.flatMap((tag, i) => (targets[i]?.digest === digest ? [{ tag, target: targets[i] }] : [])))
      batch = []
    }
    for await (const tag of this.#tags.list(context)) {
      batch.push(tag)
      if (batch.length === TAGS_AT_ONCE) await look()
    }
    await look()
    return found
  }
}

interface Tagged {
  readonly tag: string
  readonly target: TagTarget
}

function describe(digest: Digest, content: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest, size: content.byteLength }
}

function unknownManifest(reference: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', { detail: { reference: reference.slice(0, 160) } })
}

/** Waits for all, also when one fails: none may go on in the background of a request that has been answered. */
async function settled<T>(tasks: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(tasks)
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
