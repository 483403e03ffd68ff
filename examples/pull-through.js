// @ts-check
// A cache of other registries, beside images of one's own: `docker pull 127.0.0.1:5000/hub/library/alpine`. What was pulled once is here
// when the other registry is not.
import { anyone, memory, pullThrough, Registry } from 'wharfage'
import { createRegistryServer } from 'wharfage/node'
import { dockerConfig, RemoteBackend } from 'wharfage/remote'

const upstream = new RemoteBackend(process.env.UPSTREAM ?? 'docker.io', { credentials: dockerConfig() })
const cache = pullThrough([{ name: 'hub', backend: upstream, prefix: 'hub/' }], {
  tagTtlMs: 60_000,
  onEvent: (event) => {
    if (event.type === 'hit' || event.type === 'miss')
      console.log(`${event.type} ${event.repository} ${event.reference}`)
  },
})
// An image comes before its layers do: `sparse` takes it. `filesystem('./cache')` would keep them.
const registry = new Registry({ storage: memory(), sparse: 'all', use: [cache] })

const server = createRegistryServer(registry, { access: anyone() })
server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => {
  server.close(async () => {
    await cache.close()
    await registry.close()
    await upstream.close()
  })
})
