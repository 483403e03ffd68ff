// @ts-check
// The servers under measure, each a child process over a directory of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import net from 'node:net'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} Server
 * @property {string} name
 * @property {number} port
 * @property {number} pid
 * @property {string} directory where it keeps its content, in the layout that both share
 * @property {() => Promise<void>} stop
 */

/**
 * @param {string} directory
 * @returns {Promise<Server>}
 */
export async function startWharfage(directory) {
  const command = fileURLToPath(new URL('../../dist/cli/main.cjs', import.meta.url))
  const args = [command, 'serve', '--listen', '127.0.0.1:0', '--storage', `file:${directory}`]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ready = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const port = /^listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]
      if (port !== undefined) return Number(port)
    }
    throw new Error('wharfage ended before it listened')
  })()
  const port = await ready
  child.stdout.resume()
  return { name: 'wharfage', port, directory, ...lifeOf(child) }
}

/**
 * @param {string} binary
 * @param {string} directory
 * @returns {Promise<Server>}
 */
export async function startDistribution(binary, directory) {
  const port = await freePort()
  await mkdir(directory, { recursive: true })
  const config = `${directory}.yml`
  // As in the configuration that it ships, with its descriptor cache, and nothing logged per request.
  writeFileSync(
    config,
    `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${JSON.stringify(directory)} }, delete: { enabled: true }, cache: { blobdescriptor: inmemory } }
http: { addr: "127.0.0.1:${port}" }
`,
  )
  // Without this it sends traces to a collector that is not there.
  const env = { ...process.env, OTEL_TRACES_EXPORTER: 'none' }
  const child = spawn(binary, ['serve', config], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  const life = lifeOf(child)
  for (let tries = 0; !(await accepts(port)); tries++) {
    if (child.exitCode !== null || tries > 200) throw new Error(`${binary} does not listen on 127.0.0.1:${port}`)
    await sleep(25)
  }
  return { name: 'distribution', port, directory, ...life }
}

/** Distribution's binary: `$DISTRIBUTION_BIN`, else `registry` on the PATH; `undefined` where there is none. */
export function findDistribution() {
  const named = process.env.DISTRIBUTION_BIN
  if (named) return named
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'registry'))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** @param {import('node:child_process').ChildProcess} child */
function lifeOf(child) {
  const { pid } = child
  if (pid === undefined) throw new Error('the server did not start')
  const ended = once(child, 'exit')
  return {
    pid,
    stop: async () => {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
      await ended
      clearTimeout(timer)
    },
  }
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {net.AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

/** @param {number} port */
async function accepts(port) {
  const socket = net.connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
