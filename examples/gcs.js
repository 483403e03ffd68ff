// @ts-check
// A registry over a bucket of Google Cloud Storage, with Application Default Credentials. Blobs go through the registry: a
// person's credentials cannot sign URLs, a service account's can.
import { anyone, Registry } from 'wharfage'
import { gcs } from 'wharfage/gcs'
import { createRegistryServer } from 'wharfage/node'

const { BUCKET = 'images', GCS_ENDPOINT, PORT = '5000' } = process.env
const registry = new Registry({ storage: gcs({ bucket: BUCKET, ...(GCS_ENDPOINT && { endpoint: GCS_ENDPOINT }) }) })
await registry.ping() // whether the bucket is there, and lets us in

const server = createRegistryServer(registry, { access: anyone(), redirect: false })
server.listen(Number(PORT), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close(() => registry.close()))
