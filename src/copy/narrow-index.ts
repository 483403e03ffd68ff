import type { Descriptor } from '../spec/descriptor.ts'
import type { Digest } from '../spec/digest.ts'
import { isJsonObject, type JsonObject } from '../spec/json-scan.ts'
import type { ManifestNode } from './manifest-walk.ts'

/**
 * The index with no other children than those that are copied, each as it is now; everything else in it as it was.
 *
 * @param renewed - descriptors of children that have changed themselves, by what they were
 * @returns `undefined` where nothing changes
 */
export function narrowIndex(
  { kept, children, content }: ManifestNode,
  renewed: ReadonlyMap<Digest, Descriptor>,
): Uint8Array | undefined {
  if (kept === undefined || children === undefined) return undefined
  if (kept.length === children.length && !kept.some(({ digest }) => renewed.has(digest))) return undefined
  const root: unknown = JSON.parse(Buffer.from(content).toString('utf8')) // once more: it was parsed, within the limits
  if (!isJsonObject(root) || !Array.isArray(root.manifests)) return undefined
  const isKept = new Set(kept)
  const manifests = root.manifests.flatMap((child: JsonObject, i) => {
    const descriptor = children[i]
    if (descriptor === undefined || !isKept.has(descriptor)) return []
    const now = renewed.get(descriptor.digest)
    return [now === undefined ? child : { ...child, digest: now.digest, size: now.size }]
  })
  return Buffer.from(JSON.stringify({ ...root, manifests }))
}
