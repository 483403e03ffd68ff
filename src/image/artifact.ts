import { checkBlobContent, checkOptions, kindOf } from '../arguments.ts'
import type { OperationContext, Repository } from '../backend.ts'
import type { ByteSource } from '../bytes.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { isMediaType, MEDIA_TYPES } from '../spec/media-types.ts'
import { checkTags, putManifest } from './put-manifest.ts'
import { checkTexts, sorted } from './run-options.ts'

/** One blob of an artifact. */
export interface ArtifactContent {
  /** Text, bytes, or a stream of any length. */
  readonly content: string | ByteSource
  /** Default: `application/octet-stream`. */
  readonly mediaType?: string
  /** What to call the file when it is pulled: the annotation `org.opencontainers.image.title`. */
  readonly title?: string
  readonly annotations?: Readonly<Record<string, string>>
}

export interface ArtifactOptions extends OperationContext {
  /** What it is: `application/vnd.example.sbom.v1`. May be left out where `config` has a media type that says so. */
  readonly artifactType?: string
  readonly layers?: readonly ArtifactContent[]
  /** Default: the two bytes `{}`, which say that there is none. */
  readonly config?: ArtifactContent
  /** What it is about, by its descriptor, or by a tag or digest of this repository: there it is found as a referrer. */
  readonly subject?: Descriptor | string
  readonly annotations?: Readonly<Record<string, string>>
  readonly tags?: readonly string[]
}

const TITLE = 'org.opencontainers.image.title'
const EMPTY: ArtifactContent = { content: '{}', mediaType: MEDIA_TYPES.ociEmpty }

/**
 * Pushes any bytes as an artifact, an image manifest that is no image.
 *
 * @returns the manifest's descriptor
 * @throws `TypeError` when nothing says what it is; `RegistryError` what the repository throws
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage
 */
export async function artifact(repository: Repository, options: ArtifactOptions): Promise<Descriptor> {
  checkOptions<ArtifactOptions>('artifact()', options, {
    artifactType: true,
    layers: true,
    config: true,
    subject: true,
    annotations: true,
    tags: true,
    signal: true,
    actor: true,
    requestId: false,
    request: false,
    namespace: false,
  })
  const { artifactType, layers = [], config = EMPTY, subject, annotations, tags, ...context } = options
  if (artifactType === undefined && (config.mediaType ?? MEDIA_TYPES.ociEmpty) === MEDIA_TYPES.ociEmpty) {
    throw new TypeError(
      'artifact() needs the option "artifactType", or a "config" with a media type that says what it is',
    )
  }
  if (artifactType !== undefined && !isMediaType(artifactType, { parameters: true })) {
    throw new TypeError(`the option "artifactType" must be a media type, not ${kindOf(artifactType)}`)
  }
  checkTexts('annotations', annotations)
  for (const content of [config, ...layers]) checkContent(content)
  const checkedTags = checkTags(tags)
  const about = await subjectOf(repository, subject, context)
  const pushed = []
  // A manifest ought to have a layer; the empty blob stands for none.
  for (const layer of layers.length > 0 ? layers : [EMPTY]) pushed.push(await pushContent(repository, layer, context))
  const manifest = {
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType,
    config: await pushContent(repository, config, context),
    layers: pushed,
    subject: about,
    ...(annotations && { annotations: sorted(annotations) }),
  }
  const descriptor = await putManifest(repository, manifest, checkedTags, context)
  return { ...descriptor, artifactType: artifactType ?? manifest.config.mediaType }
}

/** Without what belongs to where the descriptor was found. @throws `RegistryError` `MANIFEST_UNKNOWN` for a reference to nothing */
export async function subjectOf(
  repository: Repository,
  subject: Descriptor | string | undefined,
  context: OperationContext,
): Promise<Descriptor | undefined> {
  if (subject === undefined) return undefined
  const { mediaType, digest, size } =
    typeof subject === 'string' ? await repository.manifests.stat(subject, context) : subject
  return { mediaType, digest, size }
}

async function pushContent(
  repository: Repository,
  { content, mediaType = MEDIA_TYPES.octetStream, title, annotations }: ArtifactContent,
  context: OperationContext,
): Promise<Descriptor> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  const { digest, size } = await repository.blobs.put(bytes, context)
  const all = sorted({ ...annotations, ...(title !== undefined && { [TITLE]: title }) })
  return { mediaType, digest, size, ...(Object.keys(all).length > 0 && { annotations: all }) }
}

function checkContent({ content, mediaType, annotations }: ArtifactContent): void {
  if (typeof content !== 'string') checkBlobContent(content)
  if (mediaType !== undefined && !isMediaType(mediaType, { parameters: true })) {
    throw new TypeError(`the "mediaType" of a content must be a media type, not ${kindOf(mediaType)}`)
  }
  checkTexts('annotations', annotations)
}
