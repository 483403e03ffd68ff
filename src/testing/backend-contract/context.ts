import assert from 'node:assert/strict'
import type { Backend, Repository } from '../../backend.ts'
import type { ByteBody } from '../../bytes.ts'
import { type ErrorCode, RegistryError } from '../../errors.ts'
import type { Digest } from '../../spec/digest.ts'
import { assertBytes } from '../driver-contract/context.ts'
import type { TestRunner } from '../driver-contract/options.ts'
import type { BackendContractOptions, BackendTrait } from './options.ts'

/** What the parts of the suite work with. */
export interface ContractContext {
  readonly runner: TestRunner
  readonly largeBlobBytes: number
  readonly unavailable: Readonly<Record<string, () => Promise<Stack>>>
  has(trait: BackendTrait): boolean
  create(): Promise<Stack>
  /** Another backend over the same images, or the same one. */
  reopen(backend: Backend): Promise<Backend>
}

/** A backend that is tested. */
export interface Stack {
  readonly backend: Backend
  /** `team/app` of it. */
  readonly repository: Repository
  /** Puts what `backend` is to read. */
  readonly writer: Backend
  /** `team/app` of that one. */
  readonly seed: Repository
}

/** The repository that most tests look at. */
export const NAME = 'team/app'

/** Destroys after each test what was created in it. */
export function openBackends(runner: TestRunner, options: BackendContractOptions): ContractContext {
  const lacks = new Set(options.lacks)
  let created: Backend[] = []
  runner.afterEach(async () => {
    const backends = created
    created = []
    for (const backend of backends) await options.destroy?.(backend)
  })
  const opened = (backend: Backend): Stack => {
    created.push(backend)
    const writer = options.writer?.(backend) ?? backend
    return { backend, writer, repository: backend.repository(NAME), seed: writer.repository(NAME) }
  }
  const unavailable = Object.entries(options.unavailable ?? {}).map(
    ([name, open]) => [name, async () => opened(await open())] as const,
  )
  return {
    runner,
    has: (trait) => !lacks.has(trait),
    largeBlobBytes: options.largeBlobBytes ?? 6 * 1024 * 1024,
    unavailable: Object.fromEntries(unavailable),
    create: async () => opened(await options.create()),
    reopen: async (backend) => (await options.reopen?.(backend)) ?? backend,
  }
}

/** Rejects with one of `codes`. */
export async function assertCode(promise: Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<void> {
  const outcome: unknown = await promise.then(
    (value) => ({ value }),
    (error: unknown) => error,
  )
  if (RegistryError.is(outcome) && codes.includes(outcome.code)) return
  // Thrown as it is: another error explains itself better than an assertion.
  if (outcome instanceof Error) throw outcome
  assert.fail(`expected ${codes.join(' or ')}, not the answer ${JSON.stringify(outcome)}`)
}

/** A condition on a tag that did not hold. */
export async function assertPreconditionFailed(promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => RegistryError.is(error, 'DENIED') && error.status === 412)
}

/** Rejects with `reason`, or with an error that has it among its causes. */
export async function assertRejectsFor(promise: Promise<unknown>, reason: Error): Promise<void> {
  await assert.rejects(promise, (error) => {
    for (let cause = error; cause instanceof Error; cause = cause.cause as Error) if (cause === reason) return true
    return false
  })
}

/** Longest wait for what should come at once, in milliseconds. */
const PATIENCE_MS = 4_000

/** Waits, but not for ever: `end` lets go of what a backend waits for that should not. */
export async function settlesBefore<T>(end: () => void, promise: Promise<T>): Promise<T> {
  const timer = setTimeout(end, PATIENCE_MS)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** The first `count` items, as a caller takes them who says that it wants no more. */
export async function take<T>(items: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = []
  for await (const item of items) {
    taken.push(item)
    if (taken.length >= count) break
  }
  return taken
}

/** Everything, in pages of `limit`, each beginning after the last one of the one before. */
export async function inPages(
  list: (options: { readonly after?: string; readonly limit: number }) => AsyncIterable<string>,
  limit: number,
): Promise<string[]> {
  const all: string[] = []
  for (;;) {
    const after = all.at(-1)
    const page = await take(list({ limit, ...(after !== undefined && { after }) }), limit)
    all.push(...page)
    if (page.length < limit) return all
  }
}

/** Looks at a listing whole, from every place on, from places between its items, and in pages. */
export async function assertListing(
  list: (options?: { readonly after?: string; readonly limit?: number }) => AsyncIterable<string>,
  expected: readonly string[],
): Promise<void> {
  assert.deepEqual(await collect(list()), expected)
  assert.deepEqual(await collect(list({ after: '' })), expected, 'after the empty text')
  for (const [at, after] of expected.entries()) {
    assert.deepEqual(await collect(list({ after })), expected.slice(at + 1), `after ${after}`)
  }
  for (const limit of [1, 2, expected.length, expected.length + 1]) {
    assert.deepEqual(await inPages(list, limit), expected, `in pages of ${limit}`)
  }
}

export async function streamed(body: ByteBody): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body.stream()) chunks.push(chunk as Uint8Array) // a stream of bytes, which its type does not tell
  return Buffer.concat(chunks)
}

/** That the blob is there, by `stat` and by `open`. */
export async function assertBlob({ blobs }: Repository, digest: Digest, content: Uint8Array): Promise<void> {
  const { size, digest: found } = await blobs.stat(digest)
  assert.deepEqual({ digest: found, size }, { digest, size: content.byteLength })
  const { descriptor, range, body } = await blobs.open(digest)
  assert.deepEqual([descriptor.digest, descriptor.size], [digest, content.byteLength])
  assert.deepEqual(range, { start: 0, end: content.byteLength })
  assert.equal(body.size, content.byteLength)
  assertBytes(await streamed(body), content, digest)
}

/** That the blob is not there, by every way of looking. */
export async function assertNoBlob(context: ContractContext, { blobs }: Repository, digest: Digest): Promise<void> {
  await assertCode(blobs.stat(digest), 'BLOB_UNKNOWN')
  await assertCode(blobs.stat(digest, { reliedUpon: true }), 'BLOB_UNKNOWN')
  await assertCode(blobs.open(digest), 'BLOB_UNKNOWN')
  if (context.has('blob list')) assert.ok(!(await collect(blobs.list())).includes(digest), `${digest} is listed`)
}
