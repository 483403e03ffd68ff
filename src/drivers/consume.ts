import { Readable } from 'node:stream'
import { Pace } from '../bytes/pace.ts'
import type { ByteSource } from '../bytes.ts'

/** Takes a chunk, which is lent until the promise resolves, or, where there is none, for the call; then the next may come. */
type Accept = (chunk: Uint8Array) => Promise<void> | undefined

/**
 * Feeds a source to `accept`, chunk by chunk, and others have their turn in between. Resolves at its end; rejects with the
 * error of the source, of `accept`, or with the signal's reason, and calls `accept` no more from then on.
 *
 * A `Readable` is not destroyed when we are the ones who stop, only paused: it may be a request whose client has yet to be
 * told why, and `pipeline` would reset its connection. Whoever made it ends it.
 */
export function consume(source: ByteSource, accept: Accept, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.reject(signal.reason)
  if (source instanceof Uint8Array) return Promise.resolve(accept(source))
  return source instanceof Readable ? consumeReadable(source, accept, signal) : consumeIterable(source, accept, signal)
}

function consumeReadable(source: Readable, accept: Accept, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const pace = new Pace()
    let finished = false
    let taking: Promise<void> | undefined
    const finish = (error?: unknown): void => {
      if (finished) return
      finished = true
      source.off('data', onData).off('end', onEnd).off('close', onClose)
      signal?.removeEventListener('abort', onAbort)
      if (error === undefined) {
        source.off('error', finish)
        resolve()
        return
      }
      // The listener for errors stays, or a source that fails later, with nobody listening, would end the process.
      source.pause()
      reject(error)
    }
    const onData = (chunk: Uint8Array | string): void => {
      try {
        const ready = accept(typeof chunk === 'string' ? Buffer.from(chunk) : chunk) ?? pace.take(chunk.length)
        if (!ready) return
        source.pause()
        taking = ready
        ready.then(() => finished || source.resume(), finish)
      } catch (error) {
        finish(error)
      }
    }
    // A stream may end while it is paused, the last chunk still being taken.
    const onEnd = (): void => void Promise.resolve(taking).then(() => finish(), finish)
    const onClose = (): void => {
      if (!source.readableEnded) finish(source.errored ?? new Error('the source closed before its end'))
    }
    const onAbort = (): void => finish(signal?.reason)
    if (source.readableEnded) {
      resolve()
      return
    }
    if (source.destroyed) {
      onClose()
      return
    }
    source.on('error', finish).on('end', onEnd).on('close', onClose)
    signal?.addEventListener('abort', onAbort)
    source.on('data', onData)
    // Paused explicitly by whoever had it before, it would not flow by itself.
    source.resume()
  })
}

async function consumeIterable(
  source: AsyncIterable<Uint8Array>,
  accept: Accept,
  signal: AbortSignal | undefined,
): Promise<void> {
  const pace = new Pace()
  const iterator = source[Symbol.asyncIterator]()
  let interrupt: ((reason: unknown) => void) | undefined
  const onAbort = (): void => interrupt?.(signal?.reason)
  signal?.addEventListener('abort', onAbort)
  let done = false
  try {
    for (;;) {
      const step = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        interrupt = reject
        iterator.next().then(resolve, (error) => {
          done = true
          reject(error)
        })
      })
      done = step.done === true
      if (done) return
      const ready = accept(step.value) ?? pace.take(step.value.byteLength)
      if (ready) await ready
      signal?.throwIfAborted()
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    // Not waited for: a generator that hangs in its last step would hang us.
    if (!done) iterator.return?.().then(undefined, () => {})
  }
}
