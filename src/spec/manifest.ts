import type { Descriptor } from './descriptor.ts'

/** What we know of a manifest's shape: an image (or artifact), an index (or Docker list), or something stored as it is. */
export type ManifestKind = 'image' | 'index' | 'opaque'

/** A manifest's bytes, understood as far as a registry needs to; the bytes themselves stay sacred. */
export interface ParsedManifest {
  readonly kind: ManifestKind
  readonly mediaType: string
  /** As the referrers API lists it: the manifest's own, else an image's config media type. */
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly config?: Descriptor
  readonly layers: readonly Descriptor[]
  /** Children of an index: manifests, or blobs (BuildKit's registry cache lists layers there). */
  readonly manifests: readonly Descriptor[]
  readonly subject?: Descriptor
}

/**
 * Reads and checks a manifest of a given media type.
 *
 * @param mediaType - of the `Content-Type` header, without parameters
 * @throws {@link RegistryError} `MANIFEST_INVALID`
 */
export function parseManifest(content: Uint8Array, mediaType: string): ParsedManifest {
  throw new Error(`not written yet: ${content.byteLength} ${mediaType}`)
}

/**
 * The media type that the bytes tell by themselves, as Distribution would find it: the `mediaType` field, else by shape;
 * `undefined` where they do not.
 */
export function detectMediaType(content: Uint8Array): string | undefined {
  throw new Error(`not written yet: ${content.byteLength}`)
}
