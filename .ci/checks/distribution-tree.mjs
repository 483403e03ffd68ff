// The same requests, one after the other, to this registry and to Distribution, each on a directory of its own: after
// every request both directories hold the same files with the same bytes.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Check } from './lib/check.mjs'
import { blobPath, digestOf, filesUnder, mediaTypes, writeLayout } from './lib/layout.mjs'
import { startRegistry } from './lib/registry.mjs'
import { withScope } from './lib/scope.mjs'
import { Wire } from './lib/wire.mjs'

const check = new Check('distribution tree')

await withScope(async (scope) => {
  const layout = await writeLayout(join(await scope.tempDir('layout'), 'layout'))
  const sides = []
  for (const kind of [undefined, 'distribution']) {
    const dir = await scope.tempDir('storage')
    const registry = await startRegistry(scope, { kind, storage: `file:${dir}` })
    sides.push({ dir, registry, wire: new Wire(registry.url) })
  }
  for (const [what, request] of await requests(layout)) {
    await check.step(what, async () => {
      for (const { wire } of sides) await request(wire)
      const [ours, theirs] = await Promise.all(sides.map(({ dir }) => snapshot(dir)))
      const differences = compare(ours, theirs)
      if (differences.length > 0) throw new Error(differences.slice(0, 40).join('\n'))
    })
  }
  check.ok('the comparison saw a tree', (await snapshot(sides[1].dir)).size > 30, 'it is all but empty')
  for (const { registry } of sides) await registry.stop()
})
check.finish()

async function requests(layout) {
  const amd64 = await readFile(blobPath(layout.dir, layout.image.digest))
  const shared = Buffer.from('a blob that two repositories share')
  const artifact = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      artifactType: 'application/vnd.example.signature',
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 },
      layers: [{ mediaType: 'text/plain', digest: digestOf(shared), size: shared.length }],
      subject: layout.image,
    }),
  )
  const docker = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      config: { mediaType: 'application/vnd.docker.container.image.v1+json', digest: digestOf('{}'), size: 2 },
      layers: [],
    }),
  )
  const chunks = ['first ', 'second ', 'third'].map((text) => Buffer.from(text.repeat(5000)))
  return [
    ['a blob in one PUT', (wire) => wire.putBlob('team/app', shared)],
    ['the same blob again', (wire) => wire.putBlob('team/app', shared)],
    ['a blob in one PATCH', (wire) => wire.patchBlob('team/app', chunks.slice(0, 1))],
    ['a blob in three chunks', (wire) => wire.patchBlob('team/app', chunks)],
    ['an empty blob', (wire) => wire.putBlob('team/app', Buffer.alloc(0))],
    ['a mount', (wire) => wire.mount('other/app', 'team/app', digestOf(shared))],
    ['a blob in a repository inside another', (wire) => wire.putBlob('team/app/part', Buffer.from('{}'))],
    ['an image by tag', (wire) => wire.push('team/app', 'v1', layout, layout.image)],
    ['the same image under a second tag', (wire) => wire.putManifest('team/app', 'v2', amd64, mediaTypes.manifest)],
    ['an index by tag, its images by digest', (wire) => wire.push('team/app', 'multi', layout, layout.multi)],
    ['an image by digest alone', (wire) => wire.push('team/untagged', layout.image.digest, layout, layout.image)],
    [
      "an image in Docker's own type",
      async (wire) => {
        await wire.putBlob('team/app', Buffer.from('{}'))
        await wire.putManifest('team/app', 'docker', docker, 'application/vnd.docker.distribution.manifest.v2+json')
      },
    ],
    [
      'an artifact with a subject',
      (wire) => wire.putManifest('team/app', digestOf(artifact), artifact, mediaTypes.manifest),
    ],
    [
      'a tag that moves and comes back',
      async (wire) => {
        await wire.putManifest('team/app', 'v2', docker, 'application/vnd.docker.distribution.manifest.v2+json')
        await wire.putManifest('team/app', 'v2', amd64, mediaTypes.manifest)
      },
    ],
    [
      'an upload begun and cancelled',
      async (wire) => wire.request('DELETE', await wire.beginUpload('team/app'), { status: 204 }),
    ],
    ['an upload refused for its digest', (wire) => refused(wire, shared)],
    ['a tag deleted', (wire) => wire.delete('/v2/team/app/manifests/multi')],
    [
      'a manifest deleted by digest, its tags with it',
      (wire) => wire.delete(`/v2/team/app/manifests/${layout.image.digest}`),
    ],
    ['a blob deleted', (wire) => wire.delete(`/v2/other/app/blobs/${digestOf(shared)}`)],
    ['the deleted image pushed again', (wire) => wire.push('team/app', 'v1', layout, layout.image)],
  ]
}

async function refused(wire, bytes) {
  const location = await wire.beginUpload('team/app')
  const headers = { 'content-type': 'application/octet-stream' }
  const digest = digestOf('something else')
  await wire.request('PUT', location, { status: 400, headers, body: bytes, query: { digest } })
}

/** Path → bytes, without what only one of the two keeps: our own folders, and the leftovers of uploads. */
async function snapshot(dir) {
  const files = new Map()
  for (const path of await filesUnder(dir)) {
    if (/(^|\/)(_wharfage|_referrers|_uploads)\//.test(path)) continue
    files.set(path, digestOf(await readFile(join(dir, path))))
  }
  return files
}

function compare(ours, theirs) {
  const differences = []
  for (const path of new Set([...ours.keys(), ...theirs.keys()])) {
    if (!ours.has(path)) differences.push(`only Distribution has ${path}`)
    else if (!theirs.has(path)) differences.push(`only this registry has ${path}`)
    else if (ours.get(path) !== theirs.get(path)) differences.push(`other bytes in ${path}`)
  }
  return differences
}
