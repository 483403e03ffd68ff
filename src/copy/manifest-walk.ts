import type { OperationContext } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import { inParallel } from '../in-parallel.ts'
import type { Descriptor, Platform } from '../spec/descriptor.ts'
import type { Digest } from '../spec/digest.ts'
import { type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { scanDigests } from '../spec/scan-digests.ts'
import { aboutManifest } from './errors.ts'
import type { RepositoryPair } from './location.ts'
import { kindOf, readManifest, type Visit } from './manifest-reader.ts'
import type { PlannedManifest } from './plan.ts'
import { chooseChildren } from './platforms.ts'

/** Indexes in indexes, and what is attached to attachments. */
const MAX_DEPTH = 8

/** A manifest that was read, and what it depends on. */
export interface ManifestNode extends PlannedManifest {
  readonly digest: Digest
  /** Manifests that have to be there before it. */
  readonly after: Set<Digest>
  /** Of an index: all its children, and those that are copied. */
  readonly children?: readonly Descriptor[]
  readonly kept?: readonly Descriptor[]
}

export interface WalkOptions {
  readonly pair: RepositoryPair
  readonly platforms: readonly Platform[] | undefined
  readonly narrow: boolean
  readonly referrers: boolean
  /** Whether the blobs of a manifest are of interest though the target has it. */
  readonly recheck: boolean
  readonly concurrency: number
  readonly context: OperationContext
  /** Told every blob that is met. */
  readonly onBlob: (blob: Descriptor, image: string) => void
  /** Looks up what the older conventions tag as attached to a manifest. */
  readonly findTagged: (digest: Digest) => Promise<readonly Visit[]>
}

/** Reads manifests, what they consist of, and what is attached to them. */
export class ManifestWalk {
  readonly nodes: Map<Digest, ManifestNode> = new Map()
  readonly #options: WalkOptions
  readonly #seen = new Set<Digest>()

  constructor(options: WalkOptions) {
    this.#options = options
  }

  /** Level by level, so that everything is met first where it is nearest to what was asked for. */
  async run(first: readonly Visit[]): Promise<void> {
    let level = first
    for (let depth = 0; level.length > 0; depth++) {
      const met = level.filter(({ digest }) => !this.#seen.has(digest) && this.#seen.add(digest))
      if (depth > MAX_DEPTH && met[0] !== undefined) {
        const message = `more than ${MAX_DEPTH} levels of manifests within one another`
        throw aboutManifest(met[0].digest, met[0].image, new RegistryError('MANIFEST_INVALID', { message }))
      }
      level = (await this.#forEach(met, (visit) => this.#visit(visit))).flat()
    }
  }

  /** Reads one manifest. @returns what to look at next */
  async #visit(visit: Visit): Promise<readonly Visit[]> {
    const { pair, context, recheck, onBlob } = this.#options
    const manifest = await readManifest(pair, visit, context)
    const parsed = parse(manifest, visit)
    const node = this.#note(visit, manifest, parsed)
    const vouchesForBlobs = manifest.isThere && !recheck
    if (parsed.kind === 'image' && !vouchesForBlobs) {
      for (const blob of [parsed.config, ...parsed.layers]) if (blob) onBlob(blob, visit.image)
    }
    const below: Visit[] = []
    if (parsed.kind === 'index') below.push(...(await this.#children(node, visit)))
    if (parsed.kind === 'opaque' && !vouchesForBlobs) below.push(...(await this.#mentioned(node, parsed)))
    if (this.#options.referrers && !this.#isNarrowed(node)) below.push(...(await this.#attached(node)))
    return below
  }

  #note({ digest, image, isWhole }: Visit, { content, descriptor, isThere }: PlannedManifest, parsed: ParsedManifest) {
    const { platforms, referrers } = this.#options
    const node: ManifestNode = {
      digest,
      descriptor: { mediaType: descriptor.mediaType, digest, size: content.byteLength },
      content,
      image,
      isThere,
      // A subject comes before what is attached to it, where both are copied.
      after: new Set(parsed.subject && [parsed.subject.digest]),
      ...(parsed.kind === 'index' && {
        children: parsed.manifests,
        kept:
          platforms && !isWhole
            ? chooseChildren(parsed.manifests, platforms, { attestations: referrers })
            : parsed.manifests,
      }),
    }
    this.nodes.set(digest, node)
    return node
  }

  /** What is attached to an index does not fit the one that takes its place. */
  #isNarrowed({ kept, children }: ManifestNode): boolean {
    return this.#options.narrow && kept?.length !== children?.length
  }

  #children(node: ManifestNode, { image, isWhole }: Visit): Promise<readonly Visit[]> {
    return this.#forEach(node.kept ?? [], (child) => this.#child(node, { ...child, image, isWhole }, child))
  }

  /** Of a manifest whose shape we do not know: every digest in it that the source has. */
  #mentioned(node: ManifestNode, { subject }: ParsedManifest): Promise<readonly Visit[]> {
    const digests = [...scanDigests(node.content)].filter((one) => one !== node.digest && one !== subject?.digest)
    return this.#forEach(digests, (digest) => this.#child(node, { digest, image: node.image, isWhole: true }))
  }

  /** A manifest is visited next, a blob told of. */
  async #child(parent: ManifestNode, visit: Visit, descriptor?: Descriptor): Promise<Visit | undefined> {
    const { digest, image } = visit
    const { pair, context, onBlob } = this.#options
    const kind = this.nodes.has(digest) ? 'manifest' : await kindOf(pair, visit, context)
    if (kind === 'manifest') {
      parent.after.add(digest)
      return visit
    }
    if (kind !== undefined)
      onBlob(descriptor ?? { mediaType: MEDIA_TYPES.octetStream, digest, size: kind.blobBytes }, image)
    else if (descriptor !== undefined) {
      const message = `${parent.digest} names it, but the source has neither a manifest nor a blob of this digest`
      throw aboutManifest(digest, image, new RegistryError('MANIFEST_UNKNOWN', { message }))
    }
    return undefined
  }

  /** What names a manifest as its subject, and what the older conventions tag as attached to it. */
  async #attached({ digest: subject, image }: ManifestNode): Promise<readonly Visit[]> {
    const { pair, context, findTagged } = this.#options
    const found: Visit[] = []
    try {
      for await (const { digest, size, mediaType } of pair.source.manifests.referrers(subject, context)) {
        found.push({ digest, size, mediaType, image, isWhole: true })
      }
    } catch (error) {
      throw aboutManifest(subject, image, error)
    }
    return [...found, ...(await findTagged(subject))]
  }

  /** Results in the order of the items, whichever comes first. */
  async #forEach<T, R>(items: readonly T[], task: (item: T) => Promise<R | undefined>): Promise<R[]> {
    const results: (R | undefined)[] = []
    await inParallel(items, this.#options.concurrency, async (item, i) => {
      results[i] = await task(item)
    })
    return results.filter((result) => result !== undefined)
  }
}

function parse({ content, descriptor }: PlannedManifest, visit: Visit): ParsedManifest {
  try {
    return parseManifest(content, descriptor.mediaType)
  } catch (error) {
    throw aboutManifest(visit.digest, visit.image, error)
  }
}
