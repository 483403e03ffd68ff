import type { Descriptor, Platform } from '../spec/descriptor.ts'
import { type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { blobPath } from './directory-files.ts'
import type { IndexEntry } from './layout-index.ts'
import type { ManifestGraph } from './manifest-graph.ts'
import type { RepositoryNames } from './names.ts'

/** What a config must be for Docker to take its manifest for an image. */
const CONFIG_TYPES: readonly string[] = [MEDIA_TYPES.ociConfig, 'application/vnd.docker.container.image.v1+json']
const INDEX_TYPES: readonly string[] = [MEDIA_TYPES.ociIndex, MEDIA_TYPES.dockerList]

/** As `docker save` writes it since Docker 25: paths are those of the layout in the same archive. */
interface WrittenItem {
  readonly Config: string
  readonly RepoTags: readonly string[] | null
  readonly Layers: readonly string[]
}

/**
 * The `manifest.json` for a layout. It knows no images of several platforms: of each the one for `platform` is named, or, where there is
 * none, the first. What is no image, a signature for instance, is in the layout alone.
 */
export async function formatDockerItems(
  entries: readonly IndexEntry[],
  { graph, names, platform }: { graph: ManifestGraph; names: RepositoryNames; platform: Platform },
): Promise<Uint8Array> {
  const items = new Map<string, { readonly image: ParsedManifest; readonly tags: string[] }>()
  for (const { descriptor, repository, tag } of entries) {
    const found = await imageOf(descriptor, graph, platform)
    if (found === undefined) continue
    const item = items.get(found.digest) ?? { image: found.image, tags: [] }
    items.set(found.digest, item)
    if (tag !== undefined) item.tags.push(`${names.familiar(repository)}:${tag}`)
  }
  const written = Array.from(
    items.values(),
    ({ image, tags }): WrittenItem => ({
      Config: image.config === undefined ? '' : blobPath(image.config.digest),
      RepoTags: tags.length === 0 ? null : tags,
      Layers: image.layers.map(({ digest }) => blobPath(digest)),
    }),
  )
  return Buffer.from(JSON.stringify(written))
}

async function imageOf(
  descriptor: Descriptor,
  graph: ManifestGraph,
  platform: Platform,
): Promise<{ readonly digest: string; readonly image: ParsedManifest } | undefined> {
  const content = await graph.content(descriptor.digest)
  if (content === undefined) return undefined
  const manifest = attempt(content, descriptor.mediaType)
  if (manifest === undefined) return undefined
  if (manifest.kind === 'image') {
    const isImage = manifest.subject === undefined && CONFIG_TYPES.includes(manifest.config?.mediaType ?? '')
    return isImage ? { digest: descriptor.digest, image: manifest } : undefined
  }
  const children = manifest.manifests.filter(({ mediaType }) => !INDEX_TYPES.includes(mediaType))
  const fits = (one: Descriptor) =>
    one.platform?.os === platform.os &&
    one.platform.architecture === platform.architecture &&
    (platform.variant === undefined || one.platform.variant === platform.variant)
  // Attestations stand beside the images, for no platform.
  const others = children.filter((one) => !fits(one) && one.platform?.os !== 'unknown')
  for (const child of [...children.filter(fits), ...others]) {
    const image = await imageOf(child, graph, platform)
    if (image !== undefined) return image
  }
  return undefined
}

function attempt(content: Uint8Array, mediaType: string): ParsedManifest | undefined {
  try {
    return parseManifest(content, mediaType)
  } catch {
    return undefined
  }
}
