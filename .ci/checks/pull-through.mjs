// docker, containerd, skopeo and crane pull through a cache from Distribution: what reaches the upstream is counted, the upstream is
// killed in the middle of a layer and comes back, a hundred want one layer at once, and one layer is large.
// WHARFAGE_BIG is the size of that one in bytes: 300 MB, unless it says 5000000000.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { blocks, digestOfBlocks, peakMiB } from './lib/blocks.mjs'
import { leftOf, startCache } from './lib/cache.mjs'
import { Check } from './lib/check.mjs'
import { addImage, addLayer, blobPath, closure, filesUnder, readJson, writeLayout } from './lib/layout.mjs'
import { startPullers } from './lib/pullers.mjs'
import { receive } from './lib/receive.mjs'
import { startProxy } from './lib/recording-proxy.mjs'
import { attempt, run } from './lib/run.mjs'
import { withScope } from './lib/scope.mjs'
import { startUpstream } from './lib/upstream.mjs'

const check = new Check('pull-through')
const LARGE = 50_000_000
const BIG = Number(process.env.WHARFAGE_BIG ?? 300_000_000)
const MANY = 100
const limitMiB = 300

await withScope(async (scope) => {
  const layout = await writeLayout(join(await scope.tempDir('layout'), 'layout'), { large: ['test'] })
  const [first, second] = [await startUpstream(scope), await startUpstream(scope)]
  const directory = await scope.tempDir('cache')
  // Clients stay with this address when the cache is started anew.
  const front = await startProxy(scope)
  const context = { scope, layout, first, second, front, directory }
  context.pullers = await startPullers(scope, front.host)
  await start(context)
  for (const part of [coldAndWarm, lookups, manyAtOnce, upstreamKilled, stop, bigLayer]) {
    const begun = performance.now()
    await part(context)
    console.log(`     ${part.name}: ${((performance.now() - begun) / 1000).toFixed(1)} s`)
  }
})
check.finish()

async function start(context) {
  const { scope, directory, first, second, front } = context
  context.cache = await startCache(scope, directory, first, second)
  front.target = context.cache.host
}

async function stop({ cache }) {
  await check.step('the cache has nothing open that it had not at its start', () => cache.openFiles())
  await check.step('no temporary file is left', async () => equal(await filesUnder(cache.spool), []))
  await check.step('the cache stops when asked', () => cache.stop())
}

/** Both upstreams have the same names; what is behind the tag tells them apart. */
async function coldAndWarm({ layout, first, second, front, pullers }) {
  const { config, layers } = await readJson(layout.dir, layout.image.digest)
  const blobs = [config, ...layers].map(({ digest }) => `blobs/${digest}`)
  const image = `manifests/${layout.image.digest}`
  for (const [name, puller] of Object.entries(pullers)) {
    const repository = `team/${name}`
    const pullsFrom = async (side, upstream, root, reference, wanted) => {
      await upstream.wire().push(repository, 'v1', layout, root)
      const expected = await puller.expected(layout, root)
      const pull = async (suffix) => equal(await puller.pull(puller[side](repository) + suffix), expected)
      const asked = () => upstream.proxy.asked('GET', repository)
      const by = reference.startsWith(':') ? 'tag' : 'digest'
      await check.step(`${name} pulls by ${by} from the ${side} upstream`, () => pull(reference))
      const all = [...wanted, `manifests/${reference.slice(1)}`].sort()
      check.equal(`${name}: each of it was fetched once, and nothing else`, asked(), all)
      await check.step(`${name} pulls it again by digest, and nothing is fetched`, async () => {
        await pull(`@${root.digest}`)
        equal(asked(), all)
      })
    }
    await pullsFrom('first', first, layout.multi, ':v1', [image, ...blobs])
    await pullsFrom('second', second, layout.image, `@${layout.image.digest}`, blobs)
    await check.step(
      `${name} pulls by tag from the second upstream: one manifest is looked up, nothing is fetched`,
      async () => {
        const before = second.proxy.asked('GET', repository)
        equal(await puller.pull(`${puller.second(repository)}:v1`), await puller.expected(layout, layout.image))
        const after = second.proxy.asked('GET', repository)
        equal(after.length - before.length, 1)
        equal(after.filter((path) => path === 'manifests/v1').length, 1)
      },
    )
  }
  const namespaces = (prefix) => {
    const from = front.requests.filter(({ path }) => path.startsWith(prefix))
    return [...new Set(from.map(({ ns }) => ns))]
  }
  check.equal('docker told no namespace', namespaces('/v2/team/docker/'), [null])
  check.equal('containerd told the namespace', namespaces('/v2/team/containerd/'), ['docker.io'])
}

async function lookups({ layout, first, front }) {
  await first.wire().push('team/looks', 'v1', layout, layout.multi)
  const asked = (method) => first.proxy.asked(method, 'team/looks')
  await check.step('crane looks up the digest of a cold tag: its manifest alone is fetched', async () => {
    equal(await run('crane', ['digest', `${front.host}/team/looks:v1`]), layout.multi.digest)
    equal(asked('GET'), ['manifests/v1'])
  })
  const { layers } = await readJson(layout.dir, layout.image.digest)
  const { digest, size } = layers[0]
  const path = `${front.url}/v2/team/looks/blobs/${digest}`
  await check.step('HEAD of a cold blob: it is looked up, and not fetched', async () => {
    const { status, headers } = await fetch(path, { method: 'HEAD' })
    equal([status, Number(headers.get('content-length')), headers.get('docker-content-digest')], [200, size, digest])
    equal([asked('GET'), asked('HEAD')], [['manifests/v1'], [`blobs/${digest}`]])
  })
  const whole = await readBlob(layout, digest)
  const ranges = () => {
    const ofLayer = first.proxy.requests.filter((one) => one.path === `/v2/team/looks/blobs/${digest}`)
    return ofLayer.filter(({ method }) => method === 'GET').map(({ range }) => range)
  }
  const getRange = async () => {
    const response = await fetch(path, { headers: { range: 'bytes=1000-1999' } })
    const bytes = Buffer.from(await response.arrayBuffer())
    equal([response.status, response.headers.get('content-range')], [206, `bytes 1000-1999/${size}`])
    equal(bytes.equals(whole.subarray(1000, 2000)), true)
  }
  await check.step('a range of a cold blob: these bytes alone are fetched', async () => {
    await getRange()
    equal(ranges(), ['bytes=1000-1999'])
  })
  await check.step('then the whole of it, and the range from here', async () => {
    const response = await fetch(path)
    equal([response.status, Buffer.from(await response.arrayBuffer()).equals(whole)], [200, true])
    await getRange()
    equal(ranges(), ['bytes=1000-1999', undefined])
  })
}

/**
 * Distribution v3.1.2 in the cache's place (WHARFAGE_CI_REGISTRY=distribution) fetches the layer 100 times here; before that, it fetches
 * a whole layer for a HEAD of it, and for a range.
 */
async function manyAtOnce({ first, cache }) {
  const digest = digestOfBlocks(LARGE)
  await first.put('team/many', digest, LARGE, blocks(LARGE))
  const path = `/v2/team/many/blobs/${digest}`
  const agent = new Agent({ maxSockets: MANY })
  // Compared with by all of them: to make the blocks a hundred times would take longer than the pulls.
  const content = Buffer.concat([...blocks(LARGE)])
  // The upstream sends the second half when all have got something of the first, and not before.
  const hold = first.proxy.hold(path, LARGE / 2)
  const everyone = counter(MANY)
  const pulls = Array.from({ length: MANY }, () =>
    receive(cache.url + path, { content, agent, onFirst: everyone.count }),
  )
  await check.step(`${MANY} pull one cold layer and get some of it while it is still on its way`, () =>
    within(120_000, Promise.all([hold.reached, everyone.reached])),
  )
  hold.release()
  const results = await Promise.all(pulls)
  const right = results.filter(({ status, length, isRight }) => status === 200 && length === LARGE && isRight)
  check.equal(`all ${MANY} get all of it, as it is`, right.length, MANY)
  check.equal('it was fetched from the upstream once', first.proxy.asked('GET', 'team/many').length, 1)
  agent.destroy()
  console.log(`     peak memory ${(await peakMiB(cache.pid)).toFixed(1)} MiB`)
  await check.step('the cache has nothing open that it had not at its start', () => cache.openFiles())
}

async function upstreamKilled(context) {
  const { scope, layout, first, second, front, pullers } = context
  const large = await writeLargeImage(await scope.tempDir('large'))
  await first.wire().push('team/cut', 'v1', large.layout, large.image)
  const path = `/v2/team/cut/blobs/${large.layer.digest}`
  const hold = first.proxy.hold(path, 20_000_000)
  const some = counter(1)
  const raw = receive(front.url + path, {
    content: await readBlob(large.layout, large.layer.digest),
    onFirst: some.count,
  })
  const copy = join(await scope.tempDir('cut'), 'layout')
  const crane = attempt('crane', ['pull', '--format', 'oci', `${front.host}/team/cut:v1`, copy])
  await check.step('the upstream is killed while two pull a layer', async () => {
    const both = front.seen(2, (one) => one.path === path && one.method === 'GET')
    await within(120_000, Promise.all([hold.reached, some.reached, both]))
    await Promise.all([first.kill(), second.kill()])
    hold.release()
  })
  await check.step('the pull that was on its way breaks off, and what it got is right', async () => {
    const { status, length, isRight, error } = await within(120_000, raw)
    equal([status, isRight, error === undefined], [200, true, false])
    if (!(length > 0 && length < large.layer.size)) throw new Error(`got ${length} bytes of ${large.layer.size}`)
  })
  await check.step('crane says that it could not pull', async () => {
    const { code, stderr } = await within(120_000, crane)
    equal(code, 1)
    console.log(`     ${stderr.trim().split('\n').at(-1)}`)
  })
  await check.step('nothing of the layer is kept', () => keptNothingOf(context.cache, large.layer.digest))
  await check.step('it is refused as what cannot be had now', async () => {
    const response = await fetch(front.url + path)
    const { errors } = await response.json()
    equal([response.status, errors[0].code], [503, 'UNAVAILABLE'])
  })
  const cached = async (when, pull) => {
    for (const [name, puller] of Object.entries(pullers)) {
      for (const [side, root, suffix] of pull) {
        const by = suffix.startsWith(':') ? 'tag' : 'digest'
        await check.step(`${when}, ${name} pulls what is cached of the ${side} by ${by}`, async () =>
          equal(await puller.pull(puller[side](`team/${name}`) + suffix), await puller.expected(layout, root)),
        )
      }
    }
  }
  const byTag = ['first', layout.multi, ':v1']
  const byDigest = ['second', layout.image, `@${layout.image.digest}`]
  await cached('with both upstreams down', [byTag, byDigest])
  await check.step('the cache stops when asked, its upstreams down', () => context.cache.stop())
  await start(context)
  await cached('and with a cache that was started while they are', [byTag])
  await Promise.all([first.start(), second.start()])
  for (const [name, puller] of Object.entries(pullers)) {
    await check.step(`with the upstreams back, ${name} pulls the image that was cut off`, async () =>
      equal(await puller.pull(`${puller.first('team/cut')}:v1`), await puller.expected(large.layout, large.image)),
    )
  }
}

async function keptNothingOf({ storage, spool, openFiles }, digest) {
  const hex = digest.split(':')[1]
  const files = async (part) => (await filesUnder(storage)).filter((file) => file.includes(part))
  equal(await files(hex), [])
  // Clients hear of the break before the upload is taken away.
  equal(await leftOf(() => files('_uploads')), [])
  equal(await readdir(spool), [])
  await openFiles()
}

/** One reads as fast as it comes, one stops in the middle until the other is done, and one leaves. */
async function bigLayer(context) {
  const { scope, first, second } = context
  const digest = digestOfBlocks(BIG)
  await first.put('team/big', digest, BIG, blocks(BIG))
  const cache = await startCache(scope, await scope.tempDir('big'), first, second)
  const url = `${cache.url}/v2/team/big/blobs/${digest}`
  const begun = performance.now()
  const leaving = receive(url, { size: BIG, leaveAfter: 1_000_000 })
  const fast = receive(url, { size: BIG })
  const slow = receive(url, { size: BIG, pauseAt: BIG / 3, until: fast })
  await check.step(`a layer of ${BIG} bytes is pulled through, as it is`, async () => {
    const { status, length, isRight } = await fast
    equal([status, length, isRight], [200, BIG, true])
    const seconds = (performance.now() - begun) / 1000
    console.log(`     ${seconds.toFixed(1)} s, ${(BIG / 1e6 / seconds).toFixed(0)} MB/s`)
  })
  await check.step('and by one that paused until then', async () => {
    const { status, length, isRight } = await slow
    equal([status, length, isRight], [200, BIG, true])
  })
  await leaving
  check.equal('it was fetched once', first.proxy.asked('GET', 'team/big'), [`blobs/${digest}`])
  await check.step('and is here now', async () => {
    const { status, length, isRight } = await receive(url, { size: BIG })
    equal([status, length, isRight], [200, BIG, true])
    equal(first.proxy.asked('GET', 'team/big').length, 1)
  })
  await check.step(`the cache stayed under ${limitMiB} MiB`, async () => {
    const peak = await peakMiB(cache.pid)
    console.log(`     peak memory ${peak.toFixed(1)} MiB (${cache.kind})`)
    if (!(peak < limitMiB)) throw new Error(`peak ${peak.toFixed(1)} MiB`)
  })
  await stop({ cache })
}

/** An image with one layer that takes a while. Its tar is compressed in form only. */
async function writeLargeImage(dir) {
  const layout = { dir: join(dir, 'layout') }
  await mkdir(join(layout.dir, 'blobs', 'sha256'), { recursive: true })
  await writeFile(join(dir, 'payload'), Buffer.concat([...blocks(LARGE)]))
  const layer = await addLayer(layout.dir, ['payload'], { from: dir, level: 0 })
  const image = await addImage(layout.dir, 'amd64', [layer])
  await closure(layout.dir, image)
  return { layout, image, layer }
}

/** `reached` resolves when `count` was called `total` times. */
function counter(total) {
  let left = total
  let resolve
  const reached = new Promise((resolvePromise) => {
    resolve = resolvePromise
  })
  const count = () => {
    left -= 1
    if (left === 0) resolve()
  }
  return { reached, count }
}

/** Rejects when `promise` takes longer. */
async function within(milliseconds, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${milliseconds} ms`)), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function readBlob(layout, digest) {
  return readFile(blobPath(layout.dir, digest))
}

function equal(got, expected) {
  if (!isDeepStrictEqual(got, expected))
    throw new Error(`expected ${JSON.stringify(expected)}\ngot      ${JSON.stringify(got)}`)
}
