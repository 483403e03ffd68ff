import type {
  Blobs,
  OperationContext,
  PutManifestOptions,
  Repository,
  SetTagOptions,
  StartUploadOptions,
  Upload,
} from '../../backend.ts'
import type { ByteSource } from '../../bytes.ts'
import { RegistryError } from '../../errors.ts'
import type { Descriptor } from '../../spec/descriptor.ts'
import type { Digest } from '../../spec/digest.ts'
import type { PullThroughCore } from './core.ts'
import { needsOf } from './references.ts'
import type { Claim } from './router.ts'

/**
 * Pushes to a repository that an upstream has: refused, or, where that was chosen, kept here. What somebody pushed is then theirs: not
 * looked up at the upstream, and never evicted.
 */
export class LocalWrites {
  readonly #core: PullThroughCore
  readonly #claim: Claim

  constructor(core: PullThroughCore, claim: Claim) {
    this.#core = core
    this.#claim = claim
  }

  async startUpload(options?: StartUploadOptions): Promise<Upload> {
    return this.#owning(await (await this.#open()).blobs.startUpload(options))
  }

  async resumeUpload(id: string, context?: OperationContext): Promise<Upload> {
    return this.#owning(await (await this.#open()).blobs.resumeUpload(id, context))
  }

  async putBlob(content: ByteSource, options?: StartUploadOptions): Promise<Descriptor> {
    return this.#own(await (await this.#open()).blobs.put(content, options))
  }

  async mount(digest: Digest, from: Parameters<Blobs['mount']>[1], context?: OperationContext): Promise<Descriptor> {
    return this.#own(await (await this.#open()).blobs.mount(digest, from, context))
  }

  async deleteBlob(digest: Digest, context?: OperationContext): Promise<void> {
    await (await this.#open()).blobs.delete(digest, context)
    this.#core.options.keeper.gone('blob', this.#claim.localName, digest)
  }

  async putManifest(content: Uint8Array, options: PutManifestOptions): Promise<Descriptor> {
    const { manifests } = await this.#open()
    const descriptor = await manifests.put(content, options)
    const { keeper } = this.#core.options
    const { localName } = this.#claim
    keeper.pushed('manifest', localName, descriptor.digest)
    for (const digest of needsOf({ content, descriptor })) {
      for (const type of ['manifest', 'blob'] as const) keeper.pushed(type, localName, digest)
    }
    return descriptor
  }

  async deleteManifest(digest: Digest, context?: OperationContext): Promise<readonly string[]> {
    const { keeper } = this.#core.options
    const tags = await (await this.#open()).manifests.delete(digest, context)
    keeper.gone('manifest', this.#claim.localName, digest)
    return tags
  }

  async setTag(tag: string, target: Digest, options?: SetTagOptions): Promise<void> {
    await (await this.#open()).tags.set(tag, target, options)
    this.#core.options.keeper.pushed('manifest', this.#claim.localName, target)
  }

  async deleteTag(tag: string, context?: OperationContext): Promise<void> {
    await (await this.#open()).tags.delete(tag, context)
  }

  async deleteRepository(context?: OperationContext): Promise<void> {
    await (await this.#open()).delete(context)
    this.#core.options.keeper.deleted(this.#claim.localName)
  }

  /** @throws {@link RegistryError} `UNSUPPORTED` */
  async #open(): Promise<Repository> {
    const { localName, upstream } = this.#claim
    if (!this.#core.options.writable) {
      throw new RegistryError('UNSUPPORTED', {
        message: `${localName} is pulled through from ${upstream.name} and cannot be changed here: push under another name`,
        detail: { name: localName, upstream: upstream.name },
      })
    }
    await this.#core.options.keeper.ready()
    return this.#core.local(this.#claim)
  }

  #own(blob: Descriptor): Descriptor {
    this.#core.options.keeper.pushed('blob', this.#claim.localName, blob.digest)
    return blob
  }

  #owning(upload: Upload): Upload {
    return {
      id: upload.id,
      startedAt: upload.startedAt,
      get offset() {
        return upload.offset
      },
      append: (content, options) => upload.append(content, options),
      commit: async (digest, options) => this.#own(await upload.commit(digest, options)),
      cancel: () => upload.cancel(),
      [Symbol.asyncDispose]: () => upload[Symbol.asyncDispose](),
    }
  }
}
