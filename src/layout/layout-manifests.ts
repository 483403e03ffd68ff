import { checkManifestPut } from '../arguments.ts'
import type {
  ListOptions,
  Manifest,
  Manifests,
  OperationContext,
  PutManifestOptions,
  ReferrersOptions,
} from '../backend.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../spec/digest.ts'
import { declaredMediaType, type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import { parseTag } from '../spec/name.ts'
import { compareBytes } from '../storage/byte-order.ts'
import { fallbackTag } from '../storage/layout.ts'
import type { LayoutCore } from './layout-core.ts'
import { rawOf } from './layout-index.ts'
import { checkExpected } from './layout-tags.ts'
import { LayoutUpload } from './layout-upload.ts'
import { RepositoryChanges } from './repository-changes.ts'

/** Manifests of one repository of a layout: those that its index lists under the repository's name, and what they list in turn. */
export class LayoutManifests implements Manifests {
  readonly #core: LayoutCore
  readonly #repository: string
  readonly #changes: RepositoryChanges

  constructor(core: LayoutCore, repository: string) {
    this.#core = core
    this.#repository = repository
    this.#changes = new RepositoryChanges(core, repository)
  }

  async stat(reference: Digest | string, context?: OperationContext): Promise<Descriptor> {
    return (await this.get(reference, context)).descriptor
  }

  async get(reference: Digest | string, { signal }: OperationContext = {}): Promise<Manifest> {
    signal?.throwIfAborted()
    const entries = await this.#core.index.read()
    const found = isDigest(reference)
      ? await this.#changes.find(entries, reference)
      : entries.find((entry) => entry.repository === this.#repository && entry.tag === reference)
    const content = found && (await this.#core.graph.content(found.descriptor.digest))
    if (found === undefined || content === undefined) throw unknownManifest(reference)
    const { digest, mediaType } = found.descriptor
    return {
      descriptor: { mediaType: declaredMediaType(content) ?? mediaType, digest, size: content.byteLength },
      content,
    }
  }

  async put(content: Uint8Array, options: PutManifestOptions): Promise<Descriptor> {
    checkManifestPut(content, options)
    const { mediaType, expected, signal } = options
    const tags = [...new Set((options.tags ?? []).map(parseTag))]
    const parsed = parseManifest(content, mediaType)
    const digest = digestOf(content, options.digest && algorithmOf(options.digest))
    if (options.digest !== undefined && options.digest !== digest) {
      throw new RegistryError('DIGEST_INVALID', { detail: { expected: options.digest, received: digest } })
    }
    await this.#checkReferences(parsed)
    const described = { mediaType: parsed.mediaType, digest, size: content.byteLength }
    const raw = rawOf({
      ...described,
      // By which those who look for referrers in the index tell them apart.
      ...(parsed.subject && parsed.artifactType !== undefined && { artifactType: parsed.artifactType }),
    })
    await this.#core.index.update(async (entries) => {
      signal?.throwIfAborted()
      for (const tag of tags) checkExpected(entries, this.#repository, tag, expected)
      await this.#write(content, digest)
      return { entries: await this.#changes.put(entries, { descriptor: described, raw }, tags) }
    })
    return { mediaType, digest, size: content.byteLength }
  }

  async delete(digest: Digest, { signal }: OperationContext = {}): Promise<readonly string[]> {
    let tags: readonly string[] = []
    await this.#core.index.update(async (entries) => {
      signal?.throwIfAborted()
      const manifest = await this.#changes.find(entries, digest)
      if (manifest === undefined) throw unknownManifest(digest)
      tags = entries
        .filter((entry) => entry.repository === this.#repository && entry.descriptor.digest === digest)
        .flatMap(({ tag }) => (tag === undefined ? [] : [tag]))
      const next = await this.#changes.remove(entries, manifest)
      const doomed = await this.#changes.exclusive(next, [digest])
      return { entries: next, after: () => this.#deleteAll(doomed) }
    })
    return tags
  }

  async *list({ after, signal }: ListOptions = {}): AsyncGenerator<Digest> {
    const digests = [...(await this.#reach(signal)).keys()]
    for (const digest of digests.sort(compareBytes)) if (after === undefined || digest > after) yield digest
  }

  async *referrers(subject: Digest, options: ReferrersOptions = {}): AsyncGenerator<Descriptor> {
    const { after, artifactType, signal } = options
    const manifests = await this.#reach(signal)
    const listed = await this.#fallback(subject, signal)
    for (const digest of [...manifests.keys()].sort(compareBytes)) {
      const manifest = manifests.get(digest)
      if (manifest === undefined || (after !== undefined && digest <= after)) continue
      const facts = await this.#core.graph.facts(manifest)
      if (facts?.subject !== subject && !listed.has(digest)) continue
      if (artifactType !== undefined && facts?.artifactType !== artifactType) continue
      const size = await this.#core.files.size(digest)
      if (facts === undefined || size === undefined) continue
      yield {
        ...{ mediaType: manifest.mediaType, digest, size },
        ...(facts.artifactType !== undefined && { artifactType: facts.artifactType }),
        ...(facts.annotations && { annotations: facts.annotations }),
      }
    }
  }

  async #reach(signal: AbortSignal | undefined): Promise<Map<Digest, Descriptor>> {
    signal?.throwIfAborted()
    return this.#changes.reach(await this.#core.index.read(), signal)
  }

  /** What regctl keeps: an index of the referrers, under a tag made of their subject's digest. */
  async #fallback(subject: Digest, signal: AbortSignal | undefined): Promise<ReadonlySet<Digest>> {
    signal?.throwIfAborted()
    const tag = fallbackTag(subject)
    const entry = (await this.#core.entriesOf(this.#repository)).find((one) => one.tag === tag)
    const facts = entry && (await this.#core.graph.facts(entry.descriptor))
    return new Set(facts?.children.map(({ digest }) => digest))
  }

  async #write(content: Uint8Array, digest: Digest): Promise<void> {
    const options = { digest, size: content.byteLength }
    const upload = await LayoutUpload.begin(this.#core, this.#repository, options)
    try {
      await upload.commitWhole(content, options)
    } catch (error) {
      await upload.cancel()
      throw error
    }
  }

  async #deleteAll(digests: readonly Digest[]): Promise<void> {
    for (const digest of digests) await this.#core.files.delete(digest)
  }

  /** An index may lack platforms, an image may not lack layers, but for those that come from elsewhere. */
  async #checkReferences({ config, layers }: ParsedManifest): Promise<void> {
    const needed = [...(config ? [config] : []), ...layers].filter(
      ({ urls, mediaType }) => !urls?.length && !/nondistributable|\.foreign\./.test(mediaType),
    )
    const missing: Digest[] = []
    for (const digest of new Set(needed.map((one) => one.digest))) {
      if ((await this.#core.files.size(digest)) === undefined) missing.push(digest)
    }
    if (missing.length > 0) throw new RegistryError('MANIFEST_BLOB_UNKNOWN', { detail: { missing: missing.sort() } })
  }
}

export function unknownManifest(reference: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', { detail: { reference: reference.slice(0, 160) } })
}
