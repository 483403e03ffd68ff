// @ts-check
// `npm run bench`: this registry, and Distribution beside it where its binary is found, in turns.
//
//   BENCH_SCALE=0.2      smaller (default 1)          BENCH_ROUNDS=5  more rounds (default 3)
//   BENCH_ONLY=a,b       these scenarios alone, and what they need
//   BENCH_DIR=DIR        where the servers keep their content (default: the system's temporary folder)
//   BENCH_JSON=FILE      every sample, as JSON
//   BENCH_SYNCS=1        count the syncs of every scenario that writes, too (needs strace)
//   BENCH_STORAGE=s3     in a bucket each of one S3 server, versitygw, in place of a directory; counts the calls it takes
//   DISTRIBUTION_BIN     Distribution's registry (default: `registry` on the PATH)
//
// Rates are medians of the rounds; ratios compare each round with the one right beside it. Figures of two runs do not
// compare: machines have moods. Processor time per operation is the steadiest.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startBucketServer } from './bucket.js'
import { measure } from './measure.js'
import { figureOf, number, speedRatio, table } from './report.js'
import { makeRound, SCENARIOS, sizesFor } from './scenarios.js'
import { findDistribution, startDistribution, startWharfage } from './servers.js'
import { countSyncs } from './syncs.js'

/** @typedef {import('./measure.js').Sample} Sample */
/** @typedef {import('./servers.js').Server} Server */

/** A scenario that reads needs the one that writes. */
const NEEDS = /** @type {Readonly<Record<string, string>>} */ ({
  'pull-big': 'push-mono-big',
  'pull-small': 'push-small',
  'head-blob': 'push-small',
  mount: 'push-small',
  'get-manifest-tag': 'put-manifest',
  'get-manifest-digest': 'put-manifest',
  'tags-list': 'put-manifest',
  'tags-page': 'put-manifest',
})

const sizes = sizesFor(Number(process.env.BENCH_SCALE ?? 1))
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const only = (process.env.BENCH_ONLY ?? '').split(',').filter((name) => name !== '')
const scenarios = SCENARIOS.filter(
  ({ name }) => only.length === 0 || only.some((wanted) => wanted === name || NEEDS[wanted] === name),
)

const directory = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'wharfage-bench-'))
/** @type {Server[]} */
const servers = []
/** @type {import('./bucket.js').BucketServer | undefined} */
let buckets
try {
  if (process.env.BENCH_STORAGE === 's3') buckets = await startBucketServer(directory, ['wharfage', 'distribution'])
  const place = (/** @type {string} */ bucket) => ({
    bucket,
    buckets,
    directory: join(buckets?.data ?? directory, bucket),
  })
  servers.push(await startWharfage(place('wharfage')))
  const distribution = findDistribution()
  if (distribution !== undefined) {
    servers.push(await startDistribution(distribution, place('distribution'), join(directory, 'distribution.yml')))
  } else console.error('no Distribution beside it: put its `registry` on the PATH, or name it in DISTRIBUTION_BIN')

  // Both run warm: a compiler that has not seen the code yet is not what is measured.
  await runRound(0, sizesFor(0.1), () => {})
  /** @type {Map<string, Sample[]>} */
  const samples = new Map()
  for (let round = 1; round <= rounds; round++) {
    await runRound(round, sizes, (server, scenario, sample) => {
      const key = `${server} ${scenario}`
      samples.set(key, [...(samples.get(key) ?? []), sample])
    })
  }
  print(samples)
  if (process.env.BENCH_SYNCS) await printSyncs()
  if (buckets !== undefined) await printCalls(buckets)
  if (process.env.BENCH_JSON) await writeFile(process.env.BENCH_JSON, JSON.stringify(Object.fromEntries(samples)))
  if ([...samples.values()].flat().some(({ errors }) => errors > 0)) process.exitCode = 1
} finally {
  for (const server of servers) await server.stop()
  await buckets?.stop()
  await rm(directory, { recursive: true, force: true })
}

/**
 * @param {number} number
 * @param {import('./scenarios.js').Sizes} roundSizes
 * @param {(server: string, scenario: string, sample: Sample) => void} collect
 */
async function runRound(number, roundSizes, collect) {
  const round = makeRound(roundSizes, number + 1)
  for (const scenario of scenarios) {
    // Who goes first changes, so that neither always has the warmer disk.
    for (const server of number % 2 === 0 ? servers : servers.toReversed()) {
      collect(server.name, scenario.name, await measure(server, scenario, round))
      await removeBlobs(server, scenario.finishes?.(round) ?? [])
      if (number > 0) process.stderr.write('.')
    }
  }
  if (number > 0) process.stderr.write('\n')
  for (const server of servers) await removeBlobs(server, Object.values(round.bigs).flat())
}

/**
 * From under the server: all have the same layout. At once, because disks are not endless, and because the memory of the
 * page cache is then used again: memory that a virtual machine has to ask its host for makes writing several times slower,
 * for whoever happens to need it.
 *
 * @param {Server} server
 * @param {readonly import('./content.js').Blob[]} blobs
 */
async function removeBlobs({ directory: root }, blobs) {
  for (const { digest } of blobs) {
    const hex = digest.slice('sha256:'.length)
    await rm(join(root, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex), { recursive: true, force: true })
  }
}

/** @param {Map<string, Sample[]>} samples */
function print(samples) {
  const round = makeRound({ ...sizes, bigs: 0, smalls: 0, tags: 0 }, 0)
  const names = servers.map(({ name }) => name)
  const compared = names.length > 1
  const heading = ['scenario', ...names.flatMap((name) => [name, 'MB/s', 'CPU ms', 'p99 ms', 'peak MB'])]
  if (compared) heading.push('speed', 'CPU', 'peak')
  const slower = /** @type {string[]} */ ([])
  const rows = scenarios.map(({ name, bytes }) => {
    const all = names.map((server) => samples.get(`${server} ${name}`) ?? [])
    const figures = all.map((each) => figureOf(each, bytes?.(round)))
    const row = [
      name,
      ...figures.flatMap((figure) => [
        `${number(figure.opsPerSecond)}/s`,
        number(figure.megabytesPerSecond),
        number(figure.cpuMsPerOp),
        number(figure.p99Ms),
        number(figure.peakMegabytes),
      ]),
    ]
    const [ours, theirs] = figures
    if (ours !== undefined && theirs !== undefined) {
      const speed = speedRatio(all[0] ?? [], all[1] ?? [])
      if (speed < 1) slower.push(`${name} ${number(speed)}`)
      row.push(
        number(speed),
        number(ours.cpuMsPerOp / theirs.cpuMsPerOp),
        number(ours.peakMegabytes / theirs.peakMegabytes),
      )
    }
    return row
  })
  console.log(table([heading, ...rows]))
  if (!compared) return
  console.log(
    '\nratios: wharfage / distribution; speed above 1 is faster, processor time and peak memory below 1 are less',
  )
  console.log(slower.length === 0 ? 'no scenario is slower' : `slower: ${slower.join(', ')}`)
}

/** @param {import('./bucket.js').BucketServer} bucketServer */
async function printCalls(bucketServer) {
  const round = makeRound(sizesFor(0.1), rounds + 2)
  const rows = [
    ['calls to the bucket per operation', ...servers.map(({ name }) => name), ...servers.map(({ name }) => name)],
  ]
  for (const scenario of scenarios) {
    const counted = []
    for (const server of servers) counted.push(await callsOf(bucketServer, server, scenario, round))
    rows.push([scenario.name, ...counted.map(({ total }) => number(total)), ...counted.map(({ kinds }) => kinds)])
  }
  console.log(`\n${table(rows)}`)
}

/**
 * @param {import('./bucket.js').BucketServer} bucketServer
 * @param {Server} server
 * @param {import('./scenarios.js').Scenario} scenario
 * @param {import('./scenarios.js').Round} round
 */
async function callsOf(bucketServer, server, scenario, round) {
  const before = await bucketServer.calls(server.bucket)
  const { operations } = await measure(server, scenario, round)
  const after = await bucketServer.calls(server.bucket)
  const calls = Object.entries(after)
    .map(([name, count]) => ({ name: name.replace(/^s3_/, ''), count: (count - (before[name] ?? 0)) / operations }))
    .filter(({ count }) => count > 0)
  return {
    total: calls.reduce((sum, { count }) => sum + count, 0),
    kinds: calls.map(({ name, count }) => `${name} ${number(count)}`).join(' '),
  }
}

async function printSyncs() {
  const round = makeRound(sizesFor(0.1), rounds + 2)
  const rows = [['syncs per operation', ...servers.map(({ name }) => name)]]
  for (const scenario of scenarios) {
    const counts = []
    for (const server of servers) counts.push(await countSyncs(server, scenario, round, join(directory, 'strace')))
    if (counts.some((count) => count > 0)) rows.push([scenario.name, ...counts.map(number)])
  }
  console.log(`\n${table(rows)}`)
}
