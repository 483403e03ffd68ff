// @ts-check
// Two nodes on one bucket, as two processes would be: what is begun at one is finished at the other. Nothing is shared but the
// bucket, and, where it is given, a cache: `cache: redisCache(client)`.
import { createHash } from 'node:crypto'
import { anyone, Registry } from 'wharfage'
import { createRegistryServer } from 'wharfage/node'
import { s3 } from 'wharfage/s3'

const { BUCKET = 'images', S3_ENDPOINT, PORT = '5000' } = process.env

/** @param {number} port @returns {Promise<{ url: string, stop: () => void }>} */
function startNode(port) {
  const registry = new Registry({ storage: s3({ bucket: BUCKET, ...(S3_ENDPOINT && { endpoint: S3_ENDPOINT }) }) })
  const server = createRegistryServer(registry, { access: anyone() })
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => {
      const { port: bound } = /** @type {import('node:net').AddressInfo} */ (server.address())
      resolve({ url: `http://127.0.0.1:${bound}`, stop: () => server.close(() => registry.close()) })
    })
  })
}

const one = await startNode(Number(PORT))
const two = await startNode(PORT === '0' ? 0 : Number(PORT) + 1)

const layer = Buffer.from('a layer, in two halves')
const digest = `sha256:${createHash('sha256').update(layer).digest('hex')}`
const begun = await fetch(`${one.url}/v2/team/app/blobs/uploads/`, { method: 'POST' })
const upload = begun.headers.get('location') ?? ''
const half = await fetch(two.url + upload, { method: 'PATCH', body: layer.subarray(0, 10) })
console.log(`node two has ${half.headers.get('range')}`)
const done = await fetch(`${one.url}${upload}?digest=${digest}`, { method: 'PUT', body: layer.subarray(10) })
console.log(`node one answers ${done.status}`)

console.log(`listening on ${two.url}`)
process.once('SIGTERM', () => {
  one.stop()
  two.stop()
})
