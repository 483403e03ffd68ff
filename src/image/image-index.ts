import { checkOptions } from '../arguments.ts'
import type { OperationContext, Repository } from '../backend.ts'
import type { Descriptor, Platform } from '../spec/descriptor.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { subjectOf } from './artifact.ts'
import { readChecked } from './checked-blob.ts'
import { MAX_CONFIG_BYTES, parseImageConfig, platformOf } from './config.ts'
import { isImage, readManifest } from './find-image.ts'
import { checkTags, putManifest } from './put-manifest.ts'
import { checkTexts, sorted } from './run-options.ts'

export interface IndexOptions extends OperationContext {
  /**
   * What it lists, in this order: descriptors, as `push()` and `artifact()` give them, or tags and digests of this repository. Platforms
   * that are not told are read from the images' configs.
   */
  readonly manifests: readonly (Descriptor | string)[]
  readonly artifactType?: string
  /** What it is about, by its descriptor, or by a tag or digest of this repository. */
  readonly subject?: Descriptor | string
  readonly annotations?: Readonly<Record<string, string>>
  readonly tags?: readonly string[]
}

/**
 * Pushes an index of what is in the repository: one image for several platforms, say.
 *
 * @returns its descriptor
 * @throws `RegistryError` `MANIFEST_UNKNOWN`, `MANIFEST_BLOB_UNKNOWN` for what is not there
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
 */
export async function index(repository: Repository, options: IndexOptions): Promise<Descriptor> {
  checkOptions<IndexOptions>('index()', options, {
    manifests: true,
    artifactType: true,
    subject: true,
    annotations: true,
    tags: true,
    signal: true,
    actor: true,
    requestId: false,
    request: false,
    namespace: false,
  })
  const { manifests, artifactType, subject, annotations, tags, ...context } = options
  if (!Array.isArray(manifests))
    throw new TypeError('index() needs the option "manifests", a list of descriptors, tags or digests')
  checkTexts('annotations', annotations)
  const checkedTags = checkTags(tags)
  const children = []
  for (const manifest of manifests) children.push(await childOf(repository, manifest, context))
  const content = {
    mediaType: MEDIA_TYPES.ociIndex,
    artifactType,
    manifests: children,
    subject: await subjectOf(repository, subject, context),
    ...(annotations && { annotations: sorted(annotations) }),
  }
  const descriptor = await putManifest(repository, content, checkedTags, context)
  return { ...descriptor, ...(artifactType !== undefined && { artifactType }) }
}

async function childOf(
  repository: Repository,
  manifest: Descriptor | string,
  context: OperationContext,
): Promise<Descriptor> {
  if (typeof manifest !== 'string' && manifest.platform !== undefined) return manifest
  const found = await readManifest(repository, typeof manifest === 'string' ? manifest : manifest.digest, context)
  const { mediaType, digest, size } = found.descriptor
  const { kind, artifactType, config } = found.manifest
  const isArtifact = kind === 'image' && !isImage(found.manifest)
  const platform: Platform | undefined =
    config !== undefined && !isArtifact
      ? platformOf(parseImageConfig(await readChecked(repository, config, MAX_CONFIG_BYTES, context)))
      : undefined
  return {
    mediaType,
    digest,
    size,
    ...(isArtifact && artifactType !== undefined && { artifactType }),
    ...(platform && { platform }),
    ...(typeof manifest !== 'string' && manifest),
  }
}
