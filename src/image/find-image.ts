import type { OperationContext, Repository } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor, Platform } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../spec/digest.ts'
import { type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { choosePlatform, formatPlatform } from '../spec/platform.ts'
import { defaultPlatform } from './default-platform.ts'

/** A manifest that was read, and is what its digest says. */
export interface ReadManifest {
  readonly descriptor: Descriptor
  /** Exact bytes. */
  readonly content: Uint8Array
  readonly manifest: ParsedManifest
}

export interface FoundImage {
  readonly image: ReadManifest
  readonly index?: ReadManifest
}

/** Indexes within one another that are followed. */
const MAX_DEPTH = 4
/** Media types of configs that say they are an image's. */
const CONFIG_TYPES: readonly string[] = [MEDIA_TYPES.ociConfig, 'application/vnd.docker.container.image.v1+json']

/**
 * The image of a reference, through as many indexes as it takes.
 *
 * @throws `RegistryError` `MANIFEST_UNKNOWN` when none is for the platform, `UNSUPPORTED` for what is no image
 */
export async function findImage(
  repository: Repository,
  reference: Digest | string,
  platform: Platform | undefined,
  context: OperationContext,
): Promise<FoundImage> {
  const wanted = platform ?? defaultPlatform()
  const first = await readManifest(repository, reference, context)
  let found = first
  for (let depth = 0; found.manifest.kind === 'index'; depth++) {
    if (depth === MAX_DEPTH)
      throw new RegistryError('UNSUPPORTED', { message: `more than ${MAX_DEPTH} indexes within one another` })
    found = await readManifest(repository, chooseChild(found.manifest, wanted).digest, context)
  }
  checkImage(found.manifest)
  return { image: found, ...(first !== found && { index: first }) }
}

/** @throws `RegistryError` `MANIFEST_UNKNOWN`, `MANIFEST_INVALID`, `DIGEST_INVALID` */
export async function readManifest(
  repository: Repository,
  reference: Digest | string,
  context: OperationContext,
): Promise<ReadManifest> {
  const { descriptor, content } = await repository.manifests.get(reference, context)
  // Whatever the backend has checked itself: a remote one may have been told anything.
  const expected = isDigest(reference) ? reference : descriptor.digest
  const received = digestOf(content, algorithmOf(expected))
  if (received !== expected) throw new RegistryError('DIGEST_INVALID', { detail: { expected, received } })
  return { descriptor, content, manifest: parseManifest(content, descriptor.mediaType) }
}

/** Platforms that an index has an image for, in its order; attestations and the like are not for any. */
export function platformsOfIndex({ manifests }: ParsedManifest): readonly Platform[] {
  return manifests.flatMap(({ platform }) => (platform === undefined || platform.os === 'unknown' ? [] : [platform]))
}

function chooseChild(index: ParsedManifest, wanted: Platform): Descriptor {
  const child =
    index.manifests[
      choosePlatform(
        index.manifests.map(({ platform }) => platform),
        wanted,
      )
    ]
  // An index of one, or of an index, need not say what for.
  const only =
    index.manifests.length === 1 && index.manifests[0]?.platform === undefined ? index.manifests[0] : undefined
  const found = child ?? only
  if (found !== undefined) return found
  const platforms = platformsOfIndex(index).map(formatPlatform).join(', ')
  throw new RegistryError('MANIFEST_UNKNOWN', {
    message: `there is no image for ${formatPlatform(wanted)}: there is ${platforms || 'none that says what for'}`,
  })
}

/** Whether it has a config that says so; an artifact is a manifest of the same kind. */
export function isImage({ kind, config }: ParsedManifest): boolean {
  return kind === 'image' && config !== undefined && CONFIG_TYPES.includes(config.mediaType)
}

function checkImage(manifest: ParsedManifest): void {
  if (isImage(manifest)) return
  const { kind, mediaType, config } = manifest
  const what =
    kind === 'image' ? `an artifact, its config of type ${config?.mediaType}` : `a manifest of type ${mediaType}`
  throw new RegistryError('UNSUPPORTED', { message: `not an image but ${what}` })
}
