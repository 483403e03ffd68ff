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
   * Whether the store that is tested deletes on a condition. `false` where a driver can only look before it deletes, and for an
   * emulator that passes over the condition. Default: true, where the driver has `conditionalPuts`.
   */
  readonly conditionalDeletes?: boolean
  /** Largest object the suite writes, in bytes. Default: 32 MiB. */
  readonly largeObjectBytes?: number
}
