// @ts-check
// An S3 server for both registries to keep their content in: `versitygw`, which logs every request it takes.
import { spawn } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { accepts, findOn, freePort, lifeOf, until } from './process.js'

const ACCESS_KEY = 'wharfage'
const SECRET_KEY = 'wharfage-bench'

/**
 * @typedef {object} BucketServer
 * @property {string} endpoint
 * @property {string} data directory in which each bucket is a folder of plain files
 * @property {Record<string, string>} environment for whoever uses it
 * @property {(bucket: string) => Promise<Record<string, number>>} calls so far, by operation
 * @property {() => Promise<void>} stop
 */

/**
 * @param {string} directory
 * @param {readonly string[]} buckets
 * @returns {Promise<BucketServer>}
 */
export async function startBucketServer(directory, buckets) {
  const cache =
    process.env.WHARFAGE_SERVERS ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'wharfage-servers')
  const binary = findOn('versitygw', [process.env.PATH, join(cache, 'bin')].join(delimiter))
  if (binary === undefined) throw new Error('BENCH_STORAGE=s3 needs versitygw: npm run servers')
  const port = await freePort()
  const data = join(directory, 'data')
  const log = join(directory, 'access.log')
  for (const bucket of buckets) await mkdir(join(data, bucket), { recursive: true })
  await mkdir(join(directory, 'metadata'))
  const args = ['--quiet', '--keep-alive', '--access-log', log, '--port', `127.0.0.1:${port}`]
  const child = spawn(binary, [...args, 'posix', '--sidecar', join(directory, 'metadata'), data], {
    env: { ...process.env, ROOT_ACCESS_KEY_ID: ACCESS_KEY, ROOT_SECRET_ACCESS_KEY: SECRET_KEY },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const life = lifeOf(child)
  await until(() => accepts(port), child, `versitygw does not listen on 127.0.0.1:${port}`)
  return {
    endpoint: `http://127.0.0.1:${port}`,
    data,
    environment: { AWS_ACCESS_KEY_ID: ACCESS_KEY, AWS_SECRET_ACCESS_KEY: SECRET_KEY, AWS_REGION: 'us-east-1' },
    calls: async (bucket) => countCalls(await readFile(log, 'utf8'), bucket),
    stop: life.stop,
  }
}

/**
 * The format is that of S3's own access log: owner, bucket, [time], address, requester, request id, operation, key, …
 *
 * @param {string} log
 * @param {string} bucket
 */
function countCalls(log, bucket) {
  /** @type {Record<string, number>} */
  const calls = {}
  for (const line of log.split('\n')) {
    const [, inBucket, operation] = /^\S+ (\S+) \[[^\]]*\] \S+ \S+ \S+ (\S+)/.exec(line) ?? []
    if (inBucket === bucket && operation !== undefined) calls[operation] = (calls[operation] ?? 0) + 1
  }
  return calls
}
