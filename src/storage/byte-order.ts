/** Names that fit in memory without a thought. */
const MAX_WINDOW = 10_000
/** Fewer at a time would only be more calls. */
const MIN_WINDOW = 100

/** How many names to put in order at a time for a caller who takes `limit` of them; without a limit, as many as fit. */
export function windowFor(limit: number | undefined): number {
  return Math.min(Math.max(limit ?? MAX_WINDOW, MIN_WINDOW), MAX_WINDOW)
}

/**
 * Turns names from the order of folders (`a-b/`, `a.b/`, `a/`, `a0/`) into byte order (`a`, `a-b`, `a.b`, `a0`), which the
 * API promises, in bounded memory: a block is sorted, and given before more is read.
 *
 * The orders differ only where a name is followed by a character that sorts before `/`: then the shorter name comes late. Of a
 * block, such a name can be missing only if it is the beginning of the block's last name: for those alone somebody is asked.
 *
 * @param names - in the order of `name + '/'`
 * @param exists - whether a name that has not come yet will come
 * @param window - how many names a block has
 */
export async function* inByteOrder(
  names: AsyncIterable<string>,
  exists: (name: string) => Promise<boolean>,
  window: number = MAX_WINDOW,
): AsyncGenerator<string> {
  const iterator = names[Symbol.asyncIterator]()
  // Names that were asked for, and whose place has not come: those that exist have been given already.
  let asked: ReadonlyMap<string, boolean> = new Map()
  try {
    for (;;) {
      const { block, isLast } = await readBlock(iterator, Math.max(window, 1))
      const given = block.filter((name) => !asked.get(name))
      const last = block.at(-1)
      if (isLast || last === undefined) {
        yield* given.sort(compareBytes)
        return
      }
      const known = asked
      const answers = await Promise.all(
        shorterBeyond(last).map(async (name) => [name, known.get(name) ?? (await exists(name))] as const),
      )
      for (const [name, found] of answers) if (found && !known.has(name)) given.push(name)
      asked = new Map(answers)
      yield* given.sort(compareBytes)
    }
  } finally {
    await iterator.return?.()
  }
}

async function readBlock(
  iterator: AsyncIterator<string>,
  window: number,
): Promise<{ readonly block: string[]; readonly isLast: boolean }> {
  const block: string[] = []
  while (block.length < window) {
    const next = await iterator.next()
    if (next.done) return { block, isLast: true }
    block.push(next.value)
  }
  return { block, isLast: false }
}

/** The beginnings of `last` whose place, as folders, is after that of `last`. */
function shorterBeyond(last: string): string[] {
  return Array.from({ length: Math.max(0, last.length - 1) }, (_, index) => index + 1)
    .filter((length) => last.charCodeAt(length) < 0x2f)
    .map((length) => last.slice(0, length))
}

/** Names and digests are ASCII, for which the order of UTF-16 code units is that of bytes. */
export function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
