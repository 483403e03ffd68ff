import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, digestOf } from '../spec/digest.ts'
import { type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import type { BlobFiles } from './layout-files.ts'

/** Bytes; as for those that are pushed. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024
/** Facts about so many manifests are remembered. */
const MAX_FACTS = 10_000

const MANIFEST_TYPES: ReadonlySet<string> = new Set([
  ...[MEDIA_TYPES.ociManifest, MEDIA_TYPES.ociIndex],
  ...[MEDIA_TYPES.dockerManifest, MEDIA_TYPES.dockerList],
])

/** What a manifest's bytes tell of its place among the others. */
export interface ManifestFacts {
  /** Children that are manifests. */
  readonly children: readonly Descriptor[]
  readonly subject?: Digest
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}

/**
 * Which manifests a layout holds, from the entries of its index down: the platforms of an image have no entry of their own.
 * What manifests say is remembered by their digest, and never changes.
 */
export class ManifestGraph {
  readonly #files: BlobFiles
  readonly #facts = new Map<Digest, ManifestFacts>()

  constructor(files: BlobFiles) {
    this.#files = files
  }

  /** The bytes of a manifest, verified; `undefined` when it is absent. @throws {@link RegistryError} `DIGEST_INVALID`, `MANIFEST_INVALID` (its size) */
  async content(digest: Digest): Promise<Buffer | undefined> {
    const place = await this.#files.open(digest)
    if (place === undefined) return undefined
    try {
      if (place.size > MAX_MANIFEST_BYTES) {
        throw new RegistryError('MANIFEST_INVALID', {
          message: `the manifest ${digest} has ${place.size} bytes, more than ${MAX_MANIFEST_BYTES}`,
        })
      }
      const content = Buffer.allocUnsafeSlow(place.size)
      await place.file.readFully(content, place.size, place.start)
      const found = digestOf(content, algorithmOf(digest))
      if (found !== digest) throw damaged(digest, found)
      return content
    } finally {
      void place.file.release()
    }
  }

  /** `undefined` when it is absent. What cannot be read as a manifest of its type has no relations. */
  async facts(manifest: Descriptor): Promise<ManifestFacts | undefined> {
    const known = this.#facts.has(manifest.digest)
    if (known && (await this.#files.size(manifest.digest)) === undefined) return undefined
    return this.#remembered(manifest)
  }

  /** All manifests that are there among `roots` and below, by digest. */
  async reach(roots: Iterable<Descriptor>, signal?: AbortSignal): Promise<Map<Digest, Descriptor>> {
    const found = new Map<Digest, Descriptor>()
    const visited = new Set<Digest>()
    const open = [...roots]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      signal?.throwIfAborted()
      if (visited.has(next.digest)) continue
      visited.add(next.digest)
      const facts = await this.facts(next)
      if (facts === undefined) continue
      found.set(next.digest, next)
      open.push(...facts.children)
    }
    return found
  }

  /** One manifest among `roots` or below: how it is described there, whether or not it is there. Looks at no file that it has read before. */
  async find(roots: Iterable<Descriptor>, digest: Digest): Promise<Descriptor | undefined> {
    const entries = [...roots]
    const listed = entries.find((one) => one.digest === digest)
    if (listed !== undefined) return listed
    const visited = new Set<Digest>()
    for (let next = entries.pop(); next !== undefined; next = entries.pop()) {
      if (visited.has(next.digest)) continue
      visited.add(next.digest)
      const { children = [] } = (await this.#remembered(next)) ?? {}
      const found = children.find((one) => one.digest === digest)
      if (found !== undefined) return found
      entries.push(...children)
    }
    return undefined
  }

  async #remembered({ digest, mediaType }: Descriptor): Promise<ManifestFacts | undefined> {
    const known = this.#facts.get(digest)
    if (known !== undefined) return known
    const content = await this.content(digest)
    if (content === undefined) return undefined
    const facts = factsOf(understood(content, mediaType))
    const oldest = this.#facts.size < MAX_FACTS ? undefined : this.#facts.keys().next().value
    if (oldest !== undefined) this.#facts.delete(oldest)
    this.#facts.set(digest, facts)
    return facts
  }
}

export function factsOf(parsed: ParsedManifest | undefined): ManifestFacts {
  const { manifests = [], subject, artifactType, annotations } = parsed ?? {}
  return {
    // BuildKit's registry cache is an index whose children are layers.
    children: manifests.filter(({ mediaType }) => MANIFEST_TYPES.has(mediaType)),
    ...(subject && { subject: subject.digest }),
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations && { annotations }),
  }
}

export function damaged(digest: Digest, found: Digest): RegistryError {
  return new RegistryError('DIGEST_INVALID', {
    status: 500,
    message: `damaged: what the layout keeps as ${digest} is ${found}`,
    detail: { expected: digest, received: found },
  })
}

function understood(content: Uint8Array, mediaType: string): ParsedManifest | undefined {
  try {
    return parseManifest(content, mediaType)
  } catch {
    return undefined
  }
}
