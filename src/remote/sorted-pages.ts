import type { ListOptions } from '../backend.ts'

/**
 * Names in byte order, each once, whatever order a registry lists them in. Pages are handed on as they come while they ascend, for a
 * caller who takes only so many; else all are read first.
 */
export async function* sortedPages(
  pages: AsyncIterable<readonly string[]>,
  { after, limit }: ListOptions,
): AsyncGenerator<string> {
  const names = new Set<string>()
  let last = after
  let ascending = true
  for await (const page of pages) {
    for (const name of page) {
      if (after !== undefined && name <= after) continue
      ascending &&= last === undefined || name >= last
      last = name
      names.add(name)
    }
    if (ascending && limit !== undefined && names.size >= limit) break
  }
  // Names are ASCII: code units are bytes.
  yield* ascending ? names : [...names].sort()
}
