// sha512 content, where the two layouts differ: Distribution keeps the bytes under their sha256 digest and says so in
// the link. Each must serve what the other keeps, by the digest that it was pushed with.
import { Check } from './lib/check.mjs'
import { digestOf, mediaTypes } from './lib/layout.mjs'
import { distributionConfig, environmentWithout, startRegistry } from './lib/registry.mjs'
import { attempt } from './lib/run.mjs'
import { withScope } from './lib/scope.mjs'
import { Wire } from './lib/wire.mjs'

const check = new Check('distribution sha512')
const here = { name: 'this registry', kind: undefined }
const there = { name: 'Distribution', kind: 'distribution' }

const layer = Buffer.from('known by its sha512 digest')
const digest = digestOf(layer, 'sha512')
const config = Buffer.from('{}')
const image = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(config), size: config.length },
    layers: [{ mediaType: 'text/plain', digest, size: layer.length }],
  }),
)
// Distribution keeps no manifest under a sha512 digest, but it meets those that we kept.
const manifestDigest = digestOf(image, 'sha512')

for (const writer of [here, there]) {
  await withScope(async (scope) => {
    const storage = `file:${await scope.tempDir('storage')}`
    const served = async ({ kind }, work) => {
      const registry = await startRegistry(scope, { kind, storage })
      try {
        await work(new Wire(registry.url))
      } finally {
        await registry.stop()
      }
    }
    await check.step(`${writer.name} takes a blob by sha512 and an image that names it`, () =>
      served(writer, async (wire) => {
        await wire.putBlob('team/app', layer, digest)
        await wire.putBlob('team/app', config)
        await wire.putManifest('team/app', 'v1', image, mediaTypes.manifest)
        if (writer === here) await wire.putManifest('team/app', manifestDigest, image, mediaTypes.manifest)
      }),
    )
    for (const reader of [here, there]) {
      await check.step(`${reader.name} serves what ${writer.name} keeps`, () =>
        served(reader, (wire) => read(wire, writer)),
      )
    }
    await check.step(`Distribution's collection knows what ${writer.name} needs`, async () => {
      const config = await distributionConfig(scope, storage)
      const env = environmentWithout('REGISTRY_')
      const { code, stdout, stderr } = await attempt('registry', ['garbage-collect', '--dry-run', config], { env })
      const output = stdout + stderr
      if (code !== 0 || !output.includes(`marking blob ${digest}`)) throw new Error(`exit code ${code}\n${output}`)
    })
    await check.step(`this registry mounts and deletes what ${writer.name} keeps`, () =>
      served(here, async (wire) => {
        await wire.mount('other/app', 'team/app', digest)
        await wire.delete(`/v2/team/app/blobs/${digest}`)
        equal((await wire.getBlob('team/app', digest)).status, 404)
        equal((await wire.getBlob('other/app', digest)).bytes.toString(), layer.toString())
      }),
    )
    await check.step(`Distribution serves the mount of what ${writer.name} keeps`, () =>
      served(there, async (wire) => {
        equal((await wire.getBlob('other/app', digest)).bytes.toString(), layer.toString())
        equal((await wire.getBlob('team/app', digest)).status, 404)
      }),
    )
  })
}
check.finish()

async function read(wire, writer) {
  const blob = await wire.getBlob('team/app', digest)
  equal(blob.status, 200)
  equal(blob.bytes.toString(), layer.toString())
  equal((await wire.getManifest('team/app', 'v1')).bytes.toString(), image.toString())
  if (writer === here) {
    equal((await wire.getManifest('team/app', manifestDigest)).bytes.toString(), image.toString())
  }
  equal((await wire.tags('team/app')).join(), 'v1')
  equal((await wire.catalog()).join(), 'team/app')
}

function equal(got, expected) {
  if (got !== expected) throw new Error(`expected ${expected}\ngot      ${got}`)
}
