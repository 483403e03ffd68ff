import type { Digest } from '../spec/digest.ts'

/** Bytes of all manifests kept in memory. */
const MAX_BYTES = 32 * 1024 * 1024
/** A larger manifest is not kept: it would push out many small ones. */
const MAX_ENTRY_BYTES = 256 * 1024

/**
 * Bytes of manifests by digest, least recently used first out. Content never changes under its digest, so an entry cannot be
 * stale; whether a repository may show it is asked of the storage each time.
 */
export class ManifestCache {
  readonly #entries = new Map<Digest, Uint8Array>()
  #bytes = 0

  get(digest: Digest): Uint8Array | undefined {
    const content = this.#entries.get(digest)
    if (content !== undefined) {
      this.#entries.delete(digest)
      this.#entries.set(digest, content)
    }
    return content
  }

  set(digest: Digest, content: Uint8Array): void {
    if (content.byteLength > MAX_ENTRY_BYTES || this.#entries.has(digest)) return
    this.#entries.set(digest, content)
    this.#bytes += content.byteLength
    for (const [oldest, { byteLength }] of this.#entries) {
      if (this.#bytes <= MAX_BYTES) return
      this.#entries.delete(oldest)
      this.#bytes -= byteLength
    }
  }
}
