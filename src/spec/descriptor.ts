import { RegistryError } from '../errors.ts'
import { type Digest, isDigest } from './digest.ts'
import { isJsonObject, type JsonObject } from './json-scan.ts'
import { findCaseVariant, knownKeys } from './known-keys.ts'
import { isMediaType } from './media-types.ts'

/**
 * Wire form of OCI `v1.Descriptor`.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
 */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly urls?: readonly string[]
  readonly platform?: Platform
}

/** @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md */
export interface Platform {
  readonly architecture: string
  readonly os: string
  readonly variant?: string
}

const DESCRIPTOR_KEYS = knownKeys(
  'mediaType',
  'digest',
  'size',
  'urls',
  'annotations',
  'data',
  'artifactType',
  'platform',
)
const PLATFORM_KEYS = knownKeys('architecture', 'os', 'os.version', 'os.features', 'variant', 'features')

/**
 * Reads a descriptor out of parsed JSON. `null` counts as absent, as it does to Go; fields that we do not know are let be.
 *
 * @param at - where it was found, for the message: `layers[3]`
 * @throws {@link RegistryError} `MANIFEST_INVALID`
 */
export function readDescriptor(value: unknown, at: string): Descriptor {
  if (!isJsonObject(value)) throw invalid(at, 'not a descriptor: expected an object')
  refuseCaseVariants(value, DESCRIPTOR_KEYS, at)
  const { mediaType, digest, size, urls, data, artifactType, platform } = value
  if (typeof mediaType !== 'string' || !isMediaType(mediaType, { parameters: true })) {
    throw invalid(`${at}.mediaType`, 'expected a media type')
  }
  if (typeof digest !== 'string' || !isDigest(digest)) {
    throw invalid(`${at}.digest`, 'expected sha256:<64 hex digits> or sha512:<128 hex digits>, in lower case')
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(`${at}.size`, 'expected a number of bytes')
  }
  if (data !== undefined && data !== null && typeof data !== 'string') throw invalid(`${at}.data`, 'expected a string')
  const type = readArtifactType(artifactType, `${at}.artifactType`)
  const annotations = readAnnotations(value.annotations, `${at}.annotations`)
  return {
    mediaType,
    digest,
    size,
    ...(type !== undefined && { artifactType: type }),
    ...(annotations && { annotations }),
    ...(urls !== undefined && urls !== null && { urls: readUrls(urls, `${at}.urls`) }),
    ...(platform !== undefined && platform !== null && { platform: readPlatform(platform, `${at}.platform`) }),
  }
}

/** Of a manifest or descriptor; the empty string counts as absent. @throws {@link RegistryError} `MANIFEST_INVALID` */
export function readArtifactType(value: unknown, at: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string' && isMediaType(value, { parameters: true })) return value
  throw invalid(at, 'expected a media type')
}

/** @throws {@link RegistryError} `MANIFEST_INVALID` unless strings map to strings */
export function readAnnotations(value: unknown, at: string): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined
  if (isStringMap(value)) return value
  throw invalid(at, 'expected an object of strings')
}

/** @throws {@link RegistryError} `MANIFEST_INVALID` */
export function refuseCaseVariants(object: JsonObject, known: ReturnType<typeof knownKeys>, at: string): void {
  const variant = findCaseVariant(object, known)
  if (variant === undefined) return
  throw invalid(at, `the key ${JSON.stringify(variant)} is a known one in another case, which clients read differently`)
}

/** `at` may be empty: the manifest as a whole. */
export function invalid(at: string, reason: string, cause?: unknown): RegistryError {
  return new RegistryError('MANIFEST_INVALID', {
    message: at === '' ? reason : `${at}: ${reason}`,
    ...(at !== '' && { detail: { at } }),
    cause,
  })
}

function readUrls(value: unknown, at: string): readonly string[] {
  if (Array.isArray(value) && value.every((url) => typeof url === 'string')) return value
  throw invalid(at, 'expected an array of strings')
}

/** What Go writes for an unset field is the empty string, so a missing one is read as that. */
function readPlatform(value: unknown, at: string): Platform {
  if (!isJsonObject(value)) throw invalid(at, 'expected an object')
  refuseCaseVariants(value, PLATFORM_KEYS, at)
  const { architecture = '', os = '', variant } = value
  if (typeof architecture !== 'string' || typeof os !== 'string') {
    throw invalid(at, 'expected architecture and os to be strings')
  }
  if (variant === undefined || variant === null) return { architecture, os }
  if (typeof variant !== 'string') throw invalid(`${at}.variant`, 'expected a string')
  return { architecture, os, variant }
}

function isStringMap(value: unknown): value is Readonly<Record<string, string>> {
  return isJsonObject(value) && Object.values(value).every((item) => typeof item === 'string')
}
