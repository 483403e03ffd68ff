import type { StorageDriver } from '../../storage/driver.ts'

/** The three functions we need from vitest, node:test, mocha or jest. */
export interface TestRunner {
  describe(name: string, body: () => void): void
  it(name: string, body: () => Promise<void>): void
  afterEach(body: () => Promise<void>): void
}

export interface DriverContractOptions {
  /** Returns a driver over an empty store; called once or more per test. */
  create(): Promise<StorageDriver>
  /** Another driver over the same store, as a second process would have; without it the tests that need one use `driver` itself. */
  reopen?(driver: StorageDriver): Promise<StorageDriver>
  /** Removes whatever `create` made. Not called for drivers from `reopen`. */
  destroy?(driver: StorageDriver): Promise<void>
  /**
   * Which conditions the store that is tested looks at first and acts on then, in two steps: races over them are left out.
   * For emulators, and for drivers that can only look before they delete. Default: none.
   */
  readonly tornConditions?: readonly ('put' | 'delete')[]
  /**
   * Drivers whose store refuses them, is busy or cannot be reached, by what is wrong: every call must reject with
   * `StorageUnavailableError`, and none must take it for absence. Each is opened once, and closed.
   */
  readonly unavailable?: Readonly<Record<string, () => Promise<StorageDriver>>>
  /** Largest object the suite writes, in bytes: beyond 2 ** 32, ranges there are read, too. Default: 32 MiB. */
  readonly largeObjectBytes?: number
}
