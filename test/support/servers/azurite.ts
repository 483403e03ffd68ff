import { randomBytes } from 'node:crypto'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { findServer } from './find.ts'
import { startProcess } from './process.ts'
import { bucketName, inByteOrder, type RunningServer, type TestServer } from './server.ts'

const COMMAND = 'azurite-blob'

export interface RunningAzure extends RunningServer {
  readonly accountName: string
  /** Base64. */
  readonly accountKey: string
  /** A client of the test's own, with the shared key, for looking behind a driver's back. */
  readonly client: BlobServiceClient
}

/** Azure Blob Storage in memory. */
export const azurite: TestServer<RunningAzure> = {
  name: 'azurite',
  find: () => findServer(COMMAND),
  async start() {
    const accountName = 'wharfage'
    const accountKey = randomBytes(64).toString('base64')
    const server = await startProcess({
      executable: findServer(COMMAND) ?? COMMAND,
      args: (port) => [
        ...['--blobHost', '127.0.0.1', '--blobPort', `${port}`, '--inMemoryPersistence'],
        // The SDK may know a version of the protocol that is newer than this server.
        ...['--skipApiVersionCheck', '--silent', '--disableTelemetry'],
      ],
      environment: { AZURITE_ACCOUNTS: `${accountName}:${accountKey}` },
    })
    const endpoint = `http://127.0.0.1:${server.port}/${accountName}`
    const client = new BlobServiceClient(endpoint, new StorageSharedKeyCredential(accountName, accountKey))
    const keys = async (container: string, uncommitted: boolean) => {
      const found: string[] = []
      const blobs = client.getContainerClient(container).listBlobsFlat({ includeUncommitedBlobs: uncommitted })
      for await (const { name } of blobs) found.push(name)
      return inByteOrder(found)
    }
    return {
      endpoint,
      accountName,
      accountKey,
      client,
      directory: server.directory,
      environment: { AZURE_STORAGE_ACCOUNT: accountName, AZURE_STORAGE_KEY: accountKey },
      async createBucket() {
        const name = bucketName()
        await client.createContainer(name)
        return name
      },
      keys: (container) => keys(container, false),
      async unfinished(container) {
        const committed = new Set(await keys(container, false))
        return (await keys(container, true)).filter((key) => !committed.has(key))
      },
      stop: () => server.stop(),
    }
  },
}
