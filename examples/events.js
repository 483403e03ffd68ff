// @ts-check
// Tells of what is pushed and pulled, after the fact: start a deployment, count downloads, keep a log.
import { anyone, filesystem, Registry } from 'wharfage'
import { createRegistryServer } from 'wharfage/node'

const registry = new Registry({ storage: filesystem('./registry-data') })

registry.on('manifest.pushed', ({ repository, tags, manifest }) => {
  console.log(`pushed ${repository}:${tags.join(',')} ${manifest.digest}`)
})
registry.on('manifest.pulled', ({ repository, manifest, request }) => {
  console.log(`pulled ${repository}@${manifest.digest} by ${request?.userAgent ?? 'this program'}`)
})

const server = createRegistryServer(registry, { access: anyone() })
server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close(() => registry.close()))
