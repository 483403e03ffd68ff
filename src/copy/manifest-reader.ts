import type { Manifest, OperationContext } from '../backend.ts'
import { NO_BLOB, NO_MANIFEST, RegistryError, unless } from '../errors.ts'
import { algorithmOf, type Digest, digestOf } from '../spec/digest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { aboutManifest } from './errors.ts'
import type { RepositoryPair } from './location.ts'
import type { PlannedManifest } from './plan.ts'

/** Bytes; what registries take. */
export const MAX_MANIFEST_BYTES: number = 4 * 1024 * 1024

const MANIFEST_TYPES: ReadonlySet<string> = new Set([
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.dockerManifest,
  MEDIA_TYPES.dockerList,
])

/** A manifest as it is met on the way: by a tag, in an index, or attached to another. */
export interface Visit {
  readonly digest: Digest
  /** Bytes, where known. */
  readonly size?: number
  readonly mediaType?: string
  readonly image: string
  /** To be copied as a whole: no platform of it is left out. */
  readonly isWhole: boolean
}

/**
 * Reads a manifest, from the target where that has it (who counts pulls counts none then), and checks it against the digest.
 *
 * @throws {@link RegistryError} `MANIFEST_UNKNOWN`, `DIGEST_INVALID`, `SIZE_INVALID`, `MANIFEST_INVALID`
 */
export async function readManifest(
  { source, target }: RepositoryPair,
  visit: Visit,
  context: OperationContext,
): Promise<PlannedManifest> {
  const { digest, size = 0, image } = visit
  try {
    if (size > MAX_MANIFEST_BYTES) throw tooLarge(size)
    const there = await unless(NO_MANIFEST, target.manifests.get(digest, context))
    if (there !== undefined && problemOf(there, visit) === undefined) return { ...there, image, isThere: true }
    const manifest = await source.manifests.get(digest, context)
    const problem = problemOf(manifest, visit)
    if (problem !== undefined) throw problem
    return { ...manifest, image, isThere: false }
  } catch (error) {
    throw aboutManifest(digest, image, error)
  }
}

/**
 * Whether what a descriptor names is a manifest. Children of an index may be blobs: BuildKit's registry cache lists layers there.
 * Where the media type does not tell, the source is asked.
 *
 * @returns `undefined` when the source has neither
 */
export async function kindOf(
  { source }: RepositoryPair,
  { digest, size = 0, mediaType }: Pick<Visit, 'digest' | 'size' | 'mediaType'>,
  context: OperationContext,
): Promise<'manifest' | { readonly blobBytes: number } | undefined> {
  if (mediaType !== undefined && MANIFEST_TYPES.has(mediaType.toLowerCase())) return 'manifest'
  const asBlob = async () => {
    const found = await unless(NO_BLOB, source.blobs.stat(digest, context))
    return found && { blobBytes: found.size }
  }
  const asManifest = async () =>
    (await unless(NO_MANIFEST, source.manifests.stat(digest, context))) && ('manifest' as const)
  if (size > MAX_MANIFEST_BYTES) return asBlob()
  if (mediaType !== undefined && /\.layer\.|\.rootfs\.|\.cacheconfig\./.test(mediaType)) {
    return (await asBlob()) ?? (await asManifest())
  }
  return (await asManifest()) ?? (await asBlob())
}

function problemOf({ content }: Manifest, { digest, size }: Visit): RegistryError | undefined {
  if (content.byteLength > MAX_MANIFEST_BYTES) return tooLarge(content.byteLength)
  const received = digestOf(content, algorithmOf(digest))
  if (received !== digest) {
    return new RegistryError('DIGEST_INVALID', {
      message: `its bytes have the digest ${received}`,
      detail: { expected: digest, received },
    })
  }
  if (size === undefined || size === content.byteLength) return undefined
  return new RegistryError('SIZE_INVALID', {
    message: `it has ${content.byteLength} bytes, where ${size} were announced`,
    detail: { expected: size, received: content.byteLength },
  })
}

function tooLarge(size: number): RegistryError {
  return new RegistryError('MANIFEST_INVALID', {
    message: `${size} bytes are too many for a manifest: at most ${MAX_MANIFEST_BYTES}`,
  })
}
