/**
 * Runs `task` for every item, up to `limit` at once, and waits for all that was begun, also when one fails.
 *
 * @throws what the first task to fail met with
 */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  task: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  let failed: { readonly error: unknown } | undefined
  const work = async () => {
    for (let index = next++; index < items.length && failed === undefined; index = next++) {
      try {
        await task(items[index] as T, index) // within bounds
      } catch (error) {
        failed ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work))
  if (failed) throw failed.error
}
