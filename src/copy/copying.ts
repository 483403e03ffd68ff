import type { CopyProgress, CopyResult } from './progress.ts'
import { ProgressQueue } from './progress-queue.ts'

/**
 * A copy that goes on: await it for its result, and iterate over it for its progress, or leave one or both. Nobody has to read
 * for it to get on; who reads slowly misses events, the oldest first. Leaving the loop stops nothing: that is what `signal` is for.
 *
 * @example
 * const copying = copy(source, target)
 * for await (const { totals } of copying) console.log(totals.bytes.moved, 'of', totals.bytes.total)
 * const { images } = await copying
 */
export class Copying implements Promise<CopyResult>, AsyncIterable<CopyProgress> {
  readonly [Symbol.toStringTag]: string = 'Copying'
  readonly #result: Promise<CopyResult>
  readonly #queue = new ProgressQueue()

  /** @internal Made by `copy()`. */
  constructor(run: (tell: (event: CopyProgress) => void) => Promise<CopyResult>) {
    this.#result = run((event) => this.#queue.push(event))
    this.#result.then(
      () => this.#queue.end({}),
      (error: unknown) => this.#queue.end({ error }),
    )
  }

  // biome-ignore lint/suspicious/noThenProperty: to be awaited is what it is for
  then<T = CopyResult, E = never>(
    onDone?: ((result: CopyResult) => T | PromiseLike<T>) | null,
    onFailed?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    return this.#result.then(onDone, onFailed)
  }

  catch<E = never>(onFailed?: ((reason: unknown) => E | PromiseLike<E>) | null): Promise<CopyResult | E> {
    return this.#result.catch(onFailed)
  }

  finally(onOver?: (() => void) | null): Promise<CopyResult> {
    return this.#result.finally(onOver)
  }

  /** For one reader. @throws what the copy fails with, after what led to it */
  [Symbol.asyncIterator](): AsyncIterator<CopyProgress, void, undefined> {
    this.#result.catch(() => {}) // the loop throws it
    return this.#queue.read()
  }
}
