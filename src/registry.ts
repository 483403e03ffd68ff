import { EventEmitter } from 'eventemitter3'
import { checkAmount, checkChoice, checkOptions, kindOf } from './arguments.ts'
import type { Backend, Decorator, OperationContext, RepositoriesOptions, Repository } from './backend.ts'
import { notify } from './decorators/notify.ts'
import { RegistryError } from './errors.ts'
import type { RegistryEvent, RegistryEventMap } from './events.ts'
import { consoleLogger } from './logger.ts'
import { listRepositories } from './storage/catalog.ts'
import type { StorageDriver } from './storage/driver.ts'
import { REPOSITORIES } from './storage/layout.ts'
import { RepositoryStore } from './storage/repository-store.ts'
import { StorageCore, type StorageOptions } from './storage/storage-core.ts'
import { rethrowOutage } from './storage/translate-outages.ts'

export interface RegistryOptions extends StorageOptions {
  /** Where images are kept: `memory()`, `filesystem(directory)`, or a driver of yours. Closed with the registry. */
  readonly storage: StorageDriver
  /** Outermost first, as in `app.use()`. */
  readonly use?: readonly Decorator[]
}

/** Over any other backend, for its events and decorators. */
export interface WrappingOptions extends Pick<StorageOptions, 'logger'> {
  readonly backend: Backend
  readonly use?: readonly Decorator[]
}

/**
 * A registry: images in a storage, behind decorators, telling what happens as events. Everything that is done through it is
 * told, whether it came over HTTP or from code.
 *
 * @example
 * const registry = new Registry({ storage: filesystem('./registry-data') })
 * registry.on('manifest.pushed', ({ repository, tags }) => console.log(repository, tags))
 */
export class Registry extends EventEmitter<RegistryEventMap> implements Backend {
  readonly #backend: Backend
  readonly #close: () => Promise<void>
  readonly #ping: (context: OperationContext) => Promise<void>

  constructor(options: RegistryOptions | WrappingOptions) {
    super()
    checkRegistryOptions(options)
    const logger = options.logger ?? consoleLogger
    let backend: Backend
    if ('backend' in options && options.backend !== undefined) {
      backend = options.backend
      this.#close = () => Promise.resolve()
      this.#ping = (context) => pingBackend(options.backend, context)
    } else {
      // Without a backend there is a storage: that much was checked.
      const core = new StorageCore((options as RegistryOptions).storage, options)
      backend = {
        repository: (name) => new RepositoryStore(core, name),
        repositories: (listOptions) => listRepositories(core, listOptions),
      }
      this.#close = () => core.close()
      this.#ping = (context) => pingDriver(core.driver, context)
    }
    for (const decorate of [...(options.use ?? [])].reverse()) {
      backend = decorate(backend)
      if (!isBackend(backend)) {
        throw new TypeError(
          `a decorator in "use" made ${kindOf(backend)} of a backend: is it called, as in [readOnly()]?`,
        )
      }
    }
    // Each listener on its own: one that throws must not keep the others from being told.
    const tell = (event: RegistryEvent) =>
      Promise.all(
        this.listeners(event.type).map((listener) => {
          this.removeListener(event.type, listener, undefined, true) // only if it came by once()
          return call(listener, event)
        }),
      )
    this.#backend = notify(async (event) => void (await tell(event)), { logger })(backend)
  }

  /** @throws {@link RegistryError} `NAME_INVALID` */
  repository(name: string): Repository {
    return this.#backend.repository(name)
  }

  /** Repository names in byte order. */
  repositories(options?: RepositoriesOptions): AsyncIterable<string> {
    return this.#backend.repositories(options)
  }

  /**
   * Resolves when the storage can be reached, and written to where its driver tries that (a directory's does): for health
   * checks. Decorators are not asked, and nothing is told.
   *
   * @throws {@link RegistryError} `UNAVAILABLE` with the driver's own words as its `cause`; `UNSUPPORTED` over a backend that has
   * no `ping` of its own
   */
  ping(context: OperationContext = {}): Promise<void> {
    return this.#ping(context)
  }

  /** Waits for what goes on in the background, closes the storage, and forgets the listeners. */
  async close(): Promise<void> {
    await this.#close()
    this.removeAllListeners()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const AMOUNTS = [
  'gracePeriodMs',
  'linkTtlMs',
  'maxUploadsPerRepository',
  'maxUploadsPerActor',
  'uploadLifetimeMs',
] as const

/** For callers without types: without this, a mistake would be found out by somebody's push. */
function checkRegistryOptions(options: RegistryOptions | WrappingOptions): void {
  const { backend } = (options ?? {}) as Partial<WrappingOptions>
  if (backend === undefined) {
    checkOptions<RegistryOptions>('new Registry()', options as RegistryOptions, {
      storage: true,
      use: true,
      sparse: true,
      gracePeriodMs: true,
      cache: true,
      linkTtlMs: true,
      maxUploadsPerRepository: true,
      maxUploadsPerActor: true,
      uploadLifetimeMs: true,
      logger: true,
    })
    const { storage, sparse, cache, ...others } = (options ?? {}) as Partial<RegistryOptions>
    if (!isDriver(storage)) {
      throw new TypeError(
        'the option "storage" must be a storage driver: filesystem(directory), memory(), or one of yours',
      )
    }
    checkChoice('sparse', sparse, ['none', 'index', 'all'])
    for (const name of AMOUNTS) checkAmount(name, others[name])
    if (cache !== undefined && typeof cache?.get !== 'function') {
      throw new TypeError(
        `the option "cache" must be a cache: redisCache(client), new MemoryCache(), not ${kindOf(cache)}`,
      )
    }
  } else {
    const names = { backend: true, use: true, logger: true }
    checkOptions<WrappingOptions>('new Registry() over a backend', options as WrappingOptions, names)
    if (!isBackend(backend)) {
      throw new TypeError(`the option "backend" must be a registry or another backend, not ${kindOf(backend)}`)
    }
  }
  const { use = [] } = options
  if (!Array.isArray(use) || !use.every((decorate) => typeof decorate === 'function')) {
    throw new TypeError('the option "use" must be a list of decorators, each called: use: [readOnly()]')
  }
}

function isDriver(storage: unknown): boolean {
  return storage instanceof Object && 'createUpload' in storage && typeof storage.createUpload === 'function'
}

function isBackend(backend: unknown): backend is Backend {
  return backend instanceof Object && 'repository' in backend && typeof backend.repository === 'function'
}

async function pingDriver(driver: StorageDriver, { signal }: OperationContext): Promise<void> {
  const options = signal && { signal }
  try {
    if (driver.ping !== undefined) await driver.ping(options)
    // As good as any key: a store that cannot be reached fails to tell whether it is there.
    else await driver.stat(REPOSITORIES, options)
  } catch (error) {
    rethrowOutage(error)
  }
}

async function pingBackend(backend: Backend, context: OperationContext): Promise<void> {
  if ('ping' in backend && typeof backend.ping === 'function') await backend.ping(context)
  else throw new RegistryError('UNSUPPORTED', { message: 'this backend cannot tell whether it is well' })
}

async function call(listener: (event: never) => unknown, event: RegistryEvent): Promise<void> {
  // The emitter's map ties each name to its event; looked up by that very name, the listener takes this one.
  await (listener as (event: RegistryEvent) => unknown)(event)
}
