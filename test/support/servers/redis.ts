import { accepts } from '../../bench/process.js'
import { findServer } from './find.ts'
import { startProcess } from './process.ts'

const COMMAND = 'redis-server'

export interface RunningRedis {
  /** `redis://127.0.0.1:port` */
  readonly url: string
  stop(): Promise<void>
}

/** Redis, as Debian has it, keeping nothing. */
export const redis = {
  name: COMMAND,
  find: (): string | undefined => findServer(COMMAND),
  async start(): Promise<RunningRedis> {
    const server = await startProcess({
      executable: findServer(COMMAND) ?? COMMAND,
      args: (port, directory) => [
        ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory],
        ...['--save', '', '--appendonly', 'no'],
      ],
      answers: accepts,
    })
    return { url: `redis://127.0.0.1:${server.port}`, stop: () => server.stop() }
  },
}
