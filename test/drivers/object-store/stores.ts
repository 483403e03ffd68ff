import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Storage } from '@google-cloud/storage'
import { azure } from '../../../src/drivers/azure.ts'
import { gcs } from '../../../src/drivers/gcs.ts'
import { s3 } from '../../../src/drivers/s3.ts'
import type { StorageDriver } from '../../../src/storage/driver.ts'
import {
  azurite,
  fakeGCSServer,
  moto,
  type RunningServer,
  type TestServer,
  versitygw,
} from '../../support/servers/index.ts'

/** A store, and how its driver is opened on one of its buckets, or on something else that listens at `endpoint`. */
export interface Store<R extends RunningServer = RunningServer> {
  readonly server: TestServer<R>
  open(running: R, bucket: string, endpoint?: string): StorageDriver
}

function store<R extends RunningServer>(server: TestServer<R>, open: Store<R>['open']): Store {
  return { server, open: (running, bucket, endpoint) => open(running as R, bucket, endpoint) }
}

export const STORES: readonly Store[] = [
  ...[versitygw, moto].map((server) =>
    store(server, ({ region, credentials, ...running }, bucket, endpoint = running.endpoint) =>
      s3({ bucket, endpoint, region, credentials }),
    ),
  ),
  store(azurite, ({ accountName, accountKey, ...running }, container, endpoint = running.endpoint) =>
    azure({ container, endpoint, accountName, accountKey }),
  ),
  store(fakeGCSServer, ({ projectId, credentials, ...running }, bucket, endpoint) =>
    endpoint === undefined
      ? gcs({ bucket, endpoint: running.endpoint, projectId, credentials })
      : // The SDK waits a second before it tries again.
        gcs({ bucket, storage: new Storage({ apiEndpoint: endpoint, projectId, retryOptions: { autoRetry: false } }) }),
  ),
]

/** For the contract's `unavailable`: what is wrong, and a driver to which it happens. */
export function outagesOf(
  server: TestServer<RunningServer>,
  running: () => RunningServer,
): Record<string, () => Promise<StorageDriver>> {
  const store = STORES.find((one) => one.server.name === server.name)
  if (store === undefined) throw new Error(`no store on ${server.name}`)
  return {
    'no such bucket': async () => store.open(running(), 'no-such-bucket'),
    'nobody listens': async () => store.open(running(), 'images', await deserted()),
  }
}

/** An endpoint at which a server listened a moment ago. */
async function deserted(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}`
}
