import type { Descriptor } from '../spec/descriptor.ts'
import type { Digest } from '../spec/digest.ts'
import type { LayoutCore } from './layout-core.ts'
import { entryFor, type IndexEntry, rawOf } from './layout-index.ts'

type Entries = readonly IndexEntry[]

/** A manifest, with its entry where it has one. */
export interface Listed {
  readonly descriptor: Descriptor
  readonly raw: IndexEntry['raw']
}

/**
 * What happens to the entries of `index.json` when something in one repository changes. A registry keeps a manifest that has lost
 * its tag; so does this: a manifest that nothing else leads to gets an entry without one. What an index or a tag leads to needs none,
 * and readers that take whatever `index.json` lists find images there, and not each of their platforms as well.
 */
export class RepositoryChanges {
  readonly #core: LayoutCore
  readonly #repository: string

  constructor(core: LayoutCore, repository: string) {
    this.#core = core
    this.#repository = repository
  }

  /** The manifests of this repository, by digest. */
  reach(entries: Entries, signal?: AbortSignal): Promise<Map<Digest, Descriptor>> {
    return this.#core.graph.reach(this.#roots(entries), signal)
  }

  /** A manifest of this repository; `undefined` where it is none. */
  async find(entries: Entries, digest: Digest): Promise<Listed | undefined> {
    const entry = entries.find((one) => this.#isOurs(one) && one.descriptor.digest === digest)
    const descriptor = entry?.descriptor ?? (await this.#core.graph.find(this.#roots(entries), digest))
    if (descriptor === undefined || (await this.#core.files.size(digest)) === undefined) return undefined
    return entry ?? { descriptor, raw: rawOf(descriptor) }
  }

  /** Adds a manifest, under `tags` or under none. */
  async put(entries: Entries, manifest: Listed, tags: readonly string[]): Promise<Entries> {
    const { descriptor } = manifest
    let next = entries
    for (const tag of tags) next = await this.tag(next, tag, manifest)
    const known = await this.#core.graph.find(this.#roots(next), descriptor.digest)
    const { children = [], subject } = (await this.#core.graph.facts(descriptor)) ?? {}
    // One that refers to another is listed for those who look for referrers here, as oras does.
    const isLed = known?.mediaType === descriptor.mediaType && (subject === undefined || this.#lists(next, descriptor))
    if (!isLed) next = [...this.#without(next, [descriptor.digest]), this.#untagged(manifest)]
    return this.#withoutLed(next, children)
  }

  /** Points a tag to a manifest. */
  async tag(entries: Entries, tag: string, target: Listed): Promise<Entries> {
    const tagged = entryFor(target, { repository: this.#repository, tag }, this.#core.names)
    const others = this.#without(entries, [target.descriptor.digest])
    return this.#untag([...others, tagged], tag, tagged)
  }

  /** Takes a tag away; its manifest stays. */
  untag(entries: Entries, tag: string): Promise<Entries> {
    return this.#untag(entries, tag)
  }

  /** Takes a manifest away, with its tags. Its children stay, those that are there. */
  async remove(entries: Entries, { descriptor }: Listed): Promise<Entries> {
    const facts = await this.#core.graph.facts(descriptor)
    let next: Entries = entries.filter(
      (entry) => !(this.#isOurs(entry) && entry.descriptor.digest === descriptor.digest),
    )
    for (const child of facts?.children ?? []) {
      if ((await this.#core.files.size(child.digest)) === undefined) continue
      next = await this.#keep(next, { descriptor: child, raw: rawOf(child) })
    }
    return next
  }

  /** Those of `digests` whose bytes no other repository needs. */
  async exclusive(entries: Entries, digests: Iterable<Digest>): Promise<Digest[]> {
    const others = entries.filter((entry) => !this.#isOurs(entry)).map(({ descriptor }) => descriptor)
    const needed = await this.#core.graph.reach(others)
    return [...digests].filter((digest) => !needed.has(digest))
  }

  /** Other programs may have written a tag more than once. */
  async #untag(entries: Entries, tag: string, kept?: IndexEntry): Promise<Entries> {
    const moved = entries.filter((entry) => this.#isOurs(entry) && entry.tag === tag && entry !== kept)
    let next: Entries = entries.filter((entry) => !moved.includes(entry))
    for (const entry of moved) next = await this.#keep(next, entry)
    return next
  }

  async #keep(entries: Entries, manifest: Listed): Promise<Entries> {
    const known = await this.#core.graph.find(this.#roots(entries), manifest.descriptor.digest)
    if (known !== undefined) return entries
    return [...entries, this.#untagged(manifest)]
  }

  #roots(entries: Entries): readonly Descriptor[] {
    return entries.filter((entry) => this.#isOurs(entry)).map(({ descriptor }) => descriptor)
  }

  #untagged(manifest: Listed): IndexEntry {
    return entryFor(manifest, { repository: this.#repository }, this.#core.names)
  }

  #lists(entries: Entries, { digest }: Descriptor): boolean {
    return entries.some((entry) => this.#isOurs(entry) && entry.descriptor.digest === digest)
  }

  /** Without the entries under no tag of these manifests. */
  #without(entries: Entries, digests: readonly Digest[]): Entries {
    return entries.filter(
      (entry) => !(this.#isOurs(entry) && entry.tag === undefined && digests.includes(entry.descriptor.digest)),
    )
  }

  async #withoutLed(entries: Entries, children: readonly Descriptor[]): Promise<Entries> {
    const led: Digest[] = []
    for (const child of children) {
      const facts = await this.#core.graph.facts(child)
      const listed = entries.find((entry) => this.#isOurs(entry) && entry.descriptor.digest === child.digest)
      const isSame = listed?.descriptor.mediaType === child.mediaType
      if (isSame && facts?.subject === undefined) led.push(child.digest)
    }
    return this.#without(entries, led)
  }

  #isOurs(entry: IndexEntry): boolean {
    return entry.repository === this.#repository
  }
}
