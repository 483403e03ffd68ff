import type { Grant } from '../auth/access.ts'

/**
 * Repository names that a grant lets its subject see, a page at a time: one question to the grant per page, and memory for
 * one.
 *
 * @param pageSize - names asked about at once, at least 1
 */
export async function* visibleTo(
  grant: Grant,
  names: AsyncIterable<string>,
  pageSize: number,
): AsyncGenerator<readonly string[]> {
  let page: string[] = []
  for await (const name of names) {
    page.push(name)
    if (page.length < pageSize) continue
    yield await visible(grant, page)
    page = []
  }
  if (page.length > 0) yield await visible(grant, page)
}

/** In the order of `names`, and only of them, whatever the grant answers. */
async function visible(grant: Grant, names: readonly string[]): Promise<readonly string[]> {
  if (grant.visible !== undefined) {
    const seen = new Set(await grant.visible(names))
    return names.filter((name) => seen.has(name))
  }
  const answers = await Promise.all(
    names.map(async (name) => grant.allows({ type: 'repository', name, action: 'pull' })),
  )
  return names.filter((_, i) => answers[i] === true)
}
