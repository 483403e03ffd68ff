import { PassThrough, type Readable } from 'node:stream'
import type { Backend, BlobReader, Manifest, Repository } from '../../../src/backend.ts'
import { streamBody } from '../../../src/bytes.ts'
import type { PullThroughEvent } from '../../../src/decorators/pull-through/stats.ts'
import type { Upstream } from '../../../src/decorators/pull-through/upstream.ts'
import { type PullThrough, type PullThroughOptions, pullThrough } from '../../../src/decorators/pull-through.ts'
import { memory } from '../../../src/drivers/memory.ts'
import { RegistryError } from '../../../src/errors.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { bytes } from '../../support/images.ts'

/** A registry in memory as others see it: what they ask is written down, and can be made to fail or to wait. */
export class UpstreamDouble {
  readonly registry: Registry = new Registry({ storage: memory(), logger: silentLogger })
  /** Every question, as `blobs.open team/app sha256:…`. */
  readonly asked: string[] = []
  /** What every question fails with. */
  failure: Error | undefined
  /** What every question waits for. */
  gate: Promise<unknown> | undefined
  /** Called after every question but listings, before its answer arrives. */
  onAnswer: ((question: string) => Promise<void>) | undefined
  /** What is sent in place of a blob. */
  body: ((reader: BlobReader) => Readable) | undefined
  /** Every blob, whatever its digest. */
  blob: { readonly size: number; readonly open: () => Readable } | undefined
  /** What is sent in place of a manifest's bytes. */
  manifest: Uint8Array | undefined
  readonly backend: Backend = {
    repository: (name) => this.#observed(this.registry.repository(name)),
    repositories: (options) => this.registry.repositories(options),
  }

  /** Questions of one kind: `manifests.stat`. */
  count(operation: string): number {
    return this.asked.filter((one) => one.startsWith(`${operation} `)).length
  }

  #observed(repository: Repository): Repository {
    const observe = <T extends object>(store: T, name: string): T =>
      new Proxy(store, {
        get: (target, key) => {
          const value: unknown = Reflect.get(target, key, target)
          if (typeof value !== 'function' || typeof key === 'symbol') return value
          return (...args: unknown[]): unknown => {
            const question = `${name}.${key} ${repository.name} ${String(args[0])}`
            this.asked.push(question)
            const isListing = key === 'list' || key === 'referrers'
            const call = () => value.apply(target, args) as unknown
            return isListing ? this.#list(call as () => AsyncIterable<unknown>) : this.#answer(call, args, question)
          }
        },
      })
    return {
      name: repository.name,
      delete: (context) => repository.delete(context),
      blobs: observe(repository.blobs, 'blobs'),
      manifests: observe(repository.manifests, 'manifests'),
      tags: observe(repository.tags, 'tags'),
    }
  }

  async #answer(call: () => unknown, args: readonly unknown[], question: string): Promise<unknown> {
    await Promise.race([this.gate, aborted(args)])
    if (this.failure !== undefined) throw this.failure
    if (this.blob !== undefined) return { body: streamBody(this.blob.open(), this.blob.size) }
    const answer = await call()
    await this.onAnswer?.(question)
    if (this.manifest !== undefined && isManifest(answer)) return { ...answer, content: this.manifest }
    if (this.body === undefined || !isReader(answer)) return answer
    await answer.body[Symbol.asyncDispose]()
    return { ...answer, body: streamBody(this.body(answer), answer.body.size) }
  }

  async *#list(call: () => AsyncIterable<unknown>): AsyncGenerator<unknown> {
    await this.gate
    if (this.failure !== undefined) throw this.failure
    yield* call()
  }
}

function isReader(answer: unknown): answer is BlobReader {
  return typeof answer === 'object' && answer !== null && 'body' in answer
}

function isManifest(answer: unknown): answer is Manifest {
  return typeof answer === 'object' && answer !== null && 'content' in answer
}

/** Rejects when a signal among the arguments aborts; never resolves. */
function aborted(args: readonly unknown[]): Promise<never> | undefined {
  for (const arg of args) {
    const signal = (arg as { readonly signal?: AbortSignal } | undefined)?.signal
    if (signal instanceof AbortSignal) {
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    }
  }
  return new Promise(() => {})
}

export interface Cache {
  readonly upstream: UpstreamDouble
  /** What is kept, as it is. */
  readonly local: Registry
  readonly backend: Backend
  readonly cache: PullThrough
  readonly events: PullThroughEvent[]
  /** Milliseconds; moved by the test. */
  readonly clock: { now: number }
}

export interface CacheOptions extends PullThroughOptions {
  /** Of the one upstream. */
  readonly upstream?: Partial<Omit<Upstream, 'backend'>>
  readonly double?: UpstreamDouble
  readonly local?: Registry
}

/** One upstream, `hub`, below `hub/`, pulled through a registry in memory. */
export function newCache({ upstream = {}, double, local, ...options }: CacheOptions = {}): Cache {
  const from = double ?? new UpstreamDouble()
  const kept = local ?? new Registry({ storage: memory(), sparse: 'all', logger: silentLogger })
  const events: PullThroughEvent[] = []
  const clock = { now: 1_000_000 }
  const cache = pullThrough([{ name: 'hub', backend: from.backend, ...upstream }], {
    logger: silentLogger,
    now: () => clock.now,
    onEvent: (event) => void events.push(event),
    ...options,
  })
  return { upstream: from, local: kept, backend: cache(kept), cache, events, clock }
}

export const DOWN: RegistryError = new RegistryError('UNAVAILABLE', { message: 'connect ECONNREFUSED 10.0.0.7' })

/** A body that sends what the test writes to it, when it does. */
export function heldBody(): { readonly stream: PassThrough; readonly open: () => Readable } {
  const stream = new PassThrough()
  return { stream, open: () => stream }
}

export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** As many bytes as wanted, different ones. */
export function content(size: number): Buffer {
  const text = bytes('0123456789abcdef')
  return Buffer.alloc(size, text)
}

export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** Turns of the event loop, in which whatever can happen happens. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Resolves when it is so; the test's time limit is what there is for it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await turns(1)
}
