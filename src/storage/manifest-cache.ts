import type { Digest } from '../spec/digest.ts'
import { declaredMediaType } from '../spec/manifest.ts'

/** Bytes of all manifests kept in memory. */
const MAX_BYTES = 32 * 1024 * 1024
/** A larger manifest is not kept: it would push out many small ones. */
const MAX_ENTRY_BYTES = 256 * 1024

/** A manifest's bytes, and what was read from them once. */
export interface CachedManifest {
  readonly content: Uint8Array
  /** The `mediaType` field; `undefined` where there is none, and the storage has to be asked. */
  readonly declaredMediaType: string | undefined
}

/**
 * Manifests by digest, least recently used first out. Content never changes under its digest, so an entry cannot be
 * stale; whether a repository may show it is asked of the storage each time.
 */
export class ManifestCache {
  readonly #entries = new Map<Digest, CachedManifest>()
  #bytes = 0

  get(digest: Digest): CachedManifest | undefined {
    const entry = this.#entries.get(digest)
    if (entry !== undefined) {
      this.#entries.delete(digest)
      this.#entries.set(digest, entry)
    }
    return entry
  }

  /** Keeps a manifest, where it is not too large to be kept, and hands it back. */
  set(digest: Digest, content: Uint8Array): CachedManifest {
    const entry = { content, declaredMediaType: declaredMediaType(content) }
    if (content.byteLength > MAX_ENTRY_BYTES || this.#entries.has(digest)) return entry
    this.#entries.set(digest, entry)
    this.#bytes += content.byteLength
    for (const [oldest, { content: evicted }] of this.#entries) {
      if (this.#bytes <= MAX_BYTES) break
      this.#entries.delete(oldest)
      this.#bytes -= evicted.byteLength
    }
    return entry
  }
}
