import type { Repository } from '../../src/backend.ts'
import { memory } from '../../src/drivers/memory.ts'
import type { ImageLayer } from '../../src/image/layer.ts'
import { Registry } from '../../src/registry.ts'
import type { Descriptor, Platform } from '../../src/spec/descriptor.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import type { TarHeader } from '../../src/tar/entry.ts'
import { collect, descriptorOf, json } from '../support/images.ts'

export function registry(): Registry {
  return new Registry({ storage: memory() })
}

export interface LayerEntry extends TarHeader {
  readonly content: string
}

/** All entries of a layer, with contents. */
export async function entriesOf(layer: ImageLayer | undefined): Promise<LayerEntry[]> {
  if (layer === undefined) throw new Error('there is no such layer')
  const entries = []
  for await (const { header, bytes } of layer.entries()) {
    entries.push({ ...header, content: Buffer.from(await bytes()).toString() })
  }
  return entries
}

/** Names and contents of a layer. */
export async function filesOf(layer: ImageLayer | undefined): Promise<Record<string, string>> {
  return Object.fromEntries((await entriesOf(layer)).map(({ name, content }) => [name, content]))
}

/** A manifest or config as it was pushed. */
export async function jsonOf(repository: Repository, { digest }: Pick<Descriptor, 'digest'>): Promise<unknown> {
  return JSON.parse(Buffer.from((await repository.manifests.get(digest)).content).toString())
}

export async function blobOf(repository: Repository, { digest }: Pick<Descriptor, 'digest'>): Promise<Buffer> {
  await using body = (await repository.blobs.open(digest)).body
  return Buffer.concat(await collect<Buffer>(body.stream()))
}

export interface HandMade {
  readonly platform?: Platform
  /** Blobs of the layers and the tars that are in them. */
  readonly layers?: readonly { readonly blob: Uint8Array; readonly tar?: Uint8Array; readonly mediaType?: string }[]
  readonly config?: Readonly<Record<string, unknown>>
  readonly configType?: string
  readonly mediaType?: string
  readonly tags?: readonly string[]
}

/** Pushes an image that no builder of ours has made. */
export async function pushByHand(
  repository: Repository,
  {
    platform,
    layers = [],
    config,
    configType = MEDIA_TYPES.ociConfig,
    mediaType = MEDIA_TYPES.ociManifest,
    tags = [],
  }: HandMade,
): Promise<Descriptor> {
  const described = []
  for (const { blob, mediaType: type = LAYER } of layers) {
    await repository.blobs.put(blob)
    described.push(descriptorOf(blob, type))
  }
  const { os, architecture, variant } = platform ?? { os: 'linux', architecture: 'amd64' }
  const diffIds = layers.map(({ blob, tar = blob }) => digestOf(tar))
  const whole = {
    architecture,
    os,
    ...(variant && { variant }),
    rootfs: { type: 'layers', diff_ids: diffIds },
    ...config,
  }
  const configBytes = json(whole)
  await repository.blobs.put(configBytes)
  const manifest = { schemaVersion: 2, mediaType, config: descriptorOf(configBytes, configType), layers: described }
  const pushed = await repository.manifests.put(json(manifest), { mediaType, tags })
  return { ...pushed, ...(platform && { platform }) }
}

export async function pushIndex(
  repository: Repository,
  manifests: readonly Descriptor[],
  tags: readonly string[] = [],
): Promise<Descriptor> {
  const mediaType = MEDIA_TYPES.ociIndex
  return repository.manifests.put(json({ schemaVersion: 2, mediaType, manifests }), { mediaType, tags })
}

const LAYER = 'application/vnd.oci.image.layer.v1.tar'
