import { StorageUnavailableError } from '../../storage/driver.ts'

/** Long enough for a part on a slow line, and not for ever. */
const ANSWER_MS = 60_000

/**
 * Runs a call to a store that must answer within a minute; a stream that it answers with may take longer.
 *
 * @param task - is handed a signal that aborts when `signal` does, and when the time is up
 * @throws `signal`'s reason, or {@link StorageUnavailableError}, whatever the aborted call itself rejects with
 */
export async function withDeadline<T>(
  signal: AbortSignal | undefined,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  const stop = () => controller.abort(signal?.reason)
  signal?.addEventListener('abort', stop, { once: true })
  const timer = setTimeout(
    () => controller.abort(new StorageUnavailableError(`the store has not answered for ${ANSWER_MS / 1000} seconds`)),
    ANSWER_MS,
  )
  try {
    return await task(controller.signal)
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}
