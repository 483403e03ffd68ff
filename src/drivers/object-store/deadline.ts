import { StorageUnavailableError } from '../../storage/driver.ts'

/** Long enough for a part on a slow line, and not for ever. */
const ANSWER_MS = 60_000

/**
 * Runs a call to a store that must answer within a minute; a stream that it answers with may take longer.
 *
 * @param task - is handed a signal that aborts when `signal` does, and when the time is up; it is not waited for then, for not
 * every SDK can be stopped
 * @throws `signal`'s reason, or {@link StorageUnavailableError}, whatever the aborted call itself rejects with
 */
export async function withDeadline<T>(
  signal: AbortSignal | undefined,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  let giveUp: (reason: unknown) => void = () => {}
  const givenUp = new Promise<never>((_, reject) => {
    giveUp = reject
  })
  const stop = (reason: unknown) => {
    controller.abort(reason)
    giveUp(reason)
  }
  const onAbort = () => stop(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const late = () => stop(new StorageUnavailableError(`the store has not answered for ${ANSWER_MS / 1000} seconds`))
  const timer = setTimeout(late, ANSWER_MS)
  try {
    return await Promise.race([task(controller.signal), givenUp])
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}
