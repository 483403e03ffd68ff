import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe } from 'vitest'
import { filesystem } from '../../src/drivers/filesystem.ts'
import { memory } from '../../src/drivers/memory.ts'
import type { StorageDriver } from '../../src/storage/driver.ts'

/** An empty store, and more drivers over it: each stands for another process. */
export type OpenStorage = () => StorageDriver

interface Kind {
  readonly name: string
  /** Whether a second driver sees what the first one wrote. */
  readonly shared: boolean
  create(): Promise<{ readonly open: OpenStorage; readonly destroy: () => Promise<void> }>
}

const KINDS: readonly Kind[] = [
  {
    name: 'memory',
    shared: false,
    create: () => {
      const driver = memory()
      return Promise.resolve({ open: () => driver, destroy: () => Promise.resolve() })
    },
  },
  {
    name: 'filesystem',
    shared: true,
    create: async () => {
      const directory = await mkdtemp(join(tmpdir(), 'wharfage-'))
      return {
        open: () => filesystem(directory),
        destroy: () => rm(directory, { recursive: true, force: true }),
      }
    },
  },
]

/** Runs a suite over every kind of storage that needs nothing but Node; what it made is removed after each test. */
export function describeStorages(name: string, suite: (create: () => Promise<OpenStorage>, kind: Kind) => void): void {
  for (const kind of KINDS) {
    describe(`${name} over ${kind.name}`, () => {
      const cleanup: (() => Promise<void>)[] = []
      afterEach(async () => {
        for (const destroy of cleanup.splice(0)) await destroy()
      })
      suite(async () => {
        const { open, destroy } = await kind.create()
        cleanup.push(destroy)
        return open
      }, kind)
    })
  }
}
