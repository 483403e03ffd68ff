import type { Manifest, OperationContext, ReferrersOptions } from '../backend.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import type { Digest } from '../spec/digest.ts'
import { type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import { compareBytes } from './byte-order.ts'
import { digestOfLinkKey, fallbackTag, linkContent, type RepositoryLayout } from './layout.ts'
import type { StorageCore } from './storage-core.ts'

type ReadManifest = (reference: Digest | string, context: OperationContext) => Promise<Manifest | undefined>

/**
 * Which manifests name which subject: one link per pair, written with the manifest, and whatever clients kept under the
 * fallback tag while this storage was served by a registry without the API.
 */
export class ReferrerStore {
  readonly #core: StorageCore
  readonly #layout: RepositoryLayout
  readonly #read: ReadManifest

  constructor(core: StorageCore, layout: RepositoryLayout, read: ReadManifest) {
    this.#core = core
    this.#layout = layout
    this.#read = read
  }

  add(subject: Digest, referrer: Digest): Promise<void> {
    return this.#core.driver.put(this.#layout.referrerLink(subject, referrer), linkContent(referrer))
  }

  async remove(referrer: Digest, manifest: Manifest): Promise<void> {
    const subject = understood(manifest)?.subject
    if (subject !== undefined) await this.#core.driver.delete(this.#layout.referrerLink(subject.digest, referrer))
  }

  async *list(subject: Digest, options: ReferrersOptions = {}): AsyncGenerator<Descriptor> {
    const { after, artifactType, signal } = options
    const context = signal ? { signal } : {}
    const digests = await this.#referrersOf(subject, context)
    for (const digest of [...digests].sort(compareBytes)) {
      if (after !== undefined && digest <= after) continue
      const manifest = await this.#read(digest, context)
      // A link without its manifest is what a crash, or a deletion by Distribution, leaves behind.
      const parsed = manifest && understood(manifest)
      if (manifest === undefined || parsed === undefined) continue
      const listed = describeReferrer(manifest, parsed)
      if (artifactType === undefined || listed.artifactType === artifactType) yield listed
    }
  }

  async #referrersOf(subject: Digest, context: OperationContext): Promise<Set<Digest>> {
    const folder = this.#layout.subject(subject)
    const found = new Set<Digest>()
    for await (const entry of this.#core.driver.list(folder, context.signal && { signal: context.signal })) {
      const digest = digestOfLinkKey(folder, entry.key)
      if (digest !== undefined) found.add(digest)
    }
    const fallback = await this.#read(fallbackTag(subject), context)
    for (const { digest } of (fallback && understood(fallback)?.manifests) ?? []) found.add(digest)
    return found
  }
}

/** A manifest that another program stored may be one that we would refuse; it then has no part in referrers. */
function understood({ content, descriptor }: Manifest): ParsedManifest | undefined {
  try {
    return parseManifest(content, descriptor.mediaType)
  } catch {
    return undefined
  }
}

function describeReferrer({ descriptor }: Manifest, { artifactType, annotations }: ParsedManifest): Descriptor {
  return { ...descriptor, ...(artifactType !== undefined && { artifactType }), ...(annotations && { annotations }) }
}
