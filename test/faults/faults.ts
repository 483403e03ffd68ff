import { Readable } from 'node:stream'
import { type ByteBody, streamBody } from '../../src/bytes.ts'
import { type DriverUpload, StorageUnavailableError } from '../../src/storage/driver.ts'

/** What goes wrong with one call. */
export const FAULTS = ['error', 'throttled', 'lost', 'half', 'hang'] as const
export type Fault = (typeof FAULTS)[number]

/** Counts the calls to a store, and spoils one of them. */
export class Saboteur {
  readonly #at: number
  readonly #fault: Fault
  /** Called when a call hangs: nothing but the client's leaving ends it. */
  readonly #onHang: () => void
  calls = 0
  struck: string | undefined

  constructor(at: number, fault: Fault, onHang: () => void) {
    this.#at = at
    this.#fault = fault
    this.#onHang = onHang
  }

  /** A stand-in for an object, its methods under sabotage; what they return is, too, where it is an upload. */
  wrap<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (object, name) => {
        const member: unknown = Reflect.get(object, name, object)
        if (typeof member !== 'function') return member
        if (name === Symbol.asyncDispose || name === 'close' || name === 'conditionalPuts') return member.bind(object)
        if (name === 'list' || name === 'pages') {
          return (...args: unknown[]) => this.#pages(String(name), () => member.apply(object, args))
        }
        return (...args: unknown[]) => this.#call(String(name), args, (...changed) => member.apply(object, changed))
      },
    })
  }

  async #call(name: string, args: unknown[], call: (...args: unknown[]) => unknown): Promise<unknown> {
    if (++this.calls !== this.#at) return this.#wrapped(await call(...args))
    this.struck = `${name} (${this.#fault})`
    switch (this.#fault) {
      case 'error':
        throw new StorageUnavailableError('injected')
      case 'throttled':
        throw new StorageUnavailableError('injected', { retryAfterSeconds: 7 })
      case 'lost':
        await release(await call(...args))
        throw new StorageUnavailableError('injected, after the effect')
      case 'half':
        return this.#half(name, args, call)
      case 'hang':
        this.#onHang()
        return new Promise((_, reject) => {
          const { signal } = (args.find(hasSignal) ?? {}) as { signal?: AbortSignal }
          // A call without a signal ends as a time-out would end it.
          if (signal === undefined || signal.aborted) reject(new StorageUnavailableError('timed out'))
          signal?.addEventListener('abort', () => reject(signal.reason))
        })
    }
  }

  async #half(name: string, args: unknown[], call: (...args: unknown[]) => unknown): Promise<unknown> {
    if (name === 'append') {
      const [content, ...rest] = args
      await call(firstHalf(content as AsyncIterable<Uint8Array>), ...rest)
    }
    if (name === 'read' || name === 'open') {
      const found = await call(...args)
      if (found instanceof Object && 'body' in found) return { ...found, body: breaking(found.body as ByteBody) }
      if (found instanceof Object && 'stream' in found) {
        return { ...found, stream: broken(found.stream as Readable) }
      }
    }
    throw new StorageUnavailableError('injected, half-way')
  }

  async *#pages(name: string, list: () => AsyncIterable<unknown>): AsyncGenerator<unknown> {
    if (++this.calls === this.#at) {
      this.struck = `${name} (${this.#fault})`
      throw new StorageUnavailableError('injected', this.#fault === 'throttled' ? { retryAfterSeconds: 7 } : {})
    }
    yield* list()
  }

  #wrapped(result: unknown): unknown {
    return isUpload(result) ? this.wrap(result) : result
  }
}

function isUpload(result: unknown): result is DriverUpload {
  return result instanceof Object && 'append' in result && 'commit' in result
}

function hasSignal(arg: unknown): boolean {
  return arg instanceof Object && 'signal' in arg
}

async function release(result: unknown): Promise<void> {
  if (!(result instanceof Object)) return
  if ('body' in result) await (result.body as ByteBody)[Symbol.asyncDispose]()
  if ('stream' in result) (result.stream as Readable).destroy()
}

async function* firstHalf(content: AsyncIterable<Uint8Array> | Uint8Array): AsyncGenerator<Uint8Array> {
  const chunks = content instanceof Uint8Array ? [content] : content
  for await (const chunk of chunks) {
    yield chunk.subarray(0, Math.ceil(chunk.length / 2))
    return
  }
}

function breaking(body: ByteBody): ByteBody {
  return streamBody(broken(body.stream()), body.size)
}

function broken(stream: Readable): Readable {
  async function* half(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        yield chunk.subarray(0, Math.floor(chunk.length / 2))
        throw new Error('injected: the connection broke')
      }
    } finally {
      stream.destroy()
    }
  }
  return Readable.from(half(), { objectMode: false })
}
