import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, realpath } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Runs a server for as long as standard input stays open, then ends it and removes its directory. The end of input comes
 * by `stop`, and by itself however the test process ends: a handler of 'exit' would not run when that is killed.
 */
const KEEPER = `
directory=$1; shift
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -KILL $server; } 2>/dev/null & watch=$!
exec 3<&-
wait $server; code=$?
kill $watch 2>/dev/null
rm -rf "$directory"
exit $code
`

export interface ServerCommand {
  readonly executable: string
  /** @param directory - empty, the server's own until it ends, and its working directory */
  args(port: number, directory: string): readonly string[] | Promise<readonly string[]>
  environment?: NodeJS.ProcessEnv
  /** Whether it answers on its port. Default: whether it speaks HTTP there. */
  answers?(port: number): Promise<boolean>
}

export interface ServerProcess {
  readonly port: number
  /** Gone when `stop` has resolved. */
  readonly directory: string
  /** Ends the server at once; may be called again. */
  stop(): Promise<void>
}

/** Starts a server on a free port of 127.0.0.1, and resolves when it answers. @throws with what it printed, if it ends */
export async function startProcess(command: ServerCommand): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(command)
    } catch (error) {
      // Between looking for a free port and listening on it, another process may have taken it.
      if (attempt === 5 || !/in use/i.test(String(error))) throw error
    }
  }
}

async function startOnce({
  executable,
  args,
  environment,
  answers = speaksHttp,
}: ServerCommand): Promise<ServerProcess> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'wharfage-server-')))
  const port = await freePort()
  const child = spawn('/bin/sh', ['-c', KEEPER, 'sh', directory, executable, ...(await args(port, directory))], {
    cwd: directory,
    env: { ...process.env, TMPDIR: directory, ...environment },
    // In a group of its own: an interrupt at the terminal would end the keeper before it has cleaned up.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // The keeper may be gone when its input is ended.
  child.stdin.on('error', () => {})
  const output = tailOf(child)
  let ended = false
  const exit = once(child, 'close').then(() => {
    ended = true
  })
  const stop = async () => {
    child.stdin.end()
    await exit
  }
  const deadline = Date.now() + 60_000
  while (!(await answers(port))) {
    await Promise.race([exit, delay(20)])
    if (!ended && Date.now() < deadline) continue
    await stop()
    throw new Error(`${executable} ${ended ? 'ended' : 'does not answer'}: ${output()}`)
  }
  return { port, directory, stop }
}

/** The last of what a process prints, whatever the stream. */
function tailOf(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (more: string) => {
      text = (text + more).slice(-10_000)
    })
  }
  return () => text
}

async function speaksHttp(port: number): Promise<boolean> {
  try {
    // Whatever the status: an answer to a stranger is mostly a refusal.
    const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5000) })
    await response.body?.cancel()
    return true
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  return address.port
}
