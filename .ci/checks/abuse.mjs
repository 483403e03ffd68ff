// What a registry on the open network meets: clients that hold connections without using them, that leave in the middle, that all come
// at once, and manifests that are costly to look at. The server is the real command; its memory and descriptors are read from the kernel.
// WHARFAGE_CI_TRANSFER_BYTES makes the transfers larger: 200 MB under `npm run soak`.
import { randomInt } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { blocks, digestOfBlocks, peakMiB, residentMiB } from './lib/blocks.mjs'
import { Check } from './lib/check.mjs'
import { hostileManifests } from './lib/hostile-manifests.mjs'
import { digestOf } from './lib/layout.mjs'
import { receive } from './lib/receive.mjs'
import { startRegistry } from './lib/registry.mjs'
import { withScope } from './lib/scope.mjs'
import { slowClient } from './lib/slow-clients.mjs'
import { Wire } from './lib/wire.mjs'

const check = new Check('abuse')
const transferBytes = Number(process.env.WHARFAGE_CI_TRANSFER_BYTES ?? 40_000_000)
const COMMON = Buffer.from('what others come for')
const loopDelay = fileURLToPath(new URL('./lib/loop-delay.mjs', import.meta.url))

await withServer('slow clients', slowClients)
await withServer('clients that leave', abortedTransfers)
await withServer('a hundred transfers at once', manyTransfers, '--max-old-space-size=192')
await withServer('hostile manifests', hostile, `--import=${loopDelay}`)
check.finish()

function withServer(label, work, nodeOptions = '') {
  return withScope(async (scope) => {
    const storage = `file:${await scope.tempDir('storage')}`
    const registry = await startRegistry(scope, { storage, env: { ...process.env, NODE_OPTIONS: nodeOptions } })
    const step = (what, work) => check.step(`${label}: ${what}`, work)
    await work({ registry, wire: new Wire(registry.url), step, port: new URL(registry.url).port })
    await step('the registry logged no error of its own', () => {
      const line = /.*unexpected error.*/.exec(registry.output())
      if (line) throw new Error(line[0])
    })
    await step('the registry stops when asked', () => registry.stop())
  })
}

/** 2,000 connections that send a byte of a header every ten seconds, 500 uploads at a byte a second. */
async function slowClients({ registry, wire, step, port }) {
  const digest = await wire.putBlob('team/app', COMMON)
  const before = await residentMiB(registry.pid)
  const quiet = await latencies(registry, digest, 200)
  const path = `/v2/team/slow/blobs/uploads/?digest=${digest}`
  const headers = `POST ${path} HTTP/1.1\r\nHost: ${registry.host}\r\nContent-Type: application/octet-stream\r\n`
  const clients = []
  for (let i = 0; i < 2000; i += 1)
    clients.push(slowClient(port, `GET /v2/ HTTP/1.1\r\nHost: ${registry.host}\r\nX-Slow: `, 10_000))
  for (let i = 0; i < 500; i += 1) clients.push(slowClient(port, `${headers}Content-Length: 1000000\r\n\r\n`, 1000))
  const slow = await Promise.all(clients)
  const busy = await latencies(registry, digest, 200)
  await step('others are served meanwhile', () => {
    console.log(`     p99 of a GET: ${quiet.toFixed(1)} ms alone, ${busy.toFixed(1)} ms among them`)
    if (!(busy < 250)) throw new Error(`p99 ${busy.toFixed(1)} ms`)
  })
  await step('all of them are sent away within two minutes', async () => {
    const answers = await Promise.race([
      Promise.all(slow.map(({ ended }) => ended)),
      delay(120_000, undefined, { ref: false }),
    ])
    if (answers === undefined) throw new Error('some connections are still open')
    const statuses = new Set(answers.map((answer) => answer.slice(0, 'HTTP/1.1 408'.length)))
    console.log(`     answers: ${[...statuses].map((status) => status || 'none').join(', ')}`)
    // To say nothing at all is allowed as well: whoever sends a request so slowly is not waiting for an answer.
    for (const status of statuses) if (!['', 'HTTP/1.1 408'].includes(status)) throw new Error(status)
  })
  for (const { destroy } of slow) destroy()
  await step('they took less than 120 MiB', async () => {
    const growth = (await peakMiB(registry.pid)) - before
    console.log(`     ${growth.toFixed(1)} MiB more than before`)
    if (!(growth < 120)) throw new Error(`${growth.toFixed(1)} MiB`)
  })
}

/** A thousand uploads and a thousand downloads, each broken off at a place of its own. */
async function abortedTransfers({ registry, wire, step }) {
  const content = Buffer.alloc(8_000_000, 'a layer that nobody waits for ')
  const digest = await wire.putBlob('team/app', content)
  const before = await descriptors(registry.pid)
  await step('a thousand uploads are broken off', () =>
    inParallel(1000, 50, async () => {
      const location = await begin(registry, 'team/aborted')
      const sent = randomInt(1, 300_000)
      await abandon(registry, 'PATCH', location, {
        headers: { 'content-length': 1_000_000 },
        bytes: content.subarray(0, sent),
      })
    }),
  )
  await step('a thousand downloads are broken off', () =>
    inParallel(1000, 50, () =>
      abandon(registry, 'GET', `/v2/team/app/blobs/${digest}`, { after: randomInt(0, content.length) }),
    ),
  )
  await step('nothing of them is left open', async () => {
    for (let round = 0; round < 100 && (await descriptors(registry.pid)) > before + 2; round += 1) await delay(100)
    const after = await descriptors(registry.pid)
    console.log(`     ${before} descriptors before, ${after} after`)
    if (after > before + 2) throw new Error(`${after} descriptors, ${before} before`)
  })
  await step('what is stored is whole, and an upload goes on', async () => {
    const { bytes } = await wire.getBlob('team/app', digest)
    if (digestOf(bytes) !== digest) throw new Error('other bytes')
    await wire.patchBlob('team/app', [Buffer.from('first '), Buffer.from('second')])
  })
  await step('it stayed under 250 MiB', () => below(registry, 250))
}

/** 50 pushes and 50 pulls; the pulls are held up by their clients half way, all at the same time. */
async function manyTransfers({ registry, step }) {
  await upload(registry, 'source')
  const { promise: released, resolve: release } = withResolvers()
  const paused = []
  const pull = async () => {
    const { promise, resolve } = withResolvers()
    paused.push(promise)
    const url = `${registry.url}/v2/source/blobs/${digestOfBlocks(transferBytes, 'source')}`
    const got = await receive(url, {
      ...{ size: transferBytes, name: 'source', pauseAt: transferBytes / 2 },
      ...{ onPause: resolve, until: released },
    })
    if (got.length !== transferBytes || !got.isRight) throw new Error(`got ${got.length} bytes: ${got.error?.message}`)
  }
  await step(`50 pushes and 50 pulls of ${transferBytes} bytes`, async () => {
    const pulls = Array.from({ length: 50 }, pull)
    const pushes = Array.from({ length: 50 }, (_, i) => upload(registry, `pusher-${i}`))
    const all = Promise.all([...pulls, ...pushes])
    await Promise.race([Promise.all(paused), all])
    console.log(`     ${(await residentMiB(registry.pid)).toFixed(1)} MiB while 50 clients read nothing`)
    release()
    await all
  })
  await step('it stayed under 350 MiB', () => below(registry, 350))
}

/** 40 at once of each kind, three times. */
async function hostile({ registry, step }) {
  const ask = async () => {
    const seen = registry.output().length
    process.kill(registry.pid, 'SIGUSR2')
    for (;;) {
      const match = /loop delay p99 (\S+) max (\S+) samples (\d+)/.exec(registry.output().slice(seen))
      if (match) return { p99: Number(match[1]), max: Number(match[2]), samples: Number(match[3]) }
      await delay(10)
    }
  }
  for (const { name, content, status, code } of hostileManifests()) {
    const push = async () => {
      const answer = await put(registry, '/v2/team/app/manifests/hostile', content)
      const got = `${answer.status} ${JSON.parse(answer.text).errors[0].code}`
      if (got !== `${status} ${code}`) throw new Error(`answered ${got}, expected ${status} ${code}`)
    }
    await step(`${name} are refused, and the event loop is not held`, async () => {
      for (let attempt = 1; ; attempt += 1) {
        for (let round = 0; round < 3; round += 1) await inParallel(40, 40, push)
        const { p99, max, samples } = await ask()
        console.log(`     ${content.length} bytes each; loop delay p99 ${p99} ms, max ${max} ms in ${samples} samples`)
        if (p99 < 50) return
        // What else this machine is doing holds up one attempt or another; what we do ourselves does so in all of them.
        if (attempt === 3) throw new Error(`p99 ${p99} ms, in three attempts`)
      }
    })
  }
}

function put(registry, path, content) {
  const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json', 'content-length': content.length }
  return exchange(registry, 'PUT', path, headers, [content])
}

async function upload(registry, name) {
  const { pathname, searchParams } = new URL(await begin(registry, name), registry.url)
  const query = new URLSearchParams([...searchParams, ['digest', digestOfBlocks(transferBytes, name)]])
  const headers = { 'content-type': 'application/octet-stream', 'content-length': transferBytes }
  const { status, text } = await exchange(registry, 'PUT', `${pathname}?${query}`, headers, blocks(transferBytes, name))
  if (status !== 201) throw new Error(`answered ${status}: ${text}`)
}

async function exchange(registry, method, path, headers, body) {
  const outgoing = request(new URL(path, registry.url), { method, headers, agent: false })
  const answered = new Promise((resolve, reject) => outgoing.once('response', resolve).once('error', reject))
  const sent = pipeline(Readable.from(body, { objectMode: true, highWaterMark: 1 }), outgoing)
  const [response] = await Promise.all([answered, sent])
  return {
    status: response.statusCode,
    headers: response.headers,
    text: Buffer.concat(await response.toArray()).toString(),
  }
}

/** On a connection of its own, which does not stay open. */
async function begin(registry, name) {
  const { headers } = await exchange(registry, 'POST', `/v2/${name}/blobs/uploads/`, { 'content-length': 0 }, [])
  return headers.location
}

/** Sends `bytes` of a longer body and goes, or goes `after` so many bytes of the answer. */
function abandon(registry, method, path, { headers, bytes, after }) {
  return new Promise((resolve) => {
    const outgoing = request(new URL(path, registry.url), { method, headers, agent: false })
    outgoing.once('close', resolve).on('error', () => {})
    if (bytes) return outgoing.write(bytes, () => outgoing.destroy())
    outgoing.end()
    outgoing.once('response', (response) => {
      let left = after
      response
        .on('error', () => {})
        .on('data', (chunk) => {
          left -= chunk.length
          if (left <= 0) outgoing.destroy()
        })
    })
  })
}

/** p99 of `count` GETs, one after the other, in ms. */
async function latencies(registry, digest, count) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const all = []
  for (let i = 0; i < count; i += 1) {
    const start = performance.now()
    const { status, isRight } = await receive(`${registry.url}/v2/team/app/blobs/${digest}`, { content: COMMON, agent })
    if (status !== 200 || !isRight) throw new Error(`answered ${status}`)
    all.push(performance.now() - start)
  }
  agent.destroy()
  return all.sort((a, b) => a - b)[Math.floor(count * 0.99)]
}

async function inParallel(count, width, work) {
  let left = count
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (left-- > 0) await work()
    }),
  )
}

async function descriptors(pid) {
  return (await readdir(`/proc/${pid}/fd`)).length
}

async function below(registry, limitMiB) {
  const peak = await peakMiB(registry.pid)
  console.log(`     peak memory ${peak.toFixed(1)} MiB`)
  if (!(peak < limitMiB)) throw new Error(`peak ${peak.toFixed(1)} MiB`)
}

/** As `Promise.withResolvers()`, which Node 20 lacks. */
function withResolvers() {
  const made = {}
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }))
  return made
}
