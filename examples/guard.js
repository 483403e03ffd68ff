// @ts-check
// Asks before an image is stored. The reason of a refusal appears in the terminal of whoever ran `docker push`.
import { anyone, filesystem, guard, Registry } from 'wharfage'
import { createRegistryServer } from 'wharfage/node'

const notAsRoot = guard({
  async beforeManifest({ repository, tags, config }) {
    if (!tags.includes('production')) return
    const image = /** @type {{ config?: { User?: string } } | undefined} */ (await config())
    if (image && !image.config?.User) return `${repository}: production images must not run as root`
  },
})

const registry = new Registry({ storage: filesystem('./registry-data'), use: [notAsRoot] })

const server = createRegistryServer(registry, { access: anyone() })
server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close(() => registry.close()))
