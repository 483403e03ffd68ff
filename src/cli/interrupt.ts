import { CliError } from './cli-error.ts'

/** By convention, of a command that SIGINT ended. */
export const EXIT_INTERRUPTED = 130

/**
 * Runs `task` with a signal that aborts at SIGINT and SIGTERM, so that it can take back what it began; a second one ends the process
 * at once.
 *
 * @throws {@link CliError} when it was ended that way
 */
export async function untilInterrupted<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  const reason = new CliError('interrupted', EXIT_INTERRUPTED)
  const stop = () => {
    remove()
    abort.abort(reason)
  }
  const remove = () => void process.off('SIGINT', stop).off('SIGTERM', stop)
  process.on('SIGINT', stop).on('SIGTERM', stop)
  try {
    return await task(abort.signal)
  } catch (error) {
    throw abort.signal.aborted ? reason : error
  } finally {
    remove()
  }
}
