import type { Grant } from '../auth/access.ts'

/**
 * Repository names that a grant lets its subject see in the catalog, a page at a time: one question to the grant per page, and memory for
 * one.
 *
 * @param pageSize - names asked about at once, at least 1
 */
export function visibleTo(
  grant: Grant,
  names: AsyncIterable<string>,
  pageSize: number,
): AsyncGenerator<readonly string[]> {
  return filtered(names, pageSize, (page) => visible(grant, page))
}

/** Those that may be pulled from: to see that a repository is there is not to see what is in it. */
export function pullableBy(
  grant: Grant,
  names: AsyncIterable<string>,
  pageSize: number,
): AsyncGenerator<readonly string[]> {
  return filtered(names, pageSize, (page) => pullable(grant, page))
}

async function* filtered(
  names: AsyncIterable<string>,
  pageSize: number,
  filter: (page: readonly string[]) => Promise<readonly string[]>,
): AsyncGenerator<readonly string[]> {
  let page: string[] = []
  for await (const name of names) {
    page.push(name)
    if (page.length < pageSize) continue
    yield await filter(page)
    page = []
  }
  if (page.length > 0) yield await filter(page)
}

/** In the order of `names`, and only of them, whatever the grant answers. */
async function visible(grant: Grant, names: readonly string[]): Promise<readonly string[]> {
  if (grant.visible === undefined) return pullable(grant, names)
  const seen = new Set(await grant.visible(names))
  return names.filter((name) => seen.has(name))
}

async function pullable(grant: Grant, names: readonly string[]): Promise<readonly string[]> {
  const answers = await Promise.all(
    names.map(async (name) => grant.allows({ type: 'repository', name, action: 'pull' })),
  )
  return names.filter((_, i) => answers[i] === true)
}
