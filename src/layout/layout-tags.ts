import type { ExpectedTag, ListOptions, OperationContext, SetTagOptions, Tags } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import type { Digest } from '../spec/digest.ts'
import { parseTag } from '../spec/name.ts'
import { compareBytes } from '../storage/byte-order.ts'
import type { LayoutCore } from './layout-core.ts'
import type { IndexEntry } from './layout-index.ts'
import { RepositoryChanges } from './repository-changes.ts'

/** Tags of one repository of a layout: each is an entry of its index. */
export class LayoutTags implements Tags {
  readonly #core: LayoutCore
  readonly #repository: string
  readonly #changes: RepositoryChanges

  constructor(core: LayoutCore, repository: string) {
    this.#core = core
    this.#repository = repository
    this.#changes = new RepositoryChanges(core, repository)
  }

  async resolve(tag: string, { signal }: OperationContext = {}): Promise<Digest> {
    signal?.throwIfAborted()
    const entry = entryOf(await this.#core.index.read(), this.#repository, tag)
    if (entry === undefined) throw unknownTag(tag)
    return entry.descriptor.digest
  }

  async set(tag: string, target: Digest, { expected, signal }: SetTagOptions = {}): Promise<void> {
    parseTag(tag)
    await this.#core.index.update(async (entries) => {
      signal?.throwIfAborted()
      const manifest = await this.#changes.find(entries, target)
      if (manifest === undefined) throw new RegistryError('MANIFEST_UNKNOWN', { detail: { digest: target } })
      checkExpected(entries, this.#repository, tag, expected)
      return { entries: await this.#changes.tag(entries, tag, manifest) }
    })
  }

  async delete(tag: string, { signal }: OperationContext = {}): Promise<void> {
    await this.#core.index.update(async (entries) => {
      signal?.throwIfAborted()
      if (entryOf(entries, this.#repository, tag) === undefined) throw unknownTag(tag)
      return { entries: await this.#changes.untag(entries, tag) }
    })
  }

  async *list({ after, signal }: ListOptions = {}): AsyncGenerator<string> {
    signal?.throwIfAborted()
    const entries = await this.#core.entriesOf(this.#repository)
    if (entries.length === 0) throw new RegistryError('NAME_UNKNOWN', { detail: { name: this.#repository } })
    const tags = new Set(entries.flatMap(({ tag }) => (tag === undefined ? [] : [tag])))
    for (const tag of [...tags].sort(compareBytes)) if (after === undefined || tag > after) yield tag
  }
}

/** @throws {@link RegistryError} `DENIED` with status 412 for a tag that is elsewhere */
export function checkExpected(
  entries: readonly IndexEntry[],
  repository: string,
  tag: string,
  expected: ExpectedTag | undefined,
): void {
  if (expected === undefined) return
  const now = entryOf(entries, repository, tag)?.descriptor.digest ?? null
  if (expected === 'any' ? now !== null : now === expected) return
  throw new RegistryError('DENIED', {
    status: 412,
    message: 'the tag is not where it was expected to be; look where it points now, and decide again',
    detail: { tag },
  })
}

function entryOf(entries: readonly IndexEntry[], repository: string, tag: string): IndexEntry | undefined {
  return entries.find((entry) => entry.repository === repository && entry.tag === tag)
}

function unknownTag(tag: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', { detail: { tag: tag.slice(0, 128) } })
}
