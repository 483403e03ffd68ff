import { createHash, type Hash } from 'node:crypto'
import type { BodyInspector } from '../drivers/filesystem/file-body.ts'
import { algorithmOf, type Digest, finishDigest } from '../spec/digest.ts'
import { damaged } from './manifest-graph.ts'

/** Fails a body whose bytes are not those of its digest, before its last bytes are given. */
export class DigestInspector implements BodyInspector {
  readonly #digest: Digest
  readonly #hash: Hash

  constructor(digest: Digest) {
    this.#digest = digest
    this.#hash = createHash(algorithmOf(digest))
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }

  /** @throws {@link RegistryError} `DIGEST_INVALID` */
  end(): void {
    const found = finishDigest(algorithmOf(this.#digest), this.#hash)
    if (found !== this.#digest) throw damaged(this.#digest, found)
  }
}
