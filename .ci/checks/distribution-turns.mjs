// One directory (with `s3` as the argument: one bucket), served by this registry and by Distribution in turns. Each turn checks all that the turns before it
// did, then adds, moves, mounts and deletes; and both servers must give the same answers about the same directory.
// At the end Distribution's own garbage collection runs over the tree and nothing that is needed has gone.
import { join } from 'node:path'
import { startBuckets } from './lib/buckets.mjs'
import { Check } from './lib/check.mjs'
import { closure, digestOf, readJson, writeLayout } from './lib/layout.mjs'
import { distributionConfig, environmentWithout, startRegistry } from './lib/registry.mjs'
import { attempt } from './lib/run.mjs'
import { withScope } from './lib/scope.mjs'
import { Wire } from './lib/wire.mjs'

const [where = 'directory'] = process.argv.slice(2)
const check = new Check(`distribution turns, ${where}`)
const docker = 'application/vnd.docker.distribution.manifest.v2+json'
const kinds = { here: undefined, there: 'distribution' }
const names = { here: 'this registry', there: 'Distribution' }

await withScope(async (scope) => {
  const layout = await writeLayout(join(await scope.tempDir('layout'), 'layout'))
  const storage =
    where === 's3' ? await startBuckets(scope, 'versitygw') : async () => `file:${await scope.tempDir('storage')}`
  await takeTurns(scope, await storage(), layout, ['here', 'there', 'here', 'there'])
  await takeTurns(scope, await storage(), layout, ['there', 'here', 'there', 'here'])
})
check.finish()

async function takeTurns(scope, storage, layout, turns) {
  const served = (side, work) => serve(scope, storage, side, work)
  // What must be there: repository → { tags: name → digest, manifests, blobs } ; and what must not.
  const expected = new Map()
  const gone = []
  for (const [turn, side] of turns.entries()) {
    await check.step(`turn ${turn + 1}: ${names[side]} pushes, moves, mounts and deletes`, () =>
      served(side, (wire) => change(wire, turn, layout, expected, gone)),
    )
    const answers = {}
    for (const reader of ['here', 'there']) {
      await check.step(`turn ${turn + 1}: ${names[reader]} serves all of it`, () =>
        served(reader, async (wire) => {
          await verify(wire, expected, gone)
          answers[reader] = await listing(wire, expected)
        }),
      )
    }
    check.equal(`turn ${turn + 1}: both list the same`, answers.here, answers.there)
  }
  await collect(scope, storage, expected)
  await check.step('after a collection by Distribution this registry serves all of it', () =>
    served('here', (wire) => verify(wire, expected, gone)),
  )
}

async function serve(scope, storage, side, work) {
  const args = kinds[side] === undefined ? ['--no-redirect'] : []
  const registry = await startRegistry(scope, { kind: kinds[side], storage, args })
  try {
    await work(new Wire(registry.url))
  } finally {
    await registry.stop()
  }
}

async function change(wire, turn, layout, expected, gone) {
  const mine = `turn${turn}/app`
  const before = `turn${turn - 1}/app`
  const record = repositoryRecord(expected)
  await wire.push(mine, 'v1', layout, layout.image)
  await wire.push(mine, 'multi', layout, layout.multi)
  record(mine, 'v1', layout.image.digest, await closure(layout.dir, layout.image), [layout.image.digest])
  const { manifests } = await readJson(layout.dir, layout.multi.digest)
  const children = [layout.multi.digest, ...manifests.map(({ digest }) => digest)]
  record(mine, 'multi', layout.multi.digest, await closure(layout.dir, layout.multi), children)

  const config = Buffer.from(`{"turn":${turn}}`)
  const layer = Buffer.from(`a layer of turn ${turn}`)
  await wire.patchBlob(mine, [config])
  await wire.putBlob(mine, layer)
  const image = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: docker,
      config: {
        mediaType: 'application/vnd.docker.container.image.v1+json',
        digest: digestOf(config),
        size: config.length,
      },
      layers: [
        { mediaType: 'application/vnd.docker.image.rootfs.diff.tar', digest: digestOf(layer), size: layer.length },
      ],
    }),
  )
  const own = await wire.putManifest(mine, 'docker', image, docker)
  record(mine, 'docker', own, [own, digestOf(config), digestOf(layer)], [own])

  // Tags that are to go, and a blob and a manifest that are to go.
  await wire.putManifest(mine, 'doomed-here', image, docker)
  await wire.delete(`/v2/${mine}/manifests/doomed-here`)
  gone.push(`/v2/${mine}/manifests/doomed-here`)
  await wire.putManifest(mine, 'doomed-there', image, docker)
  record(mine, 'doomed-there', own, [], [])
  const stray = await wire.putBlob(mine, Buffer.from(`a stray blob of turn ${turn}`))
  record(mine, undefined, undefined, [stray], [])
  if (turn === 0) return

  // Now what the other server left: mount from it, move a tag of its, delete a tag, an image and a blob of its.
  const mounted = `mounted${turn}/app`
  const theirs = expected.get(before)
  const theirBlobs = [
    digestOf(Buffer.from(`{"turn":${turn - 1}}`)),
    digestOf(Buffer.from(`a layer of turn ${turn - 1}`)),
  ]
  for (const digest of theirBlobs) await wire.mount(mounted, before, digest)
  const { bytes } = await wire.getManifest(before, 'docker')
  const theirImage = await wire.putManifest(mounted, 'docker', bytes, docker)
  record(mounted, 'docker', theirImage, [theirImage, ...theirBlobs], [theirImage])

  await wire.putManifest(before, 'v1', bytes, docker)
  theirs.tags.v1 = theirImage
  await wire.delete(`/v2/${before}/manifests/doomed-there`)
  delete theirs.tags['doomed-there']
  await wire.delete(`/v2/${before}/manifests/${layout.multi.digest}`)
  delete theirs.tags.multi
  theirs.manifests.delete(layout.multi.digest)
  theirs.blobs.delete(layout.multi.digest)
  const theirStray = digestOf(`a stray blob of turn ${turn - 1}`)
  await wire.delete(`/v2/${before}/blobs/${theirStray}`)
  theirs.blobs.delete(theirStray)
  gone.push(
    `/v2/${before}/manifests/doomed-there`,
    `/v2/${before}/manifests/multi`,
    `/v2/${before}/manifests/${layout.multi.digest}`,
    `/v2/${before}/blobs/${theirStray}`,
  )
}

function repositoryRecord(expected) {
  return (repository, tag, digest, contents, manifests) => {
    const known = expected.get(repository) ?? { tags: {}, manifests: new Set(), blobs: new Set() }
    if (tag !== undefined) known.tags[tag] = digest
    for (const one of manifests) known.manifests.add(one)
    for (const one of contents) if (!manifests.includes(one)) known.blobs.add(one)
    expected.set(repository, known)
  }
}

async function verify(wire, expected, gone) {
  const problems = []
  const demand = (what, got, wanted) => {
    if (got !== wanted) problems.push(`${what}: expected ${wanted}, got ${got}`)
  }
  demand('catalog', (await wire.catalog()).join(), [...expected.keys()].sort().join())
  for (const [repository, { tags, manifests, blobs }] of expected) {
    demand(`tags of ${repository}`, (await wire.tags(repository))?.join(), Object.keys(tags).sort().join())
    for (const reference of [...Object.keys(tags), ...manifests]) {
      const { status, headers, bytes } = await wire.getManifest(repository, reference)
      const digest = tags[reference] ?? reference
      const type = status === 200 ? JSON.parse(bytes).mediaType : undefined
      const got = [status, digestOf(bytes), headers.get('docker-content-digest'), headers.get('content-type')].join(' ')
      demand(`${repository}:${reference}`, got, [200, digest, digest, type].join(' '))
    }
    for (const digest of blobs) {
      const { status, headers, bytes } = await wire.getBlob(repository, digest)
      const got = [status, digestOf(bytes), headers.get('docker-content-digest')].join(' ')
      demand(`${repository}@${digest}`, got, [200, digest, digest].join(' '))
    }
  }
  for (const path of gone) demand(path, (await wire.request('GET', path)).status, 404)
  if (problems.length > 0) throw new Error(problems.slice(0, 30).join('\n'))
}

async function listing(wire, expected) {
  const tags = {}
  for (const repository of expected.keys()) tags[repository] = await wire.tags(repository)
  return { catalog: await wire.catalog(), tags }
}

/** First only told what it would remove, then for good: neither may stop half-way, nor touch what is needed. */
async function collect(scope, storage, expected) {
  const config = await distributionConfig(scope, storage)
  const needed = new Set([...expected.values()].flatMap(({ manifests }) => [...manifests]))
  for (const args of [['--dry-run'], []]) {
    await check.step(`Distribution's garbage-collect ${args.join('')} comes to its end`, async () => {
      const { code, stdout, stderr } = await attempt('registry', ['garbage-collect', ...args, config], {
        env: environmentWithout('REGISTRY_'),
      })
      const output = stdout + stderr
      if (code !== 0 || /failed to|panic/.test(output)) throw new Error(`exit code ${code}\n${output.slice(-3000)}`)
      const eligible = [...output.matchAll(/eligible for deletion: (\S+)/g)].map(([, digest]) => digest)
      const lost = eligible.filter((digest) => needed.has(digest))
      if (lost.length > 0) throw new Error(`would remove ${lost.join()}`)
      console.log(`     ${/\d+ blobs marked, \d+ blobs[^\n]*/.exec(output)?.[0] ?? output.slice(-200)}`)
    })
  }
  // What no manifest names is what a collection is for.
  for (const known of expected.values())
    for (const digest of known.blobs) if (isStray(digest)) known.blobs.delete(digest)
}

function isStray(digest) {
  return [0, 1, 2, 3].some((turn) => digestOf(`a stray blob of turn ${turn}`) === digest)
}
