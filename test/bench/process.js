// @ts-check
// Child processes that listen on a port.
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import net from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * An executable in one of the folders of a path; `undefined` where there is none.
 *
 * @param {string} name
 * @param {string} path
 */
export function findOn(name, path) {
  return path
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/**
 * @param {() => Promise<boolean>} isReady
 * @param {import('node:child_process').ChildProcess} child
 * @param {string | (() => string)} complaint
 */
export async function until(isReady, child, complaint) {
  for (let tries = 0; !(await isReady()); tries++) {
    if (child.exitCode !== null || tries > 200) throw new Error(typeof complaint === 'string' ? complaint : complaint())
    await sleep(25)
  }
}

/** @param {import('node:child_process').ChildProcess} child */
export function lifeOf(child) {
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

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {net.AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

/** @param {number} port */
export async function accepts(port) {
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
