import type { ExpectedTag, ListOptions, OperationContext, SetTagOptions, Tags } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import type { Digest } from '../spec/digest.ts'
import { isTag, parseRepositoryName, parseTag } from '../spec/name.ts'
import { inByteOrder, windowFor } from './byte-order.ts'
import { KeyNotFoundError, type ObjectStat, PreconditionFailedError, type StorageDriver } from './driver.ts'
import { isWholeLink, linkContent, parseLink, RepositoryLayout } from './layout.ts'
import { StorageCore } from './storage-core.ts'

/** What a tag points to now. */
export interface TagTarget {
  readonly digest: Digest
  readonly stat: ObjectStat
}

interface TagLink {
  readonly digest: Digest | undefined
  readonly stat: ObjectStat
}

/** What a tag's link must be when it is written. */
export interface TagCondition {
  readonly ifVersion: string | null
}

/** Tags of one repository over a storage driver: each is one small object, and the last writer wins unless one is expected. */
export class TagStore implements Tags {
  readonly #core: StorageCore
  readonly #name: string
  readonly #layout: RepositoryLayout

  /** @throws {@link RegistryError} `NAME_INVALID` */
  constructor(storage: StorageDriver | StorageCore, repository: string) {
    this.#core = StorageCore.over(storage)
    this.#name = parseRepositoryName(repository)
    this.#layout = new RepositoryLayout(repository)
  }

  async resolve(tag: string, context: OperationContext = {}): Promise<Digest> {
    const target = await this.current(tag, context)
    if (target === undefined) throw unknownTag(tag)
    return target.digest
  }

  async set(tag: string, target: Digest, options: SetTagOptions = {}): Promise<void> {
    parseTag(tag)
    const intent = await this.#core.intents.declare(new Set([target]), options.signal)
    try {
      const link = await this.#core.driver.stat(this.#layout.revisionLink(target))
      if (link === undefined || !isWholeLink(target, link.size)) {
        throw new RegistryError('MANIFEST_UNKNOWN', { detail: { digest: target } })
      }
      await this.point(tag, target, await this.condition(tag, options.expected))
    } finally {
      intent.release()
    }
  }

  async delete(tag: string, context: OperationContext = {}): Promise<void> {
    const target = await this.current(tag, context)
    // Also what an interrupted write left of a tag, which a listing may show.
    if (isTag(tag)) await this.#core.driver.deletePrefix(this.#layout.tag(tag))
    if (target === undefined) throw unknownTag(tag)
  }

  async *list(options: ListOptions = {}): AsyncGenerator<string> {
    const { after } = options
    let any = false
    for await (const tag of inByteOrder(
      this.#folders(options),
      (name) => this.#exists(name, options),
      windowFor(options.limit),
    )) {
      any = true
      if (after === undefined || tag > after) yield tag
    }
    if (!any && !(await this.#repositoryExists(options))) {
      throw new RegistryError('NAME_UNKNOWN', { detail: { name: this.#name } })
    }
  }

  /** @internal What `tag` points to; `undefined` when it does not exist, or was never written whole. */
  async current(tag: string, context: OperationContext = {}): Promise<TagTarget | undefined> {
    const link = isTag(tag) ? await this.#link(tag, context) : undefined
    return link?.digest === undefined ? undefined : { digest: link.digest, stat: link.stat }
  }

  /** @internal Points `tag` to a manifest whose revision is durable already, and which an intent of the caller protects. */
  async point(tag: string, target: Digest, condition: TagCondition | undefined): Promise<void> {
    const content = linkContent(target)
    try {
      await this.#core.driver.put(this.#layout.tagCurrent(tag), content, condition)
    } catch (error) {
      throw error instanceof PreconditionFailedError ? moved(tag, error) : error
    }
    // After the tag itself: its folder is what a listing shows. History is nothing that anybody was promised; half an entry
    // would stop Distribution's collection.
    await this.#core.driver.put(this.#layout.tagIndexEntry(tag, target), content, { durable: 'whole' })
  }

  /**
   * @internal Deletes `tag` if it is still what `target` was read from; resolves with whether it was. One that was moved in
   * between belongs to whoever moved it; without conditional writes that is a moment shorter, and no more.
   */
  async deleteIfAt(tag: string, { digest, stat: { version } }: TagTarget): Promise<boolean> {
    const { driver } = this.#core
    try {
      if (version !== undefined && (await driver.conditionalPuts())) {
        await driver.delete(this.#layout.tagCurrent(tag), { ifVersion: version })
      } else {
        if ((await this.current(tag))?.digest !== digest) return false
        await driver.delete(this.#layout.tagCurrent(tag))
      }
    } catch (error) {
      if (error instanceof PreconditionFailedError) return false
      throw error
    }
    // Its history alone: whoever sets the tag anew at this moment keeps the tag.
    await driver.deletePrefix(this.#layout.tagIndex(tag), { durable: false })
    return true
  }

  /** @internal Checks what is expected of `tag` now, and turns it into a condition on the write. */
  async condition(tag: string, expected: ExpectedTag | undefined): Promise<TagCondition | undefined> {
    if (expected === undefined) return undefined
    if (!(await this.#core.driver.conditionalPuts())) {
      throw new RegistryError('UNSUPPORTED', {
        message: 'this storage cannot change a tag on a condition: leave out If-Match and If-None-Match',
      })
    }
    // Read once: between two looks somebody may set the tag, and what is not there would be taken for what is half there.
    const now = await this.#link(tag)
    if (now?.digest === undefined) {
      if (expected !== null) throw moved(tag)
      // What a crash left behind counts as no tag, and may be replaced.
      return { ifVersion: now?.stat.version ?? null }
    }
    if (expected === null || (expected !== 'any' && expected !== now.digest)) throw moved(tag)
    if (now.stat.version === undefined) throw new Error(`${this.#core.driver.name} gave no version to compare`)
    return { ifVersion: now.stat.version }
  }

  /** The tag's own object, without a digest where it was never written whole. */
  async #link(tag: string, { signal }: OperationContext = {}): Promise<TagLink | undefined> {
    const key = this.#layout.tagCurrent(tag)
    try {
      const { content, stat } = await this.#core.driver.get(key, signal && { signal })
      return { digest: parseLink(key, content), stat }
    } catch (error) {
      if (error instanceof KeyNotFoundError) return undefined
      throw error
    }
  }

  async *#folders({ after, limit, signal }: ListOptions): AsyncGenerator<string> {
    const { tags } = this.#layout
    for await (const entry of this.#core.driver.list(tags, {
      shallow: true,
      ...(limit !== undefined && { limit: windowFor(limit) }),
      ...(after !== undefined && { after: `${tags}/${after}` }),
      ...(signal && { signal }),
    })) {
      if (entry.isPrefix) yield entry.key.slice(tags.length + 1)
    }
  }

  async #exists(tag: string, context: OperationContext): Promise<boolean> {
    return (await this.current(tag, context)) !== undefined
  }

  /** Whether there is a manifest, so that "no tags" is an answer; or any tag at all, when a page begins after the last. */
  async #repositoryExists({ signal }: OperationContext): Promise<boolean> {
    for await (const _ of this.#core.driver.list(this.#layout.manifests, {
      ...{ shallow: true, limit: 1 },
      ...(signal && { signal }),
    })) {
      return true
    }
    return false
  }
}

function unknownTag(tag: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', { detail: { tag: tag.slice(0, 128) } })
}

function moved(tag: string, cause?: unknown): RegistryError {
  return new RegistryError('DENIED', {
    status: 412,
    message: 'the tag is not where it was expected to be; look where it points now, and decide again',
    detail: { tag },
    cause,
  })
}
