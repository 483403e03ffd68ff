// One blob of 5 GB up and down, in both ways that clients push, with the server's peak memory read from the kernel.
// WHARFAGE_CI_BLOB_BYTES makes it smaller for a quick look.
import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { blocks, digestOfBlocks, peakMiB } from './lib/blocks.mjs'
import { Check } from './lib/check.mjs'
import { startRegistry } from './lib/registry.mjs'
import { withScope } from './lib/scope.mjs'

const check = new Check('big blob')
const size = Number(process.env.WHARFAGE_CI_BLOB_BYTES ?? 5_000_000_000)
const limitMiB = 150

const digest = digestOfBlocks(size)

await round('streamed in one PATCH, then closed (Docker)', async (url, location) => {
  const patched = await send(resolve(url, location), 'PATCH', { 'content-type': 'application/octet-stream' })
  expectStatus(patched, 202)
  return finish(url, patched.headers.location, { 'content-length': 0 }, [])
})
await round('sent in one PUT whose digest is known (containerd)', (url, location) =>
  finish(url, location, { 'content-type': 'application/octet-stream', 'content-length': size }, blocks(size)),
)
check.finish()

function round(what, upload) {
  return withScope(async (scope) => {
    const dir = await scope.tempDir('storage')
    const registry = await startRegistry(scope, { storage: `file:${dir}` })
    const url = `${registry.url}/v2/big/blob`
    await check.step(`${size} bytes ${what}`, () =>
      timed(async () => {
        const begun = await send(`${url}/blobs/uploads/`, 'POST', { 'content-length': 0 }, [])
        expectStatus(begun, 202)
        expectStatus(await upload(url, begun.headers.location), 201)
      }),
    )
    await check.step('down again, the same bytes', () =>
      timed(async () => {
        const got = await receive(`${url}/blobs/${digest}`, {})
        if (got !== `200 ${size} ${digest}`) throw new Error(got)
      }),
    )
    await check.step('the second half alone, as a client that resumes', async () => {
      const from = Math.floor(size / 2)
      const response = await open(`${url}/blobs/${digest}`, 'GET', { range: `bytes=${from}-` })
      expectStatus(response, 206)
      let received = 0
      for await (const chunk of response) received += chunk.length
      if (received !== size - from) throw new Error(`got ${received} bytes of ${size - from}`)
    })
    await check.step(`the server stayed under ${limitMiB} MiB`, async () => {
      const peak = await peakMiB(registry.pid)
      console.log(`     peak memory ${peak.toFixed(1)} MiB (${registry.kind})`)
      if (!(peak < limitMiB)) throw new Error(`peak ${peak.toFixed(1)} MiB`)
    })
    await check.step('one copy of it is stored, nothing else of its size', async () => {
      const files = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
      const big = []
      for (const { parentPath, name } of files) {
        if ((await stat(join(parentPath, name))).size >= size / 100) big.push(join(parentPath, name).slice(dir.length))
      }
      const hex = digest.slice('sha256:'.length)
      const expected = `/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`
      if (big.join() !== expected) throw new Error(`stored: ${big.join(', ')}`)
    })
    await check.step('the registry stops when asked', () => registry.stop())
  })
}

function finish(base, location, headers, body) {
  const url = resolve(base, location)
  url.searchParams.set('digest', digest)
  return send(url, 'PUT', headers, body)
}

/** Sends a request with a streamed body; resolves to the answer with its body read away. */
async function send(url, method, headers, body = blocks(size)) {
  const response = await open(url, method, headers, body)
  response.text = Buffer.concat(await response.toArray()).toString()
  return response
}

function open(url, method, headers, body = []) {
  return new Promise((resolvePromise, reject) => {
    const outgoing = request(url, { method, headers })
    outgoing.once('response', resolvePromise)
    outgoing.once('error', reject)
    pipeline(Readable.from(body, { objectMode: true, highWaterMark: 2 }), outgoing).catch(reject)
  })
}

async function receive(url, headers) {
  const response = await open(url, 'GET', headers)
  const received = createHash('sha256')
  let length = 0
  for await (const chunk of response) {
    received.update(chunk)
    length += chunk.length
  }
  return `${response.statusCode} ${length} sha256:${received.digest('hex')}`
}

function resolve(base, location) {
  return new URL(location, base)
}

function expectStatus(response, status) {
  if (response.statusCode !== status)
    throw new Error(`answered ${response.statusCode}, expected ${status}: ${response.text}`)
}

async function timed(work) {
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  console.log(`     ${seconds.toFixed(1)} s, ${(size / 1e6 / seconds).toFixed(0)} MB/s`)
}
