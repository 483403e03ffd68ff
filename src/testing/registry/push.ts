import { kindOf } from '../../arguments.ts'
import type { Backend, Repository } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import type { Descriptor } from '../../spec/descriptor.ts'
import { algorithmOf, type Digest, hexOf } from '../../spec/digest.ts'
import { parseRepositoryName, parseTag } from '../../spec/name.ts'
import { index, type SymbolicImage } from './image.ts'

/**
 * Pushes an image in code: its blobs, what an index lists, its manifest, and the tag that `reference` names, if any.
 *
 * @param reference - `team/app:v1`, or `team/app` for an image that is found by its digest
 * @returns the descriptor of the manifest
 * @throws {@link RegistryError} `NAME_INVALID`, `MANIFEST_INVALID` for a tag that is none
 */
export async function pushImage(backend: Backend, reference: string, image: SymbolicImage): Promise<Descriptor> {
  if (!('blobs' in Object(image))) {
    throw new TypeError(`push() takes an image, as image(), index() and artifact() make them, not ${kindOf(image)}`)
  }
  const { name, tag } = splitReference(reference)
  return push(backend.repository(name), image, tag)
}

/** The name and the tag of `team/app:v1`. Nothing is filled in: there is no default host, and no `latest`. */
export function splitReference(reference: string): { readonly name: string; readonly tag?: string } {
  const colon = reference.indexOf(':')
  if (colon < 0) return { name: parseRepositoryName(reference) }
  return { name: parseRepositoryName(reference.slice(0, colon)), tag: parseTag(reference.slice(colon + 1)) }
}

async function push(repository: Repository, image: SymbolicImage, tag?: string): Promise<Descriptor> {
  for (const [digest, content] of image.blobs) await repository.blobs.put(content, { digest })
  for (const each of image.images) await push(repository, each)
  const { mediaType } = image
  await repository.manifests.put(image.content, { mediaType, tags: tag === undefined ? [] : [tag] })
  return image.descriptor
}

/**
 * Adds an image to the index that lists what refers to its subject, as clients do of a registry that cannot list it itself.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
 */
export async function tagReferrer(backend: Backend, reference: string, image: SymbolicImage): Promise<void> {
  if (image.subject === undefined) return
  const { manifests } = backend.repository(splitReference(reference).name)
  const tag = referrersTag(image.subject.digest)
  const listed = await listedIn(manifests, tag)
  if (listed.some(({ digest }) => digest === image.digest)) return
  const { content, mediaType } = index([...listed.map(asImage), image])
  await manifests.put(content, { mediaType, tags: [tag] })
}

function referrersTag(digest: Digest): string {
  return `${algorithmOf(digest)}-${hexOf(digest).slice(0, 64)}`
}

async function listedIn(manifests: Repository['manifests'], tag: string): Promise<readonly Descriptor[]> {
  try {
    const { content } = await manifests.get(tag)
    // An index of ours, or of a client that follows the same scheme.
    const { manifests: listed } = JSON.parse(Buffer.from(content).toString()) as { readonly manifests: Descriptor[] }
    return listed
  } catch (error) {
    if (RegistryError.is(error, 'MANIFEST_UNKNOWN')) return []
    throw error
  }
}

/** Enough of an image to be listed. */
function asImage(descriptor: Descriptor): SymbolicImage {
  const { digest, mediaType } = descriptor
  return { digest, mediaType, descriptor, content: new Uint8Array(), layers: [], blobs: new Map(), images: [] }
}
