import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import type { ByteBody } from '../../bytes.ts'
import { KeyNotFoundError, type ListEntry, type ListKeysOptions, type StorageDriver } from '../../storage/driver.ts'
import type { DriverContractOptions, TestRunner } from './options.ts'

/** What the parts of the suite work with. */
export interface ContractContext {
  readonly runner: TestRunner
  readonly largeObjectBytes: number
  readonly tornConditions: readonly ('put' | 'delete')[]
  readonly unavailable: Readonly<Record<string, () => Promise<StorageDriver>>>
  create(): Promise<StorageDriver>
  /** Another driver over the same store, or the same one. */
  reopen(driver: StorageDriver): Promise<StorageDriver>
}

/** Destroys after each test what was created in it. */
export function openDrivers(runner: TestRunner, options: DriverContractOptions): ContractContext {
  let created: StorageDriver[] = []
  let reopened: StorageDriver[] = []
  runner.afterEach(async () => {
    for (const driver of reopened) if (!created.includes(driver)) await driver.close?.()
    for (const driver of created) await (options.destroy ? options.destroy(driver) : driver.close?.())
    created = []
    reopened = []
  })
  return {
    runner,
    tornConditions: options.tornConditions ?? [],
    unavailable: options.unavailable ?? {},
    largeObjectBytes: options.largeObjectBytes ?? 32 * 1024 * 1024,
    create: async () => {
      const driver = await options.create()
      created.push(driver)
      return driver
    },
    reopen: async (driver) => {
      const other = (await options.reopen?.(driver)) ?? driver
      reopened.push(other)
      return other
    },
  }
}

export function text(content: string): Uint8Array {
  return new TextEncoder().encode(content)
}

/** Compares without printing megabytes. */
export function assertBytes(actual: Uint8Array, expected: Uint8Array, what = 'content'): void {
  assert.equal(actual.byteLength, expected.byteLength, `size of ${what}`)
  const at = actual.findIndex((byte, index) => byte !== expected[index])
  assert.equal(at, -1, `${what} differs from byte ${at} on`)
}

export async function assertContent(driver: StorageDriver, key: string, expected: Uint8Array): Promise<void> {
  const { stat, content } = await driver.get(key)
  assertBytes(content, expected, key)
  assert.equal(stat.key, key)
  assert.equal(stat.size, expected.byteLength)
}

export async function assertMissing(promise: Promise<unknown>, key: string): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof KeyNotFoundError && error.key === key)
}

export async function readBody(body: ByteBody): Promise<Uint8Array> {
  const sink = new CollectingSink()
  await body.sendTo(sink)
  return sink.content()
}

/** A sink that keeps what it gets, and gives the event loop a turn for each write. */
class CollectingSink extends Writable {
  readonly #chunks: Uint8Array[] = []

  constructor() {
    super({ highWaterMark: 1 })
  }

  content(): Uint8Array {
    return Buffer.concat(this.#chunks)
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(Buffer.from(chunk))
    setImmediate(done)
  }
}

/** Keys of a listing, folders with a slash. */
export async function listed(driver: StorageDriver, prefix: string, options?: ListKeysOptions): Promise<string[]> {
  return (await entries(driver, prefix, options)).map(({ key, isPrefix }) => (isPrefix ? `${key}/` : key))
}

export async function entries(driver: StorageDriver, prefix: string, options?: ListKeysOptions): Promise<ListEntry[]> {
  const found: ListEntry[] = []
  for await (const entry of driver.list(prefix, options)) found.push(entry)
  return found
}
