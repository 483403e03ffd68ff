// @ts-check
// `npm run bench:copy`: one image from registry to registry and from registry to a layout, by `wharfage copy` and by the tools
// beside it that are found on the PATH (skopeo, crane, regctl), in turns.
//
//   BENCH_SCALE=0.1      smaller (default 1: an image of 2 GB)   BENCH_ROUNDS=5  more rounds (default 3)
//   BENCH_DIR=DIR        where everything is kept (default: the system's temporary folder)
//   DISTRIBUTION_BIN     Distribution's registry, which is source and target where it is found; else this project's command is
//
// A tool is timed from start to end as a process, with a target that has nothing of the image. The ratio compares each round of ours
// with the one right beside it; figures of two runs do not compare.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { chunksOf, makeBlob } from './content.js'
import { findOn } from './process.js'
import { median, number, table } from './report.js'
import { findDistribution, startDistribution, startWharfage } from './servers.js'

/** @typedef {import('./servers.js').Server} Server */

/** Megabytes of the layers at scale 1: a base, what is installed on it, and what changes. 2 GB in all. */
const LAYERS = [900, 500, 300, 150, 100, 40, 9, 1]

const scale = Number(process.env.BENCH_SCALE ?? 1)
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const COMMAND = fileURLToPath(new URL('../../dist/cli/main.cjs', import.meta.url))

/**
 * @typedef {object} Tool
 * @property {string} name
 * @property {(from: string, to: string) => string[]} toRegistry its command line; references are HOST/NAME:TAG
 * @property {(from: string, directory: string) => string[]} toLayout
 */

const SKOPEO = ['skopeo', '--insecure-policy', 'copy', '--quiet', '--preserve-digests']

/** @type {Tool} */
const OURS = {
  name: 'wharfage',
  toRegistry: (from, to) => [process.execPath, COMMAND, 'copy', '--quiet', `docker://${from}`, `docker://${to}`],
  toLayout: (from, directory) => [
    process.execPath,
    COMMAND,
    'copy',
    '--quiet',
    `docker://${from}`,
    `oci:${directory}:v1`,
  ],
}

/** @type {readonly Tool[]} */
const THEIRS = [
  {
    name: 'skopeo',
    toRegistry: (from, to) => [
      ...SKOPEO,
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      `docker://${from}`,
      `docker://${to}`,
    ],
    toLayout: (from, directory) => [...SKOPEO, '--src-tls-verify=false', `docker://${from}`, `oci:${directory}:v1`],
  },
  {
    name: 'crane',
    toRegistry: (from, to) => ['crane', 'copy', '--insecure', from, to],
    toLayout: (from, directory) => ['crane', 'pull', '--insecure', '--format', 'oci', from, directory],
  },
  {
    name: 'regctl',
    toRegistry: (from, to) => [...regctl(from, to), 'image', 'copy', from, to],
    toLayout: (from, directory) => [...regctl(from), 'image', 'copy', from, `ocidir://${directory}:v1`],
  },
]
/** @param {string[]} references */
function regctl(...references) {
  return ['regctl', ...references.flatMap((reference) => ['--host', `reg=${reference.split('/')[0]},tls=disabled`])]
}

const directory = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'wharfage-bench-copy-'))
/** @type {Server[]} */
const servers = []
try {
  const source = await start('source')
  const image = await pushImage(source)
  const tools = [OURS, ...THEIRS.filter(({ name }) => findOn(name, process.env.PATH ?? '') !== undefined)]
  for (const { name } of THEIRS) if (!tools.some((tool) => tool.name === name)) console.error(`no ${name} beside it`)
  await printTable('registry to registry', tools, async (tool, round) => {
    // A registry of its own for each: every copy starts from nothing.
    const target = await start(`target-${tool.name}-${round}`)
    const seconds = await timed(tool.toRegistry(`${hostOf(source)}/bench/image:v1`, `${hostOf(target)}/bench/copy:v1`))
    await expectImage(target, 'bench/copy', image)
    await target.stop()
    await rm(target.directory, { recursive: true })
    return seconds
  })
  await printTable('registry to layout', tools, async (tool, round) => {
    const layout = join(directory, `layout-${tool.name}-${round}`)
    const seconds = await timed(tool.toLayout(`${hostOf(source)}/bench/image:v1`, layout))
    await rm(layout, { recursive: true })
    return seconds
  })
} finally {
  for (const server of servers) await server.stop()
  await rm(directory, { recursive: true, force: true })
}

/** @param {string} name */
async function start(name) {
  const place = { directory: join(directory, name), bucket: name, buckets: undefined }
  await mkdir(place.directory, { recursive: true })
  const distribution = findDistribution()
  const server =
    distribution === undefined
      ? await startWharfage(place)
      : await startDistribution(distribution, place, join(directory, `${name}.yml`))
  servers.push(server)
  return server
}

/**
 * @param {Server} server
 * @returns {Promise<string>} the digest of the manifest
 */
async function pushImage(server) {
  const { RemoteBackend } = await import('../../dist/remote/index.js')
  const remote = new RemoteBackend(`http://${hostOf(server)}`)
  const { blobs, manifests } = remote.repository('bench/image')
  const layers = []
  for (const [i, megabytes] of LAYERS.entries()) {
    const blob = makeBlob(i + 1, Math.max(1000, Math.round(megabytes * scale * 1e6)))
    const digest = /** @type {`sha256:${string}`} */ (blob.digest)
    await blobs.put(bytesOf(blob), { digest, size: blob.size })
    layers.push({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: blob.size })
  }
  const diffIds = layers.map(({ digest }) => digest)
  const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } }
  const stored = await blobs.put(Buffer.from(JSON.stringify(config)))
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const configType = 'application/vnd.oci.image.config.v1+json'
  const manifest = { schemaVersion: 2, mediaType, config: { ...stored, mediaType: configType }, layers }
  const { digest } = await manifests.put(Buffer.from(JSON.stringify(manifest)), { mediaType, tags: ['v1'] })
  await remote.close()
  return digest
}

/** @param {import('./content.js').Blob} blob */
async function* bytesOf(blob) {
  yield* chunksOf(blob)
}

/**
 * @param {Server} server
 * @param {string} repository
 * @param {string} digest
 */
async function expectImage(server, repository, digest) {
  const url = `http://${hostOf(server)}/v2/${repository}/manifests/v1`
  const answer = await fetch(url, { method: 'HEAD', headers: { accept: 'application/vnd.oci.image.manifest.v1+json' } })
  const found = answer.headers.get('docker-content-digest')
  if (found !== digest) throw new Error(`${repository} is ${found ?? answer.status}, not ${digest}`)
}

/** @param {Server} server */
function hostOf({ port }) {
  return `127.0.0.1:${port}`
}

/**
 * @param {readonly string[]} command
 * @returns {Promise<number>} seconds
 */
async function timed([file = '', ...args]) {
  const start = performance.now()
  const env = { ...process.env, DOCKER_CONFIG: directory, HOME: directory, XDG_RUNTIME_DIR: directory }
  const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
    complaint += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}: ${complaint.slice(-2000)}`)
  return (performance.now() - start) / 1000
}

/**
 * @param {string} title
 * @param {readonly Tool[]} tools
 * @param {(tool: Tool, round: number) => Promise<number>} run
 */
async function printTable(title, tools, run) {
  /** @type {Map<string, number[]>} */
  const seconds = new Map()
  for (let round = 0; round < rounds; round++) {
    // Whoever comes first finds the disk in another mood than whoever comes last.
    const turn = tools.map((_, i) => /** @type {Tool} */ (tools[(i + round) % tools.length]))
    for (const tool of turn) {
      seconds.set(tool.name, [...(seconds.get(tool.name) ?? []), await run(tool, round)])
    }
  }
  const ours = seconds.get(OURS.name) ?? []
  const rows = tools.map(({ name }) => {
    const samples = seconds.get(name) ?? []
    const ratio = median(samples.map((sample, i) => sample / (ours[i] ?? Number.NaN)))
    return [name, number(median(samples)), name === OURS.name ? '' : number(ratio)]
  })
  console.log(`${table([[title, 'seconds', 'ours is faster by'], ...rows])}\n`)
}
