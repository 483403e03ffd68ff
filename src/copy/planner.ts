import { type Match, matcher } from '../decorators/pattern.ts'
import { NO_MANIFEST, RegistryError, unless } from '../errors.ts'
import { inParallel } from '../in-parallel.ts'
import type { Descriptor, Platform } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../spec/digest.ts'
import { formatPlatform, isPlatform } from '../spec/platform.ts'
import { attachedTags, isReferrersTag } from './attached-tags.ts'
import { BlobPlanner, type BlobPlannerOptions } from './blob-planner.ts'
import { about } from './errors.ts'
import type { Visit } from './manifest-reader.ts'
import { type ManifestNode, ManifestWalk } from './manifest-walk.ts'
import { narrowIndex } from './narrow-index.ts'
import type { CopyPlan, PlannedManifest, PlannedRoot, PlannedTag } from './plan.ts'
import { rank } from './rank.ts'

export interface PlannerOptions extends BlobPlannerOptions {
  /** In the source: a tag or a digest. Absent: the tags that match. */
  readonly reference: string | undefined
  /** In the target. Absent: the same. */
  readonly targetReference: string | undefined
  readonly tags: Match
  readonly platforms: readonly Platform[] | undefined
  readonly narrow: boolean
  readonly referrers: boolean
  readonly recheck: boolean
}

/** Finds out what there is to do for one repository: asks both sides, and writes to neither. */
export class Planner {
  readonly #options: PlannerOptions
  readonly #blobs: BlobPlanner
  readonly #walk: ManifestWalk
  /** What to end with: tags in the target, and where they point in the source. */
  readonly #tags = new Map<string, Digest>()
  /** Asked for by its digest, and to have no tag. */
  #untagged: Digest | undefined
  /** Where all of them were listed. */
  #sourceTags: ReadonlySet<string> | undefined

  constructor(options: PlannerOptions) {
    this.#options = options
    this.#blobs = new BlobPlanner(options)
    this.#walk = new ManifestWalk({
      ...options,
      recheck: options.recheck || options.foreignLayers, // layers that an earlier copy left out
      onBlob: (blob, image) => this.#blobs.add(blob, image),
      findTagged: (digest) => this.#findTagged(digest),
    })
  }

  async plan(): Promise<CopyPlan> {
    const asked = await this.#findAsked()
    await this.#walk.run(asked)
    for (const visit of asked) this.#checkPlatforms(visit)
    const ranked = rank(this.#walk.nodes)
    const current = await this.#narrow(ranked)
    const { blobs, foreign } = await this.#blobs.plan()
    // What others depend on has to be there before them. The rest of the roots is put once, with its tags.
    const needed = new Set([...this.#walk.nodes.values()].flatMap(({ after }) => [...after]))
    const roots = await this.#planRoots(current, needed)
    const last = new Set([this.#untagged, ...this.#tags.values()])
    const ranks = ranked.map((nodes) =>
      nodes
        .filter(({ digest }) => needed.has(digest) || !last.has(digest))
        .map((node): PlannedManifest => current.get(node.digest) ?? node),
    )
    return { blobs, ranks, roots, foreign }
  }

  /** What was asked for, by its tags. */
  async #findAsked(): Promise<Visit[]> {
    const { pair, reference, targetReference, tags, concurrency, context } = this.#options
    if (reference !== undefined) {
      const tag = targetReference ?? reference
      const visit = isDigest(reference)
        ? { digest: reference, image: `${pair.source.name}@${reference}`, isWhole: false }
        : await this.#resolve(reference, { isWhole: false })
      if (visit === undefined) return []
      if (isDigest(tag)) this.#untagged = visit.digest
      else this.#tags.set(tag, visit.digest)
      return [visit]
    }
    const all: string[] = []
    for await (const tag of pair.source.tags.list(context)) all.push(tag)
    this.#sourceTags = new Set(all)
    const names = all.filter(matcher(tags))
    const visits: (Visit | undefined)[] = []
    await inParallel(names, concurrency, async (tag, i) => {
      // A listing may name what is no tag any more.
      visits[i] = await this.#resolve(tag, { isWhole: isReferrersTag(tag), isOptional: true })
    })
    for (const [i, tag] of names.entries()) if (visits[i]) this.#tags.set(tag, visits[i].digest)
    return visits.filter((visit) => visit !== undefined)
  }

  async #findTagged(digest: Digest): Promise<readonly Visit[]> {
    const found: Visit[] = []
    for (const tag of attachedTags(digest)) {
      if (this.#sourceTags?.has(tag) === false) continue
      const visit = await this.#resolve(tag, { isWhole: true, isOptional: true })
      if (visit === undefined) continue
      found.push(visit)
      if (!this.#tags.has(tag)) this.#tags.set(tag, visit.digest)
    }
    return found
  }

  async #resolve(
    tag: string,
    { isWhole, isOptional = false }: { readonly isWhole: boolean; readonly isOptional?: boolean },
  ): Promise<Visit | undefined> {
    const { pair, context } = this.#options
    const image = `${pair.source.name}:${tag}`
    try {
      const looking = pair.source.manifests.stat(tag, context)
      const found = isOptional ? await unless(NO_MANIFEST, looking) : await looking
      return found && { digest: found.digest, size: found.size, mediaType: found.mediaType, image, isWhole }
    } catch (error) {
      throw about(image, { image }, error)
    }
  }

  /** @throws {@link RegistryError} `MANIFEST_UNKNOWN` for a platform that an index does not have */
  #checkPlatforms({ digest, image, isWhole }: Visit): void {
    const root = this.#walk.nodes.get(digest)
    if (isWhole || root?.children === undefined) return
    const there = this.#platformsOf(root)
    // Of an index that tells no platform at all, BuildKit's cache for one, everything is copied.
    if (there.length === 0) return
    const missing = this.#options.platforms?.find((wanted) => !there.some((platform) => isPlatform(platform, wanted)))
    if (missing === undefined) return
    const names = [...new Set(there.map(formatPlatform))].filter((name) => name !== 'unknown/unknown')
    const message = `no image for ${formatPlatform(missing)}; there are ${names.join(', ')}`
    throw about(image, { image }, new RegistryError('MANIFEST_UNKNOWN', { message }))
  }

  /** Of an index, and of the indexes in it. */
  #platformsOf({ children = [] }: ManifestNode): Platform[] {
    return children.flatMap(({ digest, platform }) => {
      const child = this.#walk.nodes.get(digest)
      return [...(platform ? [platform] : []), ...(child ? this.#platformsOf(child) : [])]
    })
  }

  /** Puts new indexes in the place of those that lose children, where that is wanted: by the digest of what they replace. */
  async #narrow(ranked: readonly (readonly ManifestNode[])[]): Promise<ReadonlyMap<Digest, PlannedManifest>> {
    const { narrow, pair, context } = this.#options
    const current = new Map<Digest, PlannedManifest>()
    const renewed = new Map<Digest, Descriptor>()
    for (const node of narrow ? ranked.flat() : []) {
      const content = narrowIndex(node, renewed)
      if (content === undefined) continue
      const digest = digestOf(content, algorithmOf(node.digest))
      const descriptor = { mediaType: node.descriptor.mediaType, digest, size: content.byteLength }
      const there = await unless(NO_MANIFEST, pair.target.manifests.stat(digest, context))
      renewed.set(node.digest, descriptor)
      current.set(node.digest, { descriptor, content, image: node.image, isThere: there !== undefined })
    }
    return current
  }

  /** One per manifest, with all its tags. */
  async #planRoots(
    current: ReadonlyMap<Digest, PlannedManifest>,
    needed: ReadonlySet<Digest>,
  ): Promise<readonly PlannedRoot[]> {
    const names = new Map<Digest, string[]>(this.#untagged && [[this.#untagged, []]])
    for (const [tag, digest] of this.#tags) names.set(digest, [...(names.get(digest) ?? []), tag])
    const roots: PlannedRoot[] = []
    await inParallel([...names], this.#options.concurrency, async ([digest, tags], i) => {
      const manifest = current.get(digest) ?? this.#walk.nodes.get(digest)
      if (manifest === undefined) return
      if (digest === this.#untagged) this.#checkTarget(manifest)
      const planned = await Promise.all(tags.map((tag) => this.#planTag(tag, manifest)))
      roots[i] = { manifest, tags: planned, isRanked: needed.has(digest) }
    })
    return roots
  }

  async #planTag(name: string, { descriptor }: PlannedManifest): Promise<PlannedTag> {
    const { pair, context } = this.#options
    try {
      const there = await unless(NO_MANIFEST, pair.target.manifests.stat(name, context))
      // A registry without the referrers API has this tag kept for it, with what else it knows to be attached.
      const ifAbsent = isReferrersTag(name)
      return { name, ifAbsent, isThere: there !== undefined && (ifAbsent || there.digest === descriptor.digest) }
    } catch (error) {
      throw about(`${pair.target.name}:${name}`, {}, error)
    }
  }

  /** @throws {@link RegistryError} `DIGEST_INVALID` where the target was named by another digest */
  #checkTarget({ descriptor, image }: PlannedManifest): void {
    const { targetReference } = this.#options
    if (targetReference === undefined || !isDigest(targetReference) || targetReference === descriptor.digest) return
    const message = `its digest is ${descriptor.digest}, the target is to have ${targetReference}`
    throw about(image, { image }, new RegistryError('DIGEST_INVALID', { message }))
  }
}
