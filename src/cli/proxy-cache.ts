import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import type { PullThroughState } from '../decorators/pull-through/storekeeper.ts'
import type { Upstream } from '../decorators/pull-through/upstream.ts'
import { type PullThrough, pullThrough } from '../decorators/pull-through.ts'
import { Registry } from '../registry.ts'
import { dockerConfig } from '../remote/credentials/docker-config.ts'
import { RemoteBackend, type RemoteOptions } from '../remote/remote-backend.ts'
import { proxyFromEnvironment } from '../remote/transport/proxy.ts'
import { DOCKER_HUB } from '../spec/reference.ts'
import { KeyNotFoundError, type StorageDriver } from '../storage/driver.ts'
import { wrapDriver } from '../storage/wrap-driver.ts'
import { CliError, EXIT_FAILURE, messageOf } from './cli-error.ts'
import type { ProxyOption } from './proxy-options.ts'

/** What the cache brought in; beside the images, where no other registry looks. */
const STATE_KEY = 'docker/registry/v2/_wharfage/pull-through/state.json'

export interface ProxyCacheOptions {
  readonly proxies: readonly ProxyOption[]
  /** A file of logins in place of the user's own. */
  readonly proxyAuth: string | undefined
  /** `undefined`: as many bytes as there is room for. */
  readonly proxyCacheBytes: number | undefined
}

export interface ProxyCache {
  readonly decorator: PullThrough
  close(): Promise<void>
}

/**
 * Pulls through from the registries that `--proxy` names, into the storage that is served, where it may lie without its layers, unlike
 * what is pushed. No registry is called before somebody pulls.
 *
 * @throws {@link CliError}
 */
export async function openProxyCache(driver: StorageDriver, options: ProxyCacheOptions): Promise<ProxyCache> {
  const remoteOptions = await remoteOptionsOf(options)
  const remotes = options.proxies.map(
    (proxy): Remote => ({ ...proxy, backend: new RemoteBackend(proxy.url, remoteOptions) }),
  )
  // The driver is closed by whoever opened it.
  const cache = new Registry({ storage: wrapDriver(driver, { close: () => Promise.resolve() }), sparse: 'all' })
  const maxBytes = options.proxyCacheBytes
  const decorator = pullThrough(
    remotes.map((remote) => upstreamOf(remote, remotes)),
    {
      cache,
      ...(maxBytes !== undefined && { maxBytes, state: stateIn(driver) }),
    },
  )
  return {
    decorator,
    close: async () => {
      await decorator.close()
      await Promise.all(remotes.map(({ backend }) => backend.close()))
      await cache.close()
    },
  }
}

interface Remote extends ProxyOption {
  readonly backend: RemoteBackend
}

function upstreamOf({ prefix, url, backend }: Remote, all: readonly Remote[]): Upstream {
  const singleNames = backend.name === DOCKER_HUB || prefix === DOCKER_HUB ? 'library' : ''
  if (prefix !== undefined) return { name: prefix, namespaces: [prefix], backend, singleNames }
  // Docker's mirror asks for Docker Hub's without a prefix, containerd's with `ns`: one registry may be named for both.
  const isNamedTwice = all.some((other) => other.prefix === backend.name)
  // Beside others it has to say which one it is; alone it answers whatever it is asked.
  const namespaces = all.length === 1 || isNamedTwice ? [] : [backend.name]
  return { name: isNamedTwice ? url.origin : backend.name, prefix: '', namespaces, backend, singleNames }
}

async function remoteOptionsOf({ proxyAuth }: ProxyCacheOptions): Promise<RemoteOptions> {
  if (proxyAuth !== undefined) await checkReadable(proxyAuth)
  const credentials = dockerConfig(proxyAuth === undefined ? {} : { path: proxyAuth })
  const variables = ['http_proxy', 'https_proxy', 'all_proxy'].flatMap((name) => [name, name.toUpperCase()])
  if (!variables.some((name) => process.env[name])) return { credentials }
  try {
    return { credentials, proxy: await proxyFromEnvironment() }
  } catch (error) {
    throw new CliError(messageOf(error), EXIT_FAILURE, { cause: error })
  }
}

async function checkReadable(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK)
  } catch (error) {
    throw new CliError(`--proxy-auth ${path}: ${messageOf(error)}`, EXIT_FAILURE, { cause: error })
  }
}

function stateIn(driver: StorageDriver): PullThroughState {
  return {
    load: async () => {
      try {
        return (await driver.get(STATE_KEY)).content
      } catch (error) {
        if (error instanceof KeyNotFoundError) return undefined
        throw error
      }
    },
    save: (content) => driver.put(STATE_KEY, content),
  }
}
