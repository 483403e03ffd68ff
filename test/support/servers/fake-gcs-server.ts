import { generateKeyPairSync } from 'node:crypto'
import { Storage } from '@google-cloud/storage'
import { findServer } from './find.ts'
import { startProcess } from './process.ts'
import { bucketName, inByteOrder, type RunningServer, type TestServer } from './server.ts'

const COMMAND = 'fake-gcs-server'

export interface RunningGCS extends RunningServer {
  readonly projectId: string
  /** Of a service account that exists nowhere, to sign URLs with: the server checks no signatures. */
  readonly credentials: { readonly client_email: string; readonly private_key: string }
  /** A client of the test's own, for looking behind a driver's back. */
  readonly client: Storage
}

/** Google Cloud Storage in memory: no signatures, and no preconditions on deleting, composing and copying. */
export const fakeGCSServer: TestServer<RunningGCS> = {
  name: COMMAND,
  tornConditions: ['delete'],
  find: () => findServer(COMMAND),
  async start() {
    const server = await startProcess({
      executable: findServer(COMMAND) ?? COMMAND,
      args: (port) => [
        ...['-backend', 'memory', '-scheme', 'http', '-host', '127.0.0.1', '-port', `${port}`, '-log-level', 'warn'],
        // What it puts into the locations of uploads, and takes for itself in signed URLs.
        ...['-external-url', `http://127.0.0.1:${port}`, '-public-host', `127.0.0.1:${port}`],
      ],
    })
    const endpoint = `http://127.0.0.1:${server.port}`
    const projectId = 'wharfage'
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const credentials = {
      client_email: 'test@wharfage.iam.gserviceaccount.com',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    }
    const client = new Storage({ apiEndpoint: endpoint, projectId, credentials })
    return {
      endpoint,
      projectId,
      credentials,
      client,
      directory: server.directory,
      environment: { STORAGE_EMULATOR_HOST: endpoint, GOOGLE_CLOUD_PROJECT: projectId },
      async createBucket() {
        const name = bucketName()
        await client.createBucket(name)
        return name
      },
      async keys(bucket) {
        const [files] = await client.bucket(bucket).getFiles()
        return inByteOrder(files.map(({ name }) => name))
      },
      // Resumable uploads cannot be listed.
      unfinished: () => Promise.resolve([]),
      stop: () => server.stop(),
    }
  },
}
