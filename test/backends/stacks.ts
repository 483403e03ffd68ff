import type { Backend, Decorator } from '../../src/backend.ts'
import { type MemoryDriver, memory } from '../../src/drivers/memory.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { type StorageDriver, StorageUnavailableError } from '../../src/storage/driver.ts'
import type { Sparseness } from '../../src/storage/storage-core.ts'
import type { BackendContractOptions } from '../../src/testing/backend-contract/options.ts'

/** A storage none of whose calls gets through. */
export function unreachable(): StorageDriver {
  const fail = () => Promise.reject(new StorageUnavailableError('cannot be reached'))
  return new Proxy<MemoryDriver>(memory(), {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function' || key === 'close') return value
      return key === 'list' ? () => ({ [Symbol.asyncIterator]: () => ({ next: fail }) }) : fail
    },
  })
}

export interface StackOptions extends Pick<BackendContractOptions, 'lacks'> {
  /** Whether what is read has to be put past the decorators. */
  readonly writesBelow?: boolean
  /** Of the storage. Default: what a registry's is. */
  readonly sparse?: Sparseness
}

/** A storage in memory behind `decorate`; reopened, it is decorated anew. */
export function decoratedStorage(decorate: Decorator, options: StackOptions = {}): BackendContractOptions {
  const { lacks = [], writesBelow = false, sparse = 'index' } = options
  const registries = new Map<Backend, Registry>()
  const open = (storage: StorageDriver) => new Registry({ storage, sparse, logger: silentLogger })
  const over = (registry: Registry) => {
    const backend = decorate(registry)
    registries.set(backend, registry)
    return backend
  }
  return {
    create: async () => over(open(memory())),
    reopen: async (backend) => decorate(registries.get(backend) ?? backend),
    destroy: async (backend) => {
      await registries.get(backend)?.close()
      registries.delete(backend)
    },
    ...(writesBelow && { writer: (backend: Backend) => registries.get(backend) ?? backend }),
    unavailable: { 'a store that cannot be reached': async () => over(open(unreachable())) },
    lacks: ['index check', ...lacks],
  }
}
