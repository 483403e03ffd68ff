import type { Digest } from '../spec/digest.ts'

/**
 * Sorts into ranks, each of which depends on lower ones only. What a node depends on and `nodes` lack counts as done; no circle
 * can be among digests that were verified.
 */
export function rank<T extends { readonly after: ReadonlySet<Digest> }>(nodes: ReadonlyMap<Digest, T>): T[][] {
  const heights = new Map<Digest, number>()
  const heightOf = (digest: Digest, node: T): number => {
    const known = heights.get(digest)
    if (known !== undefined) return known
    heights.set(digest, 0)
    let height = 0
    for (const other of node.after) {
      const below = nodes.get(other)
      if (below !== undefined) height = Math.max(height, heightOf(other, below) + 1)
    }
    heights.set(digest, height)
    return height
  }
  const ranks: T[][] = []
  for (const [digest, node] of nodes) {
    const height = heightOf(digest, node)
    while (ranks.length <= height) ranks.push([])
    ranks[height]?.push(node)
  }
  return ranks
}
