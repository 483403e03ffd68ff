import { mkdir } from 'node:fs/promises'
import { findServer } from './find.ts'
import { startProcess } from './process.ts'
import { type RunningS3, runningS3 } from './s3.ts'
import type { TestServer } from './server.ts'

const COMMAND = 'versitygw'

/** S3 over a directory: checks signatures, and cannot hold the keys `a` and `a/b` together. */
export const versitygw: TestServer<RunningS3> = {
  name: COMMAND,
  tornConditions: ['delete'],
  find: () => findServer(COMMAND),
  async start() {
    const credentials = { accessKeyId: 'wharfage', secretAccessKey: crypto.randomUUID() }
    const server = await startProcess({
      executable: findServer(COMMAND) ?? COMMAND,
      async args(port, directory) {
        await mkdir(`${directory}/data`)
        await mkdir(`${directory}/metadata`)
        return [
          '--quiet',
          '--keep-alive',
          '--port',
          `127.0.0.1:${port}`,
          'posix',
          '--sidecar',
          `${directory}/metadata`,
          `${directory}/data`,
        ]
      },
      // Not as options, which every user of the machine can read.
      environment: {
        ROOT_ACCESS_KEY_ID: credentials.accessKeyId,
        ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      },
    })
    return runningS3(server, credentials)
  },
}
