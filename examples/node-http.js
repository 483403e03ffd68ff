// @ts-check
// A server that is a registry and nothing else: `docker push 127.0.0.1:5000/team/app`.
// For https and http2, or beside other listeners, there is `registryListener(registry, { access })`.
import { anyone, filesystem, Registry } from 'wharfage'
import { createRegistryServer } from 'wharfage/node'

const registry = new Registry({ storage: filesystem('./registry-data') })

const server = createRegistryServer(registry, { access: anyone() })
server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close(() => registry.close()))
