import { Readable } from 'node:stream'

/** Where the tests of uploads stage, and what lies beside it. */
export const KEY = 'docker/registry/v2/repositories/a/b/_uploads/0f2c/data'
export const FOLDER: string = KEY.slice(0, KEY.lastIndexOf('/'))
/** Where they publish. */
export const TARGET = 'docker/registry/v2/blobs/sha256/ab/abcd/data'

export function sourcesOf(content: Uint8Array): Record<string, () => AsyncIterable<Uint8Array> | Uint8Array> {
  return {
    bytes: () => content,
    iterable: () => pieces(content, 1000),
    readable: () => Readable.from(pieces(content, 65_536), { objectMode: false }),
    largePieces: () => pieces(content, 1_200_000),
    webStream: () => new Blob([Buffer.from(content)]).stream() as unknown as AsyncIterable<Uint8Array>,
  }
}

export async function* pieces(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.byteLength; at += size) yield content.subarray(at, at + size)
}

export interface FailingSource {
  readonly source: AsyncIterable<Uint8Array>
  readonly error: Error
  readonly signal?: AbortSignal
}

/** Sources that bring all of `content`, and then fail. */
export function failingSources(content: Uint8Array): Record<string, () => FailingSource> {
  const error = new Error('the source failed')
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield* pieces(content, 100_000)
    throw error
  }
  return {
    iterable: () => ({ source: failing(), error }),
    readable: () => ({ source: Readable.from(failing(), { objectMode: false }), error }),
    aborted: () => {
      const controller = new AbortController()
      async function* hanging(): AsyncGenerator<Uint8Array> {
        yield* pieces(content, 100_000)
        controller.abort(error)
        await new Promise(() => {})
      }
      return { source: hanging(), error, signal: controller.signal }
    },
    abortedReadable: () => {
      const controller = new AbortController()
      async function* hanging(): AsyncGenerator<Uint8Array> {
        yield* pieces(content, 100_000)
        controller.abort(error)
        await new Promise(() => {})
      }
      return { source: Readable.from(hanging(), { objectMode: false }), error, signal: controller.signal }
    },
  }
}
