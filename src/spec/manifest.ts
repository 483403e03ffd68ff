import { RegistryError } from '../errors.ts'
import {
  type Descriptor,
  invalid,
  readAnnotations,
  readArtifactType,
  readDescriptor,
  refuseCaseVariants,
} from './descriptor.ts'
import { DEFAULT_JSON_LIMITS, isJsonObject, type JsonLimits, type JsonObject, readJson } from './json-scan.ts'
import { knownKeys } from './known-keys.ts'
import { isActiveMediaType, isMediaType, MEDIA_TYPES } from './media-types.ts'

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

export interface ManifestLimits extends JsonLimits {
  /** Layers, or children of an index. */
  readonly maxDescriptors: number
}

/** @internal */
export const DEFAULT_MANIFEST_LIMITS: ManifestLimits = { ...DEFAULT_JSON_LIMITS, maxDescriptors: 10_000 }

const KINDS: ReadonlyMap<string, ManifestKind> = new Map([
  [MEDIA_TYPES.ociManifest, 'image'],
  [MEDIA_TYPES.dockerManifest, 'image'],
  [MEDIA_TYPES.ociIndex, 'index'],
  [MEDIA_TYPES.dockerList, 'index'],
])

const MANIFEST_KEYS = knownKeys(
  'schemaVersion',
  'mediaType',
  'artifactType',
  'config',
  'layers',
  'manifests',
  'subject',
  'annotations',
)

/**
 * Reads and checks a manifest of a given media type. Of a type we do not know nothing is required, not even that it is JSON,
 * except that a `mediaType` inside must not tell another one; such a manifest's references are what {@link scanDigests} finds.
 *
 * @param mediaType - of the `Content-Type` header, without parameters
 * @throws {@link RegistryError} `MANIFEST_INVALID`
 */
export function parseManifest(
  content: Uint8Array,
  mediaType: string,
  limits: ManifestLimits = DEFAULT_MANIFEST_LIMITS,
): ParsedManifest {
  const known = mediaType.toLowerCase() // media types have no case; the four that we know are written in lower case
  const kind = KINDS.get(known)
  if (kind === undefined) return parseOpaque(content, mediaType, limits)

  const reading = readJson(content, { limits, uniqueKeys: true })
  if (reading.problem !== undefined) throw invalid('', reading.problem, reading.cause)
  const root = reading.value
  if (!isJsonObject(root)) throw invalid('', 'expected a JSON object')
  refuseCaseVariants(root, MANIFEST_KEYS, '')
  if (root.schemaVersion !== 2) throw invalid('schemaVersion', 'expected 2')
  checkMediaType(root, known)

  const artifactType = readArtifactType(root.artifactType, 'artifactType')
  const annotations = readAnnotations(root.annotations, 'annotations')
  const subject = isAbsent(root.subject) ? undefined : readDescriptor(root.subject, 'subject')
  const common = { mediaType: known, ...(annotations && { annotations }), ...(subject && { subject }) }

  // One document must not be an image to one client and an index to another (CVE-2021-41190).
  if (kind === 'index') {
    if (!isAbsent(root.config) || !isAbsent(root.layers)) throw invalid('', 'an index has neither config nor layers')
    if (root.manifests === undefined) throw invalid('manifests', 'expected an array')
    const manifests = readDescriptors(root.manifests, 'manifests', limits)
    return { kind, ...common, ...(artifactType !== undefined && { artifactType }), layers: [], manifests }
  }
  if (!isAbsent(root.manifests)) throw invalid('', 'an image manifest has no manifests')
  const config = readDescriptor(root.config, 'config')
  const layers = readDescriptors(root.layers, 'layers', limits)
  return { kind, ...common, artifactType: artifactType ?? config.mediaType, config, layers, manifests: [] }
}

/** The `mediaType` field of the bytes, where they have one that is a media type. */
export function declaredMediaType(content: Uint8Array): string | undefined {
  const reading = readJson(content)
  if (reading.problem !== undefined || !isJsonObject(reading.value)) return undefined
  const { mediaType } = reading.value
  return typeof mediaType === 'string' && isMediaType(mediaType) ? mediaType : undefined
}

/**
 * The media type that the bytes tell by themselves, as Distribution would find it: the `mediaType` field, else by shape;
 * `undefined` where they do not.
 */
export function detectMediaType(content: Uint8Array): string | undefined {
  const reading = readJson(content)
  if (reading.problem !== undefined || !isJsonObject(reading.value)) return undefined
  const { value } = reading
  if (!isAbsent(value.mediaType) && value.mediaType !== '') {
    return typeof value.mediaType === 'string' && isMediaType(value.mediaType) ? value.mediaType : undefined
  }
  if (value.schemaVersion !== 2) return undefined
  if (Array.isArray(value.manifests)) return MEDIA_TYPES.ociIndex
  return isJsonObject(value.config) || Array.isArray(value.layers) ? MEDIA_TYPES.ociManifest : undefined
}

function parseOpaque(content: Uint8Array, mediaType: string, limits: ManifestLimits): ParsedManifest {
  if (!isMediaType(mediaType)) throw invalid('', 'the content type is not a media type')
  if (isActiveMediaType(mediaType)) throw invalid('', `a manifest cannot be of type ${mediaType}`)
  const parsed: ParsedManifest = { kind: 'opaque', mediaType, layers: [], manifests: [] }
  const reading = readJson(content, { limits })
  if (reading.problem !== undefined || !isJsonObject(reading.value)) return parsed
  const root = reading.value
  // Served by what is inside once nothing else is known of it, it would be an image that nobody checked.
  if (!isAbsent(root.mediaType) && root.mediaType !== '') checkMediaType(root, mediaType)
  const subject = attempt(() => readDescriptor(root.subject, 'subject'))
  // Which of two subjects counts, readers disagree on.
  if (subject === undefined || readJson(content, { limits, uniqueKeys: true }).problem !== undefined) return parsed
  const artifactType = attempt(() => readArtifactType(root.artifactType, 'artifactType'))
  const annotations = attempt(() => readAnnotations(root.annotations, 'annotations'))
  return {
    ...parsed,
    subject,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations && { annotations }),
  }
}

/** The field may be missing in what OCI defines; Docker's types need it, to Distribution as well. */
function checkMediaType(root: JsonObject, expected: string): void {
  const { mediaType } = root
  const optional = expected === MEDIA_TYPES.ociManifest || expected === MEDIA_TYPES.ociIndex
  if (mediaType === expected || (optional && (isAbsent(mediaType) || mediaType === ''))) return
  if (typeof mediaType === 'string' && !KINDS.has(expected) && mediaType.toLowerCase() === expected.toLowerCase())
    return
  throw invalid('mediaType', `expected ${expected}, as the content type says`)
}

function readDescriptors(value: unknown, at: string, limits: ManifestLimits): readonly Descriptor[] {
  if (isAbsent(value)) return []
  if (!Array.isArray(value)) throw invalid(at, 'expected an array')
  if (value.length > limits.maxDescriptors) throw invalid(at, `more than ${limits.maxDescriptors} descriptors`)
  return value.map((item, index) => readDescriptor(item, `${at}[${index}]`))
}

/** JSON's `null` is Go's nil: an absent field, also where an encoder wrote it out. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}

/** `undefined` for what is malformed. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (RegistryError.is(error, 'MANIFEST_INVALID')) return undefined
    throw error
  }
}
