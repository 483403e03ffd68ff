/**
 * What `primary` lists; where that fails before its first item, with an error that `isReason` accepts, what `fallback` lists. A listing
 * that fails later fails: half of it is no answer.
 */
export async function* listingWithFallback<T>(
  primary: AsyncIterable<T>,
  isReason: (error: unknown) => boolean,
  fallback: (error: unknown) => AsyncIterable<T>,
): AsyncGenerator<T> {
  let hasBegun = false
  try {
    for await (const item of primary) {
      hasBegun = true
      yield item
    }
    return
  } catch (error) {
    if (hasBegun || !isReason(error)) throw error
    yield* fallback(error)
  }
}

/** Both listings as one, in the order they have; of two items with one key, the second's. Keys are ASCII. */
export async function* mergeListings<T>(
  first: AsyncIterable<T>,
  second: AsyncIterable<T>,
  keyOf: (item: T) => string,
): AsyncGenerator<T> {
  const a = first[Symbol.asyncIterator]()
  const b = second[Symbol.asyncIterator]()
  try {
    let [nextA, nextB] = await Promise.all([a.next(), b.next()])
    while (!nextA.done || !nextB.done) {
      if (nextB.done || (!nextA.done && keyOf(nextA.value) < keyOf(nextB.value))) {
        if (!nextA.done) yield nextA.value
        nextA = await a.next()
        continue
      }
      if (!nextA.done && keyOf(nextA.value) === keyOf(nextB.value)) nextA = await a.next()
      yield nextB.value
      nextB = await b.next()
    }
  } finally {
    await Promise.allSettled([a.return?.(), b.return?.()])
  }
}
