import { checkAmount, checkOptions, kindOf } from '../arguments.ts'
import type { OperationContext, Repository } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import type { Platform } from '../spec/descriptor.ts'
import { formatPlatform, type PlatformName, parsePlatform, runsOn } from '../spec/platform.ts'
import { readChecked } from './checked-blob.ts'
import { type ImageConfig, MAX_CONFIG_BYTES, parseImageConfig, platformOf } from './config.ts'
import { findImage, type ReadManifest } from './find-image.ts'
import { DEFAULT_MAX_LAYER_BYTES, ImageLayer } from './layer.ts'
import { type ImageSource, imageSource, placeOfSource, type ResolveRegistry } from './source.ts'

export interface PullOptions extends OperationContext {
  /** `linux/arm64`, say. Default: Linux on this machine's processor, and an image that has but one platform as it is. */
  readonly platform?: PlatformName | Platform
  /** Bytes of an uncompressed layer beyond which reading it fails, so that no small blob can keep a reader busy for ever. Default: 16 GiB. */
  readonly maxLayerBytes?: number
  /** Finds the backend of a source that is given as text, by its host. */
  readonly resolve?: ResolveRegistry
}

/** An image of one platform, its layers not read yet. */
export interface PulledImage extends ReadManifest {
  readonly config: ImageConfig
  /** What the config says of it. */
  readonly platform: Platform
  /** The lowest first. */
  readonly layers: readonly ImageLayer[]
  /** The index that it was chosen from, where there was one. */
  readonly index?: ReadManifest
}

/**
 * Reads an image: its manifest and config at once, both checked against their digests, its layers when they are asked for.
 *
 * @example
 * const { config, layers } = await pull({ repository: registry.repository('team/app'), reference: 'v1' })
 * for (const layer of layers) for await (const { header } of layer.entries()) console.log(header.name)
 * @throws `RegistryError` `MANIFEST_UNKNOWN` when it is not there, or not for that platform; `MANIFEST_INVALID`, `DIGEST_INVALID` and
 * `SIZE_INVALID` when it is not what it says; `UNSUPPORTED` for what is no image
 */
export async function pull(source: ImageSource | string, options: PullOptions = {}): Promise<PulledImage> {
  checkOptions<PullOptions>('pull()', options, {
    platform: true,
    maxLayerBytes: true,
    resolve: true,
    signal: true,
    actor: false,
    requestId: false,
    request: false,
    namespace: false,
  })
  const { platform, maxLayerBytes = DEFAULT_MAX_LAYER_BYTES, resolve, signal } = options
  checkAmount('maxLayerBytes', maxLayerBytes)
  const { repository, reference } = placeOfSource(resolveSource(source, resolve))
  const context = signal ? { signal } : {}
  const wanted = platform === undefined ? undefined : parsePlatform(platform)
  const { image, index } = await findImage(repository, reference, wanted, context)
  const config = await readConfig(repository, image, context)
  const found = platformOf(config)
  if (wanted !== undefined && index === undefined && !runsOn(found, wanted)) {
    throw new RegistryError('MANIFEST_UNKNOWN', {
      message: `the image is for ${formatPlatform(found)}, not for ${formatPlatform(wanted)}`,
    })
  }
  const layers = image.manifest.layers.map((descriptor, i) => {
    const diffId = config.rootfs.diff_ids[i]
    return new ImageLayer(repository, descriptor, { maxLayerBytes, ...(diffId !== undefined && { diffId }) })
  })
  return { ...image, config, platform: found, layers, ...(index && { index }) }
}

/** @throws `TypeError` for text without a way to resolve it */
export function resolveSource(source: ImageSource | string, resolve: ResolveRegistry | undefined): ImageSource {
  if (typeof source !== 'string') return source
  if (typeof resolve === 'function') return imageSource(source, resolve)
  throw new TypeError(
    `the source ${JSON.stringify(source)} is text: the option "resolve" has to find its registry, not ${kindOf(resolve)}`,
  )
}

async function readConfig(
  repository: Repository,
  { manifest }: ReadManifest,
  context: OperationContext,
): Promise<ImageConfig> {
  if (manifest.config === undefined) throw new RegistryError('MANIFEST_INVALID', { message: 'the image has no config' })
  const config = parseImageConfig(await readChecked(repository, manifest.config, MAX_CONFIG_BYTES, context))
  if (config.rootfs.diff_ids.length === manifest.layers.length) return config
  throw new RegistryError('MANIFEST_INVALID', {
    message: `the config tells of ${config.rootfs.diff_ids.length} layers, the manifest of ${manifest.layers.length}`,
  })
}
