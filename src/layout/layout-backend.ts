import type { Backend, Blobs, Manifests, OperationContext, RepositoriesOptions, Repository, Tags } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import { compareBytes } from '../storage/byte-order.ts'
import { LayoutBlobs } from './layout-blobs.ts'
import { LayoutCore, type LayoutParts } from './layout-core.ts'
import { LayoutManifests } from './layout-manifests.ts'
import { LayoutTags } from './layout-tags.ts'
import { RepositoryChanges } from './repository-changes.ts'

/**
 * An OCI image layout as a backend: `layoutDirectory()`, `openArchive()` and `createArchive()` make one.
 *
 * A layout has blobs, which are shared, so that a blob of one repository is one of every other; and an index of manifests, each
 * under a name or under none. To which repository an entry of that index belongs:
 *
 * - `io.containerd.image.name`, which `docker save`, `ctr` and BuildKit write, is a whole reference: repository and tag;
 * - `org.opencontainers.image.ref.name` alone is a tag of the default repository, or a whole reference where it cannot be a tag;
 * - with neither, it is a manifest without a tag, of the default repository.
 *
 * Names of Docker Hub are shortened as `docker images` does: `alpine` for `docker.io/library/alpine`; either form finds it. Other names
 * keep their host, with its port: `ghcr.io/team/app`. What is written gets both annotations, the default repository's the second alone.
 *
 * A layout is a source that is not trusted: manifests, and blobs read whole, are verified against their digests.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 */
export class LayoutBackend implements Backend, AsyncDisposable {
  readonly #core: LayoutCore

  /** @internal */
  constructor(parts: LayoutParts) {
    this.#core = new LayoutCore(parts)
  }

  /** What entries without a repository of their own belong to. */
  get defaultRepository(): string {
    return this.#core.names.default
  }

  /** @throws `NAME_INVALID` */
  repository(name: string): Repository {
    return new LayoutRepository(this.#core, name)
  }

  /** In byte order. Blobs belong to all repositories, so there are none that hold blobs alone. */
  async *repositories({ after, signal }: RepositoriesOptions = {}): AsyncGenerator<string> {
    signal?.throwIfAborted()
    const names = new Set((await this.#core.index.read()).map(({ repository }) => repository))
    for (const name of [...names].sort(compareBytes)) if (after === undefined || name > after) yield name
  }

  /** Removes what uploads left that were neither committed nor cancelled; closes an archive, and removes its temporary file. */
  close(): Promise<void> {
    return this.#core.close()
  }

  /** @internal */
  protected cancelUploads(): Promise<void> {
    return this.#core.cancelUploads()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

class LayoutRepository implements Repository {
  readonly name: string
  readonly blobs: Blobs
  readonly manifests: Manifests
  readonly tags: Tags
  readonly #core: LayoutCore
  readonly #key: string

  constructor(core: LayoutCore, name: string) {
    this.#core = core
    this.#key = core.names.canonical(name)
    this.name = name
    this.blobs = new LayoutBlobs(core, this.#key)
    this.manifests = new LayoutManifests(core, this.#key)
    this.tags = new LayoutTags(core, this.#key)
  }

  /** Its manifests go, as far as no other repository needs them; blobs stay. */
  async delete({ signal }: OperationContext = {}): Promise<void> {
    const changes = new RepositoryChanges(this.#core, this.#key)
    await this.#core.index.update(async (entries) => {
      signal?.throwIfAborted()
      const next = entries.filter(({ repository }) => repository !== this.#key)
      if (next.length === entries.length) throw new RegistryError('NAME_UNKNOWN', { detail: { name: this.name } })
      const doomed = await changes.exclusive(next, (await changes.reach(entries)).keys())
      return {
        entries: next,
        after: async () => {
          for (const digest of doomed) await this.#core.files.delete(digest)
          await this.#core.cancelUploads(this.#key)
        },
      }
    })
  }
}
