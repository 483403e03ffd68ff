// Uploads that one server began and never finished, found by the other on the same directory: neither minds.
import { join } from 'node:path'
import { Check } from './lib/check.mjs'
import { closure, digestOf, filesUnder, writeLayout } from './lib/layout.mjs'
import { distributionConfig, environmentWithout, startRegistry } from './lib/registry.mjs'
import { attempt } from './lib/run.mjs'
import { withScope } from './lib/scope.mjs'
import { Wire } from './lib/wire.mjs'

const check = new Check('distribution uploads')
const sides = [
  { name: 'this registry', kind: undefined },
  { name: 'Distribution', kind: 'distribution' },
]

await withScope(async (scope) => {
  const layout = await writeLayout(join(await scope.tempDir('layout'), 'layout'))
  for (const [first, second] of [sides, [...sides].reverse()]) {
    const dir = await scope.tempDir('storage')
    const served = async ({ kind }, work) => {
      const registry = await startRegistry(scope, { kind, storage: `file:${dir}` })
      try {
        return await work(new Wire(registry.url))
      } finally {
        await registry.stop()
      }
    }
    const part = Buffer.alloc(300_000, 'an abandoned upload ')
    const locations = await check.step(`${first.name} begins uploads and abandons them`, () =>
      served(first, async (wire) => {
        await wire.push('team/app', 'v1', layout, layout.image)
        const untouched = await wire.beginUpload('team/app')
        const begun = await wire.patch(await wire.beginUpload('team/app'), part)
        const chunked = await wire.patch(
          await wire.patch(await wire.beginUpload('team/app'), part, 0),
          part,
          part.length,
        )
        const elsewhere = await wire.patch(await wire.beginUpload('only/uploads'), part)
        return { untouched, begun, chunked, elsewhere }
      }),
    )
    if (locations === undefined) continue
    check.ok(
      `${first.name} left something behind`,
      (await filesUnder(dir)).filter((path) => path.includes('/_uploads/')).length >= 4,
      'no file of an upload is there',
    )
    await check.step(`${second.name} lists, serves, pushes and deletes beside them`, () =>
      served(second, (wire) => carryOn(wire, layout)),
    )
    await check.step(`${second.name} answers for an upload that is not its own, and takes a new one`, () =>
      served(second, async (wire) => {
        for (const location of Object.values(locations)) {
          const [path] = location.split('?')
          const { status } = await wire.request('GET', path)
          if (status >= 500) throw new Error(`GET ${path} answered ${status}`)
        }
        await wire.patchBlob('team/app', [part, part])
      }),
    )
    await check.step('Distribution collects garbage over them', async () => {
      const config = await distributionConfig(scope, `file:${dir}`)
      const env = environmentWithout('REGISTRY_')
      const { code, stdout, stderr } = await attempt('registry', ['garbage-collect', '--dry-run', config], { env })
      if (code !== 0 || /failed to|panic/.test(stdout + stderr))
        throw new Error(`exit code ${code}\n${stdout}${stderr}`)
    })
    await check.step(`${first.name} comes back and finishes what it had begun`, () =>
      served(first, async (wire) => {
        const digest = digestOf(Buffer.concat([part, part]))
        const { status, bytes } = await wire.request('PUT', locations.chunked, { query: { digest } })
        if (status !== 201) throw new Error(`answered ${status}: ${bytes}`)
        const stored = await wire.getBlob('team/app', digest)
        if (digestOf(stored.bytes) !== digest) throw new Error('the bytes differ')
        await wire.request('DELETE', locations.begun, { status: 204 })
      }),
    )
  }
})
check.finish()

async function carryOn(wire, layout) {
  equal((await wire.catalog()).join(), 'team/app')
  equal((await wire.tags('team/app')).join(), 'v1')
  const { manifests, blobs } = await contents(layout)
  for (const digest of manifests) equal(digestOf((await wire.getManifest('team/app', digest)).bytes), digest)
  for (const digest of blobs) equal(digestOf((await wire.getBlob('team/app', digest)).bytes), digest)
  await wire.push('team/app', 'multi', layout, layout.multi)
  await wire.push('team/next', 'v1', layout, layout.image)
  equal((await wire.tags('team/app')).join(), 'multi,v1')
  equal((await wire.catalog()).join(), 'team/app,team/next')
  await wire.delete('/v2/team/app/manifests/multi')
  await wire.delete(`/v2/team/next/manifests/${layout.image.digest}`)
  equal((await wire.tags('team/app')).join(), 'v1')
}

async function contents(layout) {
  const all = await closure(layout.dir, layout.image)
  const manifests = all.filter((digest) => digest === layout.image.digest)
  return { manifests, blobs: all.filter((digest) => !manifests.includes(digest)) }
}

function equal(got, expected) {
  if (got !== expected) throw new Error(`expected ${expected}\ngot      ${got}`)
}
