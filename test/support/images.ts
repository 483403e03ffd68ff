import type { Repository } from '../../src/backend.ts'
import type { Descriptor } from '../../src/spec/descriptor.ts'
import { type Digest, digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'

export function bytes(text: string): Uint8Array {
  return Buffer.from(text)
}

export function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

export function descriptorOf(content: Uint8Array, mediaType: string = MEDIA_TYPES.octetStream): Descriptor {
  return { mediaType, digest: digestOf(content), size: content.byteLength }
}

export interface PushedImage {
  readonly digest: Digest
  readonly content: Uint8Array
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

export interface ImageOptions {
  readonly tags?: readonly string[]
  readonly subject?: Descriptor
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** Pushes an image made of symbolic layers through the contracts. */
export async function pushImage(
  repository: Repository,
  layers: readonly string[],
  { tags = [], ...fields }: ImageOptions = {},
): Promise<PushedImage> {
  const config = { ...(await repository.blobs.put(json({ layers }))), mediaType: MEDIA_TYPES.ociConfig }
  const pushed = []
  for (const layer of layers) pushed.push(await repository.blobs.put(bytes(layer)))
  const content = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: pushed, ...fields })
  const { digest } = await repository.manifests.put(content, { mediaType: MEDIA_TYPES.ociManifest, tags })
  return { digest, content, config, layers: pushed }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

export async function readBlob(repository: Repository, digest: Digest): Promise<string> {
  await using body = (await repository.blobs.open(digest)).body
  return Buffer.concat(await collect<Buffer>(body.stream())).toString()
}
