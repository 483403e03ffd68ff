import type { OperationContext } from '../backend.ts'
import { inParallel } from '../in-parallel.ts'
import type { Descriptor, Platform } from '../spec/descriptor.ts'
import type { Digest } from '../spec/digest.ts'
import { type PlatformName, parsePlatform } from '../spec/platform.ts'
import { type ImageConfig, platformOf } from './config.ts'
import { platformsOfIndex, readManifest } from './find-image.ts'
import { moveBlob } from './move-blob.ts'
import { pull } from './pull.ts'
import { type ImageSource, type Place, placeOfSource } from './source.ts'

/** What an image is built on, for one platform: nothing but a platform, or an image. */
export interface Base {
  readonly platform: Platform
  readonly config: ImageConfig
  /** Lowest first, as they are written into the new manifest. */
  readonly layers: readonly Descriptor[]
  /** Of the manifest; `undefined` from scratch. */
  readonly digest?: Digest
  /** Has `target` hold the layers. */
  moveLayers(target: Place, context: OperationContext): Promise<void>
}

/** Images that are built on the one that has the key are given OCI's types: the same bytes under the names of the present. */
const OCI_TYPES: ReadonlyMap<string, string> = new Map([
  ['application/vnd.docker.image.rootfs.diff.tar', 'application/vnd.oci.image.layer.v1.tar'],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'application/vnd.oci.image.layer.v1.tar+gzip'],
  ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'application/vnd.oci.image.layer.v1.tar+zstd'],
  [
    'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  ],
])
const NONDISTRIBUTABLE = 'application/vnd.oci.image.layer.nondistributable.'
/** Layers that are moved at a time. */
const CONCURRENCY = 3

export function emptyBase(platform: Platform): Base {
  const { architecture, os, variant } = platform
  const config: ImageConfig = {
    architecture,
    os,
    ...(variant && { variant }),
    rootfs: { type: 'layers', diff_ids: [] },
  }
  return { platform, config, layers: [], moveLayers: () => Promise.resolve() }
}

/**
 * The base for each platform that is asked for; `'all'`: that it has.
 *
 * @throws what {@link pull} throws
 */
export async function findBases(
  source: ImageSource,
  platforms: readonly PlatformName[] | 'all' | undefined,
  context: OperationContext,
): Promise<readonly Base[]> {
  const place = placeOfSource(source)
  // Once, so that all platforms come from one image, whatever becomes of a tag meanwhile.
  const found = await readManifest(place.repository, place.reference, context)
  const pinned = { repository: place.repository, reference: found.descriptor.digest }
  const bases = []
  for (const platform of wantedPlatforms(platforms, platformsOfIndex(found.manifest))) {
    const image = await pull(pinned, { ...context, ...(platform && { platform }) })
    const layers = image.layers.map(({ descriptor }) => ({
      ...descriptor,
      mediaType: OCI_TYPES.get(descriptor.mediaType) ?? descriptor.mediaType,
    }))
    bases.push({
      platform: platformOf(image.config),
      config: image.config,
      layers,
      digest: image.descriptor.digest,
      moveLayers: (target: Place, moving: OperationContext) => moveAll(place, target, layers, moving),
    })
  }
  return bases
}

function wantedPlatforms(
  platforms: readonly PlatformName[] | 'all' | undefined,
  there: readonly Platform[],
): readonly (Platform | undefined)[] {
  if (platforms === 'all') return there.length > 0 ? there : [undefined]
  if (platforms === undefined) return [undefined]
  if (platforms.length === 0) throw new TypeError('the option "platforms" is an empty list')
  return platforms.map(parsePlatform)
}

async function moveAll(
  source: Place,
  target: Place,
  layers: readonly Descriptor[],
  context: OperationContext,
): Promise<void> {
  // What may not be distributed stays where its urls say.
  const distributed = layers.filter(({ mediaType, urls }) => !(mediaType.startsWith(NONDISTRIBUTABLE) && urls?.length))
  await inParallel(distributed, CONCURRENCY, (layer) => moveBlob(source, target, layer, context))
  context.signal?.throwIfAborted()
}
