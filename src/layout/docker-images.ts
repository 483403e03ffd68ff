import { createHash } from 'node:crypto'
import type { Descriptor } from '../spec/descriptor.ts'
import { type Digest, digestOf, finishDigest, isDigest } from '../spec/digest.ts'
import { isJsonObject } from '../spec/json-scan.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { compressionOf, type FoundCompression, MAGIC_BYTES } from '../tar/compression.ts'
import type { ArchiveFile } from './archive-file.ts'
import { malformed } from './errors.ts'
import { parseJson, parseObject } from './layout-index.ts'
import type { TarFile, TarIndex } from './tar-index.ts'

/** Bytes of an image's config. */
const MAX_CONFIG_BYTES = 8 * 1024 * 1024
const HASHED_BYTES = 1024 * 1024

const LAYER_TYPES: Readonly<Partial<Record<FoundCompression, string>>> = {
  none: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
}

/** An item of the `manifest.json` of `docker save`; paths within the archive. */
export interface DockerItem {
  readonly config: string
  /** As people write them: `alpine:3`. */
  readonly tags: readonly string[]
  readonly layers: readonly string[]
}

/** An image that has no manifest of its own in the archive, and the one made for it. */
export interface DockerImage {
  readonly manifest: Descriptor
  readonly content: Uint8Array
  readonly blobs: ReadonlyMap<Digest, TarFile>
}

/** @throws {@link RegistryError} `MANIFEST_INVALID` */
export function parseDockerItems(content: Uint8Array): readonly DockerItem[] {
  const items = parseJson(content, 'manifest.json')
  if (!Array.isArray(items)) throw malformed('manifest.json should be a list of images, as docker save writes it')
  return items.map((item: unknown, index) => {
    const { Config: config, RepoTags: tags, Layers: layers } = isJsonObject(item) ? item : {}
    const at = `manifest.json: the image ${index}`
    if (typeof config !== 'string') throw malformed(`${at} has no Config, the path of a file`)
    if (!isTextList(layers ?? [])) throw malformed(`${at} has no Layers, a list of paths`)
    if (!isTextList(tags ?? [])) throw malformed(`${at} has RepoTags that are no list of names`)
    return { config, tags: (tags ?? []) as readonly string[], layers: (layers ?? []) as readonly string[] }
  })
}

/**
 * Makes a manifest for an image that `docker save` wrote without one. Always the same for the same archive, and for the same image
 * in another one: the config is taken as it is; a layer that is not compressed is the very thing that the config has the digest of,
 * which is verified when it is read; one that is compressed is hashed.
 *
 * @throws {@link RegistryError} `MANIFEST_INVALID`
 */
export async function readDockerImage(
  file: ArchiveFile,
  tar: TarIndex,
  { config, layers }: DockerItem,
  signal?: AbortSignal,
): Promise<DockerImage> {
  const place = tar.find(config)
  if (place === undefined) throw malformed(`manifest.json names a config ${config}, which is not in the archive`)
  if (place.size > MAX_CONFIG_BYTES) throw malformed(`the config ${config} has more than ${MAX_CONFIG_BYTES} bytes`)
  const configContent = await file.read(place.start, place.size)
  const diffIds = diffIdsOf(configContent, config)
  if (diffIds.length !== layers.length) {
    throw malformed(
      `manifest.json names ${layers.length} layers of an image, its config ${config} has ${diffIds.length}`,
    )
  }
  const blobs = new Map<Digest, TarFile>([[digestOf(configContent), place]])
  const descriptors: Descriptor[] = []
  for (const [index, diffId] of diffIds.entries()) {
    const path = layers[index] ?? ''
    const layer = tar.find(path)
    if (layer === undefined) throw malformed(`manifest.json names a layer ${path}, which is not in the archive`)
    const compression = compressionOf(await file.read(layer.start, Math.min(MAGIC_BYTES, layer.size)))
    const mediaType = LAYER_TYPES[compression]
    if (mediaType === undefined)
      throw malformed(`the layer ${path} is compressed with ${compression}, as no image may be`)
    const digest = compression === 'none' ? diffId : await hash(file, layer, signal)
    blobs.set(digest, layer)
    descriptors.push({ mediaType, digest, size: layer.size })
  }
  const content = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: { mediaType: MEDIA_TYPES.ociConfig, digest: digestOf(configContent), size: place.size },
      layers: descriptors,
    }),
  )
  const manifest = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(content), size: content.byteLength }
  return { manifest, content, blobs }
}

function diffIdsOf(content: Uint8Array, path: string): readonly Digest[] {
  const { rootfs } = parseObject(content, path)
  const ids: unknown = isJsonObject(rootfs) ? (rootfs.diff_ids ?? []) : undefined
  if (Array.isArray(ids) && ids.every((id) => typeof id === 'string' && isDigest(id))) return ids
  throw malformed(`${path} is no image's config: it has no rootfs.diff_ids, the digests of its layers`)
}

async function hash(file: ArchiveFile, { start, size }: TarFile, signal: AbortSignal | undefined): Promise<Digest> {
  const running = createHash('sha256')
  for (let done = 0; done < size; done += HASHED_BYTES) {
    signal?.throwIfAborted()
    running.update(await file.read(start + done, Math.min(HASHED_BYTES, size - done)))
  }
  return finishDigest('sha256', running)
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
