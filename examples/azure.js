// @ts-check
// A registry over a container of Azure Blob Storage. With `credential: new DefaultAzureCredential()` of `@azure/identity` in
// place of the key, the identity of the machine it runs on is used.
import { anyone, Registry } from 'wharfage'
import { azure } from 'wharfage/azure'
import { createRegistryServer } from 'wharfage/node'

const {
  CONTAINER = 'images',
  AZURE_STORAGE_ACCOUNT = '',
  AZURE_STORAGE_KEY = '',
  AZURE_ENDPOINT,
  PORT = '5000',
} = process.env
const storage = azure({
  container: CONTAINER,
  accountName: AZURE_STORAGE_ACCOUNT,
  accountKey: AZURE_STORAGE_KEY,
  ...(AZURE_ENDPOINT && { endpoint: AZURE_ENDPOINT }),
})
const registry = new Registry({ storage })
await registry.ping() // whether the container is there, and lets us in

const server = createRegistryServer(registry, { access: anyone() })
server.listen(Number(PORT), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close(() => registry.close()))
