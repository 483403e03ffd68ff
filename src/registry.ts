import { EventEmitter } from 'eventemitter3'
import type { Backend, Decorator, RepositoriesOptions, Repository } from './backend.ts'
import { notify } from './decorators/notify.ts'
import type { RegistryEvent, RegistryEventMap } from './events.ts'
import { consoleLogger } from './logger.ts'
import { listRepositories } from './storage/catalog.ts'
import type { StorageDriver } from './storage/driver.ts'
import { RepositoryStore } from './storage/repository-store.ts'
import { StorageCore, type StorageOptions } from './storage/storage-core.ts'

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

  constructor(options: RegistryOptions | WrappingOptions) {
    super()
    checkOptions(options)
    const logger = options.logger ?? consoleLogger
    let backend: Backend
    if ('backend' in options) {
      backend = options.backend
      this.#close = () => Promise.resolve()
    } else {
      const core = new StorageCore(options.storage, options)
      backend = {
        repository: (name) => new RepositoryStore(core, name),
        repositories: (listOptions) => listRepositories(core, listOptions),
      }
      this.#close = () => core.close()
    }
    for (const decorate of [...(options.use ?? [])].reverse()) backend = decorate(backend)
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

  /** Waits for what goes on in the background, closes the storage, and forgets the listeners. */
  async close(): Promise<void> {
    await this.#close()
    this.removeAllListeners()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** For callers without types: without this, a mistake would be found out by somebody's push. */
function checkOptions(options: RegistryOptions | WrappingOptions): void {
  const { use = [] } = options ?? {}
  if (!('backend' in (options ?? {})) && !isDriver((options as Partial<RegistryOptions> | undefined)?.storage)) {
    throw new TypeError(
      'the option "storage" must be a storage driver: filesystem(directory), memory(), or one of yours',
    )
  }
  if (!Array.isArray(use) || !use.every((decorate) => typeof decorate === 'function')) {
    throw new TypeError('the option "use" must be a list of decorators, each called: use: [readOnly()]')
  }
}

function isDriver(storage: unknown): boolean {
  return storage instanceof Object && 'createUpload' in storage && typeof storage.createUpload === 'function'
}

async function call(listener: (event: never) => unknown, event: RegistryEvent): Promise<void> {
  // The emitter's map ties each name to its event; looked up by that very name, the listener takes this one.
  await (listener as (event: RegistryEvent) => unknown)(event)
}
