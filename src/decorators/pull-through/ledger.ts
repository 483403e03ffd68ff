import { type Digest, isDigest } from '../../spec/digest.ts'
import { isRepositoryName } from '../../spec/name.ts'
import type { ContentType } from './stats.ts'

const CONTENT_TYPES: readonly ContentType[] = ['manifest', 'blob']

/** Something that the cache brought into a repository. */
export interface LedgerEntry {
  readonly content: ContentType
  readonly repository: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** Of a manifest: what it refers to in its repository. */
  readonly needs: readonly Digest[]
}

/**
 * What the cache brought in, least recently used first. A manifest stands before what it needs, always: whoever takes from the front
 * takes no layer from under an image that stays.
 *
 * Bytes are counted once per content, however many repositories have it.
 */
export class Ledger {
  readonly #entries = new Map<string, LedgerEntry>()
  /** In how many entries a content is. */
  readonly #links = new Map<Digest, number>()
  #bytes = 0
  /** Goes up with every change. */
  #version = 0

  get bytes(): number {
    return this.#bytes
  }

  get length(): number {
    return this.#entries.size
  }

  get version(): number {
    return this.#version
  }

  has(content: ContentType, repository: string, digest: Digest): boolean {
    return this.#entries.has(keyOf(content, repository, digest))
  }

  /** As the most recently used one, with what it needs. */
  add(entry: LedgerEntry): void {
    const key = keyOf(entry.content, entry.repository, entry.digest)
    if (!this.#entries.has(key)) this.#link(entry.digest, entry.size)
    this.#entries.set(key, entry)
    this.touch(entry.content, entry.repository, entry.digest)
  }

  /** Makes it, and what it needs, the most recently used ones. */
  touch(content: ContentType, repository: string, digest: Digest): void {
    // Depth first, each once: backwards, that is an order in which everything comes after all that need it.
    const visited = new Set<string>()
    const found: [key: string, entry: LedgerEntry][] = []
    const visit = (key: string) => {
      const entry = this.#entries.get(key)
      if (entry === undefined || visited.has(key)) return
      visited.add(key)
      for (const needed of entry.needs) for (const type of CONTENT_TYPES) visit(keyOf(type, repository, needed))
      found.push([key, entry])
    }
    visit(keyOf(content, repository, digest))
    for (const [key, entry] of found.reverse()) {
      this.#entries.delete(key)
      this.#entries.set(key, entry)
    }
    if (found.length > 0) this.#version++
  }

  /** It is somebody's now, or gone: with what it needs, where `deep`. */
  forget(content: ContentType, repository: string, digest: Digest, options: { readonly deep?: boolean } = {}): void {
    const key = keyOf(content, repository, digest)
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#unlink(entry.digest, entry.size)
    this.#version++
    if (!options.deep) return
    for (const needed of entry.needs) for (const type of CONTENT_TYPES) this.forget(type, repository, needed, options)
  }

  forgetRepository(repository: string): void {
    for (const entry of [...this.#entries.values()]) {
      if (entry.repository === repository) this.forget(entry.content, repository, entry.digest)
    }
  }

  oldest(): LedgerEntry | undefined {
    for (const entry of this.#entries.values()) return entry
    return undefined
  }

  serialize(): Uint8Array {
    return Buffer.from(JSON.stringify({ version: 1, entries: [...this.#entries.values()] }))
  }

  /** What was serialized counts as older than what is here. @throws when it is none of ours */
  restore(content: Uint8Array): void {
    const entries = readEntries(JSON.parse(Buffer.from(content).toString()))
    const newer = [...this.#entries.values()]
    this.#entries.clear()
    this.#links.clear()
    this.#bytes = 0
    for (const entry of [...entries, ...newer]) {
      const key = keyOf(entry.content, entry.repository, entry.digest)
      if (this.#entries.delete(key)) this.#unlink(entry.digest, entry.size)
      this.#entries.set(key, entry)
      this.#link(entry.digest, entry.size)
    }
  }

  #link(digest: Digest, size: number): void {
    const links = this.#links.get(digest) ?? 0
    if (links === 0) this.#bytes += size
    this.#links.set(digest, links + 1)
  }

  #unlink(digest: Digest, size: number): void {
    const links = this.#links.get(digest) ?? 0
    if (links > 1) this.#links.set(digest, links - 1)
    else if (this.#links.delete(digest)) this.#bytes -= size
  }
}

function keyOf(content: ContentType, repository: string, digest: Digest): string {
  return `${content} ${repository}@${digest}`
}

function readEntries(state: unknown): readonly LedgerEntry[] {
  const { version, entries } = (state ?? {}) as { readonly version?: unknown; readonly entries?: unknown }
  if (version !== 1 || !Array.isArray(entries) || !entries.every(isEntry)) {
    throw new TypeError('not the state of a pull-through cache')
  }
  return entries
}

function isEntry(value: unknown): value is LedgerEntry {
  const { content, repository, digest, size, needs } = (value ?? {}) as Partial<Record<keyof LedgerEntry, unknown>>
  return (
    (content === 'blob' || content === 'manifest') &&
    typeof repository === 'string' &&
    isRepositoryName(repository) &&
    isDigestText(digest) &&
    typeof size === 'number' &&
    Number.isSafeInteger(size) &&
    size >= 0 &&
    Array.isArray(needs) &&
    needs.every(isDigestText)
  )
}

function isDigestText(value: unknown): value is Digest {
  return typeof value === 'string' && isDigest(value)
}
