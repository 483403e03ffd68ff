// The server under test as a pull-through cache, and what its process has open.
import { mkdir, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { distributionConfig, environmentWithout, startRegistry } from './registry.mjs'

/**
 * Starts a cache over `directory`: everything is the first upstream's (as a `registry-mirror` of Docker has to have it), the same
 * under `docker.io/`, and the second's is under `second.test/`. Resolves to `{ url, host, pid, storage, spool, openFiles, stop }`.
 *
 * WHARFAGE_CI_REGISTRY=distribution makes it Distribution's own cache, which knows the first upstream alone. See the check fail on it.
 */
export async function startCache(scope, directory, first, second) {
  const [storage, spool] = [join(directory, 'storage'), join(directory, 'spool')]
  for (const dir of [storage, spool]) await mkdir(dir, { recursive: true })
  const upstreams = [first.url, `docker.io=${first.url}`, `second.test=${second.url}`]
  const server = await (process.env.WHARFAGE_CI_REGISTRY === 'distribution'
    ? startDistributionCache(scope, `file:${storage}`, first.url)
    : startRegistry(scope, {
        storage: `file:${storage}`,
        args: upstreams.flatMap((upstream) => ['--proxy', upstream]),
        env: { ...process.env, TMPDIR: spool },
      }))
  const before = await countOpen(server.pid)
  return { ...server, storage, spool, openFiles: () => countSettled(server.pid, before) }
}

/** What is left of a list that is to become empty. */
export async function leftOf(list, timeoutMs = 30_000) {
  for (const deadline = Date.now() + timeoutMs; ; await delay(100)) {
    const left = await list()
    if (left.length === 0 || Date.now() > deadline) return left
  }
}

/** Waits until a process has no more open than `before`: connections that were kept are closed later, by the cache after a minute. */
async function countSettled(pid, before, timeoutMs = 120_000) {
  for (const deadline = Date.now() + timeoutMs; ; await delay(100)) {
    const now = await countOpen(pid)
    if (now <= before) return
    if (Date.now() > deadline) throw new Error(`${now} are open, ${before} were:\n${(await linksOf(pid)).join('\n')}`)
  }
}

async function countOpen(pid) {
  return (await linksOf(pid)).length
}

/** What the process has open: paths, also of files without a name, and sockets. */
async function linksOf(pid) {
  const numbers = await readdir(`/proc/${pid}/fd`)
  const links = await Promise.all(numbers.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => undefined)))
  return links.filter((link) => link !== undefined)
}

async function startDistributionCache(scope, storage, remoteurl) {
  const config = await distributionConfig(scope, storage, { proxy: { remoteurl } })
  const child = scope.spawn('registry', ['serve', config], { env: environmentWithout('REGISTRY_') })
  const [, host] = await child.waitFor(/listening on (127\.0\.0\.1:\d+)/)
  return { kind: 'distribution', host, url: `http://${host}`, pid: child.pid, stop: () => child.stop() }
}
