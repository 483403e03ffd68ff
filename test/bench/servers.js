// @ts-check
// The servers under measure, each a child process over a directory, or a bucket, of its own.
import { spawn } from 'node:child_process'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { accepts, findOn, freePort, lifeOf, until } from './process.js'

/**
 * @typedef {object} Server
 * @property {string} name
 * @property {number} port
 * @property {number} pid
 * @property {string} directory where it keeps its content, in the layout that both share
 * @property {string} bucket in the bucket server, where there is one
 * @property {() => Promise<void>} stop
 */

/**
 * Where a server keeps its content: below `directory`, which both can be looked into, and, where there is a bucket server,
 * by way of that one's bucket.
 *
 * @typedef {object} Place
 * @property {string} directory
 * @property {string} bucket
 * @property {import('./bucket.js').BucketServer | undefined} buckets
 */

/**
 * @param {Place} place
 * @returns {Promise<Server>}
 */
export async function startWharfage({ directory, bucket, buckets }) {
  const command = fileURLToPath(new URL('../../dist/cli/main.cjs', import.meta.url))
  const storage = buckets ? `s3://${bucket}?endpoint=${buckets.endpoint}` : `file:${directory}`
  // Bytes through both registries: a redirect would measure the bucket server.
  const args = [
    command,
    'serve',
    '--listen',
    '127.0.0.1:0',
    '--storage',
    storage,
    ...(buckets ? ['--no-redirect'] : []),
  ]
  const env = { ...process.env, NODE_NO_WARNINGS: '1', ...buckets?.environment }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ready = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const port = /^listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]
      if (port !== undefined) return Number(port)
    }
    throw new Error('wharfage ended before it listened')
  })()
  const port = await ready
  child.stdout.resume()
  return { name: 'wharfage', port, directory, bucket, ...lifeOf(child) }
}

/**
 * @param {string} binary
 * @param {Place} place
 * @param {string} config the file to write its configuration to
 * @returns {Promise<Server>}
 */
export async function startDistribution(binary, { directory, bucket, buckets }, config) {
  const port = await freePort()
  await mkdir(directory, { recursive: true })
  const storage = buckets
    ? {
        s3: { bucket, regionendpoint: buckets.endpoint, region: 'us-east-1', forcepathstyle: true, secure: false },
        redirect: { disable: true },
      }
    : { filesystem: { rootdirectory: directory } }
  // As in the configuration that it ships, with its descriptor cache, and nothing logged per request.
  writeFileSync(
    config,
    `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: ${JSON.stringify({ ...storage, delete: { enabled: true }, cache: { blobdescriptor: 'inmemory' } })}
http: { addr: "127.0.0.1:${port}" }
`,
  )
  // Without this it sends traces to a collector that is not there.
  const env = { ...process.env, OTEL_TRACES_EXPORTER: 'none', ...buckets?.environment }
  // A line for each answer but 200: what is not there yet is asked for, too.
  const log = `${config}.log`
  const child = spawn(binary, ['serve', config], { env, stdio: ['ignore', 'ignore', openSync(log, 'w')] })
  const life = lifeOf(child)
  await until(
    () => accepts(port),
    child,
    () => `${binary} does not listen on 127.0.0.1:${port}: ${readFileSync(log, 'utf8')}`,
  )
  return { name: 'distribution', port, directory, bucket, ...life }
}

/** Distribution's binary: `$DISTRIBUTION_BIN`, else `registry` on the PATH; `undefined` where there is none. */
export function findDistribution() {
  const named = process.env.DISTRIBUTION_BIN
  return named || findOn('registry', process.env.PATH ?? '')
}
