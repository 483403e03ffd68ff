/** Names that fit in memory without a thought; longer listings are put in order as they stream. */
const SORTED_AT_ONCE = 10_000

/**
 * Turns names from the order of folders (`a-b/`, `a.b/`, `a/`, `a0/`) into byte order (`a`, `a-b`, `a.b`, `a0`), which the
 * API promises. They differ only where a name is followed by a character that sorts before `/`: then the shorter name comes
 * late. A long listing asks for it when the first longer one passes by, so memory stays bounded.
 *
 * @param names - in the order of `name + '/'`
 * @param exists - whether a name that has not come yet will come
 * @param window - how many names are sorted in memory before `exists` is asked at all
 */
export async function* inByteOrder(
  names: AsyncIterable<string>,
  exists: (name: string) => Promise<boolean>,
  window: number = SORTED_AT_ONCE,
): AsyncGenerator<string> {
  const first: string[] = []
  const iterator = names[Symbol.asyncIterator]()
  try {
    while (first.length < window) {
      const next = await iterator.next()
      if (next.done) {
        yield* first.sort(compareBytes)
        return
      }
      first.push(next.value)
    }
    yield* reorder(concat(first, iterator), exists)
  } finally {
    await iterator.return?.()
  }
}

async function* reorder(
  names: AsyncIterable<string>,
  exists: (name: string) => Promise<boolean>,
): AsyncGenerator<string> {
  // Prefixes of the latest name that were asked for; each is emitted before the first name that it begins.
  let asked: { readonly name: string; readonly found: boolean }[] = []
  for await (const name of names) {
    if (asked.some((one) => one.found && one.name === name)) continue
    asked = asked.filter((one) => name.startsWith(one.name))
    for (let i = 1; i < name.length; i++) {
      if (name.charCodeAt(i) >= 0x2f) continue
      const prefix = name.slice(0, i)
      if (asked.some((one) => one.name === prefix)) continue
      const found = await exists(prefix)
      asked.push({ name: prefix, found })
      if (found) yield prefix
    }
    yield name
  }
}

async function* concat(first: readonly string[], rest: AsyncIterator<string>): AsyncGenerator<string> {
  yield* first
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
}

/** Names and digests are ASCII, for which the order of UTF-16 code units is that of bytes. */
export function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
