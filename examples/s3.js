// @ts-check
// A registry over a bucket of S3, or of what speaks S3: `BUCKET=images S3_ENDPOINT=http://127.0.0.1:7070 node examples/s3.js`.
// Credentials come from where the AWS SDK looks for them. Start it as often as you like, on one bucket: these are the nodes.
import { anyone, Registry } from 'wharfage'
import { createRegistryServer } from 'wharfage/node'
import { s3 } from 'wharfage/s3'

const { BUCKET = 'images', S3_ENDPOINT, PORT = '5000' } = process.env
const registry = new Registry({ storage: s3({ bucket: BUCKET, ...(S3_ENDPOINT && { endpoint: S3_ENDPOINT }) }) })
await registry.ping() // whether the bucket is there, and lets us in

const server = createRegistryServer(registry, { access: anyone() })
server.listen(Number(PORT), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close(() => registry.close()))
