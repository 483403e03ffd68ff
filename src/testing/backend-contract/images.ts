import type { Repository } from '../../backend.ts'
import type { Descriptor } from '../../spec/descriptor.ts'
import { type Digest, digestOf } from '../../spec/digest.ts'
import { MEDIA_TYPES } from '../../spec/media-types.ts'
import { text } from '../driver-contract/context.ts'
import type { ContractContext } from './context.ts'

export function json(value: unknown): Uint8Array {
  return text(JSON.stringify(value))
}

export function describeContent(content: Uint8Array, mediaType: string = MEDIA_TYPES.octetStream): Descriptor {
  return { mediaType, digest: digestOf(content), size: content.byteLength }
}

export interface Pushed extends Descriptor {
  readonly content: Uint8Array
}

export interface PushOptions {
  readonly tags?: readonly string[]
  readonly fields?: ManifestFields
}

/** Further fields of a manifest, or others. */
type ManifestFields = Readonly<Record<string, unknown>> & { readonly mediaType?: string }

const CONFIG = json({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } })

/** Puts the blobs of an image that is told from others by `name`, and returns its manifest, which is not put. */
export async function imageOf({ blobs }: Repository, name: string, fields: ManifestFields = {}): Promise<Pushed> {
  const layer = text(`layer of ${name}`)
  await blobs.put(CONFIG)
  await blobs.put(layer)
  return manifest({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: describeContent(CONFIG, MEDIA_TYPES.ociConfig),
    layers: [describeContent(layer, 'application/vnd.oci.image.layer.v1.tar')],
    ...fields,
  })
}

/** The bytes of a manifest, described. */
export function manifest(value: ManifestFields & { readonly mediaType: string }): Pushed {
  const content = json(value)
  return { ...describeContent(content, value.mediaType), content }
}

/** Pushes an image that is told from others by `name`. */
export async function pushImage(
  context: Pick<ContractContext, 'has'>,
  repository: Repository,
  name: string,
  { tags = [], fields }: PushOptions = {},
): Promise<Pushed> {
  return push(context, repository, await imageOf(repository, name, fields), tags)
}

/** Puts a manifest; under a tag of its own where one without is none. */
export async function push(
  context: Pick<ContractContext, 'has'>,
  { manifests }: Repository,
  pushed: Pushed,
  tags: readonly string[] = [],
): Promise<Pushed> {
  const { content, mediaType, digest } = pushed
  const all = tags.length > 0 || context.has('untagged manifests') ? tags : [`kept-${digest.slice(-12)}`]
  await manifests.put(content, { mediaType, ...(all.length > 0 && { tags: all }) })
  return pushed
}

/** The digest of what nobody ever puts. */
export function unknownDigest(name: string = 'nothing'): Digest {
  return digestOf(text(`never put: ${name}`))
}

/** What a descriptor of a manifest that was got must say, and no more is asked of it. */
export function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size }
}
