// Starts an object store for the registries of a check to keep their content in, with the servers of `npm run servers`.
import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const { WHARFAGE_SERVERS, XDG_CACHE_HOME, PATH } = process.env
const servers = WHARFAGE_SERVERS || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'wharfage-servers')
const env = { ...process.env, PATH: [PATH, join(servers, 'bin')].join(delimiter) }
const account = 'wharfage'
const secret = Buffer.alloc(64, 'wharfage').toString('base64')

const STORES = {
  versitygw: {
    command: (port, dir) => ['versitygw', '--quiet', '--keep-alive', '--port', `127.0.0.1:${port}`, 'posix', dir],
    environment: { ROOT_ACCESS_KEY_ID: account, ROOT_SECRET_ACCESS_KEY: secret },
    ...s3(),
  },
  moto: { command: (port) => ['moto_server', '-H', '127.0.0.1', '-p', String(port)], environment: {}, ...s3() },
  azurite: {
    command: (port) => [
      ...['azurite-blob', '--blobHost', '127.0.0.1', '--blobPort', String(port), '--inMemoryPersistence'],
      ...['--skipApiVersionCheck', '--silent', '--disableTelemetry'],
    ],
    environment: { AZURITE_ACCOUNTS: `${account}:${secret}` },
    credentials: { AZURE_STORAGE_ACCOUNT: account, AZURE_STORAGE_KEY: secret },
    async create(endpoint, name) {
      const { BlobServiceClient, StorageSharedKeyCredential } = await import('@azure/storage-blob')
      const credential = new StorageSharedKeyCredential(account, secret)
      await new BlobServiceClient(`${endpoint}/${account}`, credential).createContainer(name)
    },
    url: (endpoint, name) => `azure://${name}/root?endpoint=${endpoint}/${account}`,
  },
  'fake-gcs-server': {
    command: (port) => [
      ...['fake-gcs-server', '-backend', 'memory', '-scheme', 'http', '-host', '127.0.0.1', '-port', String(port)],
      ...['-external-url', `http://127.0.0.1:${port}`, '-public-host', `127.0.0.1:${port}`, '-log-level', 'warn'],
    ],
    environment: {},
    credentials: serviceAccount,
    async create(endpoint, name) {
      const response = await fetch(`${endpoint}/storage/v1/b?project=wharfage`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name }),
      })
      if (!response.ok) throw new Error(`no bucket: ${response.status} ${await response.text()}`)
    },
    url: (endpoint, name) => `gs://${name}/root?endpoint=${endpoint}&project=wharfage`,
  },
}

/** Resolves to `bucket()`, which makes an empty one and resolves to what `--storage` wants. Credentials go into the environment. */
export async function startBuckets(scope, kind) {
  const { command, environment, credentials, create, url } = STORES[kind]
  const port = await freePort()
  const [executable, ...args] = command(port, await scope.tempDir(kind))
  const child = scope.spawn(executable, args, { env: { ...env, ...environment } })
  const endpoint = `http://127.0.0.1:${port}`
  await answer(endpoint, child)
  Object.assign(process.env, typeof credentials === 'function' ? await credentials(scope) : credentials)
  let count = 0
  return async () => {
    const name = `images-${++count}`
    await create(endpoint, name)
    return url(endpoint, name)
  }
}

function s3() {
  const credentials = { AWS_ACCESS_KEY_ID: account, AWS_SECRET_ACCESS_KEY: secret, AWS_REGION: 'us-east-1' }
  return {
    credentials,
    async create(endpoint, Bucket) {
      const { CreateBucketCommand, S3Client } = await import('@aws-sdk/client-s3')
      const client = new S3Client({
        ...{ endpoint, region: credentials.AWS_REGION, forcePathStyle: true },
        credentials: { accessKeyId: account, secretAccessKey: secret },
      })
      await client.send(new CreateBucketCommand({ Bucket }))
      client.destroy()
    },
    url: (endpoint, name) => `s3://${name}/root?endpoint=${endpoint}`,
  }
}

/** Of an account that exists nowhere, to sign URLs with: the server checks no signatures. */
async function serviceAccount(scope) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const file = join(await scope.tempDir('key'), 'key.json')
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  const content = { type: 'service_account', client_email: 'ci@wharfage.iam.gserviceaccount.com', private_key: key }
  await writeFile(file, JSON.stringify(content))
  return { GOOGLE_APPLICATION_CREDENTIALS: file }
}

async function answer(endpoint, child) {
  for (let tries = 0; ; tries++) {
    const response = await fetch(endpoint).catch(() => undefined)
    if (response) return response.arrayBuffer()
    const ended = await Promise.race([child.exited, delay(50)])
    if (ended || tries > 600) throw new Error(`${endpoint} does not answer:\n${child.output.slice(-4000)}`)
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
