import type { ListOptions } from '../backend.ts'

/**
 * Names in byte order, each once, whatever order a registry lists them in: all pages are read, and held, before the first name is handed
 * on, for the last one may begin with it. With a `limit` no more are read than it takes, as long as they ascend.
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
