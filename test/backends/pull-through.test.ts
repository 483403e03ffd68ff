import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, it } from 'vitest'
import { createRegistryServer } from '../../src/adapters/node.ts'
import { anyone } from '../../src/auth/access.ts'
import { type Backend, decorate } from '../../src/backend.ts'
import { type PullThrough, type PullThroughOptions, pullThrough } from '../../src/decorators/pull-through.ts'
import { memory } from '../../src/drivers/memory.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { RemoteBackend } from '../../src/remote/remote-backend.ts'
import type { BackendContractOptions } from '../../src/testing/backend-contract/options.ts'
import { testBackend } from '../../src/testing/backend-contract.ts'
import { unreachable } from './stacks.ts'

const newRegistry = (): Registry => new Registry({ storage: memory(), sparse: 'all', logger: silentLogger })

/** What was opened for a backend under test, to be closed with it. */
const opened = new Map<Backend, { readonly local: Registry; readonly upstream: Backend; close(): Promise<void> }>()

/** Everything is the upstream's. */
function cached(
  local: Registry,
  upstream: Backend,
  options: PullThroughOptions,
): PullThrough & { readonly made: Backend } {
  const cache = pullThrough([{ name: 'all', prefix: '', backend: upstream }], {
    ...{ logger: silentLogger, negativeTtlMs: 0, tagTtlMs: 0 },
    ...options,
  })
  return Object.assign(cache, { made: cache(local) })
}

function remember(backend: Backend, local: Registry, upstream: Backend, close: () => Promise<void>): Backend {
  opened.set(backend, { local, upstream, close })
  return backend
}

const destroy = async (backend: Backend): Promise<void> => {
  await opened.get(backend)?.close()
  opened.delete(backend)
}

/** Pushes stay here, and the upstream, over HTTP, has nothing: it is asked about whatever is not here. */
function mixed(): BackendContractOptions {
  const over = async (local: Registry) => {
    const server: Server = createRegistryServer(newRegistry(), { access: anyone(), logger: silentLogger })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const remote = new RemoteBackend(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const cache = cached(local, remote, { writes: 'local' })
    return remember(cache.made, local, remote, async () => {
      await cache.close()
      await remote.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await local.close()
    })
  }
  return {
    create: () => over(newRegistry()),
    reopen: async (backend) => {
      const of = opened.get(backend)
      if (of === undefined) throw new Error('not one of ours')
      return cached(of.local, of.upstream, { writes: 'local' }).made
    },
    destroy,
    unavailable: {
      'a store that cannot be reached': () => over(new Registry({ storage: unreachable(), logger: silentLogger })),
    },
    lacks: ['blob check', 'index check'],
  }
}

/** Everything is read through an empty cache. What is listed of a cache is what it has: for the suite, the upstream is listed. */
function cold(): BackendContractOptions {
  const over = async (upstream: Registry) => {
    const local = newRegistry()
    const cache = cached(local, upstream, {})
    const listed = decorate(cache.made, {
      blobs: (blobs, { name }) => listing(blobs, upstream.repository(name).blobs),
      manifests: (manifests, { name }) => listing(manifests, upstream.repository(name).manifests),
    })
    const backend: Backend = {
      repository: (name) => listed.repository(name),
      repositories: (options) => upstream.repositories(options),
    }
    return remember(backend, local, upstream, async () => {
      await cache.close()
      await local.close()
      await upstream.close()
    })
  }
  return {
    create: () => over(newRegistry()),
    destroy,
    writer: (backend) => opened.get(backend)?.upstream ?? backend,
    unavailable: {
      'an upstream that cannot be reached': () => over(new Registry({ storage: unreachable(), logger: silentLogger })),
    },
    lacks: ['write'],
  }
}

function listing<T extends { list: unknown }>(store: T, from: T): T {
  return new Proxy(store, {
    get(target, key) {
      const of = key === 'list' ? from : target
      const value: unknown = Reflect.get(of, key, of)
      return typeof value === 'function' ? (value.bind(of) as unknown) : value
    },
  })
}

/** Nothing is the upstream's that the suite asks for. */
function beside(): BackendContractOptions {
  const others = pullThrough([{ name: 'hub', backend: newRegistry() }], { logger: silentLogger })
  const over = async (local: Registry) => remember(others(local), local, local, () => local.close())
  return {
    create: () => over(new Registry({ storage: memory(), logger: silentLogger })),
    reopen: async (backend) => others(opened.get(backend)?.local ?? backend),
    destroy,
    unavailable: {
      'a store that cannot be reached': () => over(new Registry({ storage: unreachable(), logger: silentLogger })),
    },
    lacks: ['index check'],
  }
}

const STACKS: Readonly<Record<string, BackendContractOptions>> = {
  'pull-through with pushes over storage and remote': mixed(),
  'pull-through, cold, over storage and storage': cold(),
  'beside pull-through over storage': beside(),
}

for (const [name, options] of Object.entries(STACKS)) {
  describe(name, () => testBackend({ describe, it, afterEach }, options))
}
