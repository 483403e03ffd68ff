import type { OperationContext, Repository } from '../backend.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { parseTag } from '../spec/name.ts'

/** Puts what JSON makes of `manifest`, fields that are `undefined` left out. */
export async function putManifest(
  repository: Repository,
  manifest: { readonly mediaType: string; readonly [field: string]: unknown },
  tags: readonly string[],
  context: OperationContext,
): Promise<Descriptor> {
  const { mediaType } = manifest
  const content = Buffer.from(JSON.stringify({ schemaVersion: 2, ...manifest }))
  const { digest, size } = await repository.manifests.put(content, { ...context, mediaType, tags })
  return { mediaType, digest, size }
}

/** @throws `TypeError` for what is no list, `RegistryError` `MANIFEST_INVALID` for what is no tag */
export function checkTags(tags: readonly string[] = []): readonly string[] {
  if (!Array.isArray(tags)) throw new TypeError(`the option "tags" must be a list, ['v1', 'latest'] say`)
  return tags.map(parseTag)
}
