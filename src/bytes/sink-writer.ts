import type { Writable } from 'node:stream'

/**
 * Writes to a sink that we do not own, one piece at a time, each until the sink has taken it. A sink that closes, and a
 * response whose socket is gone never calls back, ends the wait as well.
 */
export class SinkWriter {
  readonly #sink: Writable
  readonly #signal: AbortSignal | undefined
  #failed: { readonly reason: unknown } | undefined
  #reject: ((reason: unknown) => void) | undefined

  constructor(sink: Writable, signal: AbortSignal | undefined) {
    this.#sink = sink
    this.#signal = signal
    sink.on('close', this.#onClose).on('error', this.#fail)
    signal?.addEventListener('abort', this.#onAbort)
    if (signal?.aborted) this.#onAbort()
    else if (sink.destroyed) this.#onClose()
  }

  /** `bytes` must not change until the promise resolves; where it rejects, the sink may go on looking at them. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failed) {
        reject(this.#failed.reason)
        return
      }
      this.#reject = reject
      this.#sink.write(bytes, (error) => (error ? this.#fail(error) : resolve()))
    })
  }

  /** Leaves the sink alone from now on. */
  release(): void {
    this.#sink.off('close', this.#onClose).off('error', this.#fail)
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  readonly #fail = (reason: unknown): void => {
    this.#failed ??= { reason }
    this.#reject?.(this.#failed.reason)
  }

  readonly #onClose = (): void => this.#fail(this.#sink.errored ?? new Error('the sink closed before it had all bytes'))

  readonly #onAbort = (): void => this.#fail(this.#signal?.reason)
}
