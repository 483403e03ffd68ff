import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, it } from 'vitest'
import { registryListener } from '../../src/adapters/node.ts'
import { anyone } from '../../src/auth/access.ts'
import type { Backend } from '../../src/backend.ts'
import { prefix } from '../../src/decorators/prefix.ts'
import { memory } from '../../src/drivers/memory.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { RemoteBackend, type RemoteOptions } from '../../src/remote/remote-backend.ts'
import type { BackendContractOptions, BackendTrait } from '../../src/testing/backend-contract/options.ts'
import { testBackend } from '../../src/testing/backend-contract.ts'

/** What HTTP has no request for. */
const LACKS: readonly BackendTrait[] = ['blob list', 'manifest list', 'tags of deletions', 'repositories of blobs']

interface Opened {
  readonly server: Server
  readonly url: string
  readonly remotes: RemoteBackend[]
}

/** A client of a registry in memory, behind HTTP; each has a server of its own. */
function overHttp(options: RemoteOptions, decorate = (inner: Backend) => inner): BackendContractOptions {
  const opened = new Map<Backend, Opened>()
  const join = (backend: Backend, to: Opened, remote: RemoteBackend) => {
    to.remotes.push(remote)
    opened.set(backend, to)
    return backend
  }
  const open = async (listener: RequestListener) => {
    const server = createServer(listener)
    const url = await listen(server)
    const remote = new RemoteBackend(url, options)
    return join(decorate(remote), { server, url, remotes: [] }, remote)
  }
  return {
    lacks: LACKS,
    create: () => {
      const registry = new Registry({ storage: memory(), sparse: 'none', logger: silentLogger })
      return open(registryListener(registry, { access: anyone(), logger: silentLogger }))
    },
    reopen: async (backend) => {
      const of = opened.get(backend)
      if (of === undefined) throw new Error('not one of ours')
      const remote = new RemoteBackend(of.url, options)
      return join(decorate(remote), of, remote)
    },
    destroy: async (backend) => {
      const of = opened.get(backend)
      opened.delete(backend)
      for (const remote of of?.remotes ?? []) await remote.close()
      if (of?.server.listening) await close(of.server)
    },
    unavailable: {
      'nobody listens': async () => {
        const backend = await open(() => {})
        const of = opened.get(backend)
        if (of !== undefined) await close(of.server)
        return backend
      },
      'it breaks off': () => open((req) => req.socket.destroy()),
      'a gateway in front of it answers': () => open((_req, res) => res.writeHead(502).end('<html>')),
      'it is refused': () => open((_req, res) => res.writeHead(403).end()),
      'it asks for a login': () => open((_req, res) => res.writeHead(401).end()),
      'it is busy': () => open((_req, res) => res.writeHead(429).end()),
    },
  }
}

const quick = { retries: { attempts: 2, sleep: () => Promise.resolve() } }

const STACKS: Readonly<Record<string, BackendContractOptions>> = {
  'remote over HTTP over memory': overHttp(quick),
  'remote in chunks over HTTP over memory': overHttp({ ...quick, maxChunkBytes: 1_000_000 }),
  'prefix over remote over HTTP over memory': overHttp(quick, prefix('mirror/')),
}

for (const [name, options] of Object.entries(STACKS)) {
  describe(name, () => testBackend({ describe, it, afterEach }, options))
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}
