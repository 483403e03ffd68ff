import type { Blobs, Manifests, OperationContext, Repository, Tags } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import { parseRepositoryName } from '../spec/name.ts'
import { BlobStore } from './blob-store.ts'
import { RepositoryLayout } from './layout.ts'
import { ManifestStore } from './manifest-store.ts'
import type { StorageCore } from './storage-core.ts'
import { TagStore } from './tag-store.ts'

/** One repository over a storage driver. Cheap: its stores hold nothing but the name. */
export class RepositoryStore implements Repository {
  readonly name: string
  readonly blobs: Blobs
  readonly manifests: Manifests
  readonly tags: Tags
  readonly #core: StorageCore

  /** @throws {@link RegistryError} `NAME_INVALID` */
  constructor(core: StorageCore, name: string) {
    this.name = parseRepositoryName(name)
    this.#core = core
    this.blobs = new BlobStore(core, name)
    this.manifests = new ManifestStore(core, name)
    this.tags = new TagStore(core, name)
  }

  /** Folder by folder, never the whole: `team/app` lies inside `team`, and deleting `team` must not touch it. */
  async delete({ signal }: OperationContext = {}): Promise<void> {
    const { manifests, layers, uploads, referrers, root } = new RepositoryLayout(this.name)
    const folders = [manifests, referrers, layers, uploads]
    let found = false
    for await (const { key } of this.#core.driver.list(root, { shallow: true, ...(signal && { signal }) })) {
      // A store of directories may keep the one of uploads when the last of them is gone.
      if (folders.includes(key) && (key !== uploads || (await this.#holdsKeys(uploads, signal)))) found = true
    }
    if (!found) throw new RegistryError('NAME_UNKNOWN', { detail: { name: this.name } })
    // Manifests first: from then on the name is gone from the catalog, whatever happens next.
    for (const one of folders) await this.#core.driver.deletePrefix(one)
  }

  async #holdsKeys(folder: string, signal: AbortSignal | undefined): Promise<boolean> {
    for await (const _ of this.#core.driver.list(folder, signal && { signal })) return true
    return false
  }
}
