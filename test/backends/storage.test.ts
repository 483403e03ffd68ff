import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'vitest'
import type { Backend } from '../../src/backend.ts'
import { filesystem } from '../../src/drivers/filesystem.ts'
import { memory } from '../../src/drivers/memory.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import type { StorageDriver } from '../../src/storage/driver.ts'
import { testBackend } from '../../src/testing/backend-contract.ts'
import { unreachable } from './stacks.ts'

const open = (storage: StorageDriver, sparse: 'none' | 'index' | 'all') =>
  new Registry({ storage, sparse, logger: silentLogger })

describe('storage over memory', () => {
  const storages = new Map<Backend, StorageDriver>()
  testBackend(
    { describe, it, afterEach },
    {
      create: async () => {
        const storage = memory()
        const registry = open(storage, 'none')
        storages.set(registry, storage)
        return registry
      },
      reopen: async (backend) => open(storages.get(backend) ?? memory(), 'none'),
      destroy: async (backend) => void storages.delete(backend),
      unavailable: { 'a store that cannot be reached': async () => open(unreachable(), 'none') },
    },
  )
})

describe('storage over memory, with images in part', () => {
  testBackend(
    { describe, it, afterEach },
    { create: async () => open(memory(), 'all'), lacks: ['blob check', 'index check'] },
  )
})

describe('storage over filesystem', () => {
  const directories = new Map<Backend, string>()
  const temporary = () => mkdtemp(join(tmpdir(), 'wharfage-'))
  testBackend(
    { describe, it, afterEach },
    {
      create: async () => {
        const directory = await temporary()
        const registry = open(filesystem(directory), 'index')
        directories.set(registry, directory)
        return registry
      },
      reopen: async (backend) => open(filesystem(directories.get(backend) ?? ''), 'index'),
      destroy: async (backend) => {
        if (backend instanceof Registry) await backend.close()
        await rm(directories.get(backend) ?? '', { recursive: true, force: true })
        directories.delete(backend)
      },
      lacks: ['index check'],
      unavailable: {
        'a file in its place': async () => {
          const directory = await temporary()
          await writeFile(join(directory, 'file'), 'not a directory')
          const registry = open(filesystem(join(directory, 'file')), 'index')
          directories.set(registry, directory)
          return registry
        },
      },
    },
  )
})
