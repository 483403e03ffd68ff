import { findServer } from './find.ts'
import { startProcess } from './process.ts'
import { type RunningS3, runningS3 } from './s3.ts'
import type { TestServer } from './server.ts'

const COMMAND = 'moto_server'

/** S3 in memory: checks no signatures and no checksums of requests. */
export const moto: TestServer<RunningS3> = {
  name: 'moto',
  tornConditions: ['put', 'delete'],
  find: () => findServer(COMMAND),
  async start() {
    const server = await startProcess({
      executable: findServer(COMMAND) ?? COMMAND,
      args: (port) => ['-H', '127.0.0.1', '-p', `${port}`],
    })
    return runningS3(server, { accessKeyId: 'wharfage', secretAccessKey: crypto.randomUUID() })
  },
}
