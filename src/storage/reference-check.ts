import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest } from '../spec/digest.ts'
import type { ParsedManifest } from '../spec/manifest.ts'
import { scanDigests } from '../spec/scan-digests.ts'
import { KeyNotFoundError } from './driver.ts'
import { blobData, isWholeLink, parseLink, type RepositoryLayout } from './layout.ts'
import type { StorageCore } from './storage-core.ts'

interface Options {
  readonly signal: AbortSignal
}

/** Whether what a manifest refers to is in its repository, data and link: asked of the storage itself, never of a cache. */
export class ReferenceCheck {
  readonly #core: StorageCore
  readonly #layout: RepositoryLayout

  constructor(core: StorageCore, layout: RepositoryLayout) {
    this.#core = core
    this.#layout = layout
  }

  /** @throws {@link RegistryError} `MANIFEST_BLOB_UNKNOWN`, naming everything that is missing */
  async check(manifest: ParsedManifest, options: Options | undefined): Promise<void> {
    const { sparse } = this.#core
    if (sparse === 'all') return
    const blobs = new Set([manifest.config, ...manifest.layers].filter(isHeldHere).map(({ digest }) => digest))
    const children = sparse === 'index' ? new Set<Digest>() : new Set(manifest.manifests.map(({ digest }) => digest))
    const missing: Digest[] = []
    await Promise.all([
      ...Array.from(blobs, async (digest) => {
        if (!(await this.#hasBlob(digest, options))) missing.push(digest)
      }),
      ...Array.from(children, async (digest) => {
        // BuildKit's registry cache is an index whose children are layers.
        if (!(await this.#hasManifest(digest, options)) && !(await this.#hasBlob(digest, options))) missing.push(digest)
      }),
    ])
    if (missing.length > 0) throw new RegistryError('MANIFEST_BLOB_UNKNOWN', { detail: { missing: missing.sort() } })
  }

  async #hasManifest(digest: Digest, options: Options | undefined): Promise<boolean> {
    const [link, data] = await Promise.all([
      this.#core.driver.stat(this.#layout.revisionLink(digest), options),
      this.#core.driver.stat(blobData(digest), options),
    ])
    return link !== undefined && data !== undefined && isWholeLink(digest, link.size)
  }

  async #hasBlob(digest: Digest, options: Options | undefined): Promise<boolean> {
    const key = this.#layout.layerLink(digest)
    if (algorithmOf(digest) !== 'sha256') {
      try {
        const target = parseLink(key, (await this.#core.driver.get(key, options)).content)
        return target !== undefined && (await this.#core.driver.stat(blobData(target), options)) !== undefined
      } catch (error) {
        if (error instanceof KeyNotFoundError) return false
        throw error
      }
    }
    const [link, data] = await Promise.all([
      this.#core.driver.stat(key, options),
      this.#core.driver.stat(blobData(digest), options),
    ])
    return link !== undefined && data !== undefined && isWholeLink(digest, link.size)
  }
}

/** Layers that come from elsewhere (`urls`), or that must not be handed on, need not be here. */
function isHeldHere(reference: Descriptor | undefined): reference is Descriptor {
  return reference !== undefined && !reference.urls?.length && !/nondistributable|\.foreign\./.test(reference.mediaType)
}

/** Everything that a manifest relies on; of a shape that we do not know, every digest found in its bytes. */
export function referencesOf(manifest: ParsedManifest, content: Uint8Array): Iterable<Digest> {
  if (manifest.kind === 'opaque') return scanDigests(content)
  const { config, layers, manifests, subject } = manifest
  return [config, ...layers, ...manifests, subject].filter((one) => one !== undefined).map(({ digest }) => digest)
}
