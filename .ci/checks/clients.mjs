// crane, skopeo, oras and regctl, on memory and on a directory: each pushes an image and a multi-platform index, each
// pulls what every other one pushed, and the digests are compared with the layout that everything came from.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Check } from './lib/check.mjs'
import { clients } from './lib/clients.mjs'
import { closure, digestOf, writeLayout } from './lib/layout.mjs'
import { startRegistry } from './lib/registry.mjs'
import { attempt, run } from './lib/run.mjs'
import { withScope } from './lib/scope.mjs'

const check = new Check('clients')

await withScope(async (scope) => {
  const layout = await writeLayout(join(await scope.tempDir('layout'), 'layout'))
  const expected = { image: await closure(layout.dir, layout.image), multi: await closure(layout.dir, layout.multi) }
  for (const storage of ['memory:', `file:${await scope.tempDir('storage')}`]) {
    const registry = await startRegistry(scope, { storage })
    const label = storage.split(':')[0]
    const home = await scope.tempDir('home')
    const all = clients(home, registry.host)
    const context = { scope, layout, expected, registry, label, all, home }
    for (const name of Object.keys(all)) await pushAndPull(context, name)
    for (const pusher of Object.keys(all)) {
      for (const puller of Object.keys(all)) if (puller !== pusher) await pullOf(context, pusher, puller)
    }
    await craneExtras(context)
    await deletes(context)
    await check.step(`${label}: the registry stops when asked`, () => registry.stop())
  }
})
check.finish()

async function pushAndPull({ scope, layout, expected, registry, label, all }, name) {
  const client = all[name]
  const repository = `${registry.host}/team/${name}`
  await check.step(`${label}: ${name} pushes an image`, () => client.push(layout, 'image', `${repository}:v1`))
  await check.step(`${label}: ${name} pushes an index`, () => client.push(layout, 'multi', `${repository}:multi`))
  await check.step(`${label}: ${name} pushes the index again`, () =>
    client.push(layout, 'multi', `${repository}:multi`),
  )
  for (const [tag, what] of [
    ['v1', 'image'],
    ['multi', 'multi'],
  ]) {
    const stored = await fetch(`${registry.url}/v2/team/${name}/manifests/${tag}`, {
      headers: { accept: layout[what].mediaType },
    })
    const bytes = Buffer.from(await stored.arrayBuffer())
    check.equal(
      `${label}: what ${name} pushed as ${tag} is served as it was`,
      [digestOf(bytes), stored.headers.get('docker-content-digest'), stored.headers.get('content-type')],
      [layout[what].digest, layout[what].digest, layout[what].mediaType],
    )
    for (const reference of [`${repository}:${tag}`, `${repository}@${layout[what].digest}`]) {
      const by = reference.includes('@') ? 'digest' : 'tag'
      await check.step(`${label}: ${name} pulls ${tag} by ${by}, the same digests`, () =>
        pull(scope, client, reference, layout[what], expected[what]),
      )
    }
  }
  await check.step(`${label}: ${name} lists the tags`, async () => {
    const tags = await client.tags(repository)
    if (tags.join() !== 'multi,v1') throw new Error(`got ${tags.join()}`)
  })
}

function pullOf({ scope, layout, expected, registry, label, all }, pusher, puller) {
  return check.step(`${label}: ${puller} pulls the index that ${pusher} pushed`, () =>
    pull(scope, all[puller], `${registry.host}/team/${pusher}:multi`, layout.multi, expected.multi),
  )
}

async function pull(scope, client, reference, descriptor, expected) {
  const dir = join(await scope.tempDir('pulled'), 'layout')
  const digest = await client.pull(reference, dir)
  if (digest !== descriptor.digest) throw new Error(`pulled ${digest}, expected ${descriptor.digest}`)
  const got = await closure(dir, descriptor)
  if (got.join() !== expected.join()) throw new Error(`pulled ${got.join()}\nexpected ${expected.join()}`)
}

async function craneExtras({ scope, registry, label, all, layout }) {
  const { tool } = all.crane
  const { host } = registry
  for (const tag of ['v1', 'multi']) {
    await check.step(`${label}: crane validates ${tag}`, () =>
      tool('validate', '--remote', `${host}/team/regctl:${tag}`),
    )
  }
  await check.step(`${label}: crane appends a layer and validates the result`, async () => {
    const tar = join(await scope.tempDir('append'), 'layer.tar')
    await run('tar', ['-cf', tar, '-C', import.meta.dirname, '.'])
    await tool('append', '-b', `${host}/team/crane:v1`, '-f', tar, '-t', `${host}/team/crane:appended`)
    await tool('validate', '--remote', `${host}/team/crane:appended`)
    const { layers } = JSON.parse(await tool('manifest', `${host}/team/crane:appended`))
    if (layers.length !== 4) throw new Error(`${layers.length} layers`)
  })
  await check.step(`${label}: crane copies to another repository by mounting`, async () => {
    await tool('cp', `${host}/team/crane:multi`, `${host}/other/mounted:multi`)
    await tool('validate', '--remote', `${host}/other/mounted:multi`)
    const digest = await tool('digest', `${host}/other/mounted:multi`)
    if (digest !== layout.multi.digest) throw new Error(digest)
  })
  await check.step(`${label}: crane adds a tag and lists the catalog`, async () => {
    await tool('tag', `${host}/team/crane:multi`, 'latest')
    const catalog = (await tool('catalog', host)).split('\n')
    const repositories = ['other/mounted', 'team/crane', 'team/oras', 'team/regctl', 'team/skopeo']
    if (catalog.join() !== repositories.join()) throw new Error(catalog.join())
  })
}

async function deletes({ registry, label, all, layout, home }) {
  const { host, url } = registry
  const accept = `${layout.image.mediaType}, ${layout.multi.mediaType}`
  const status = async (path) => (await fetch(`${url}/v2/${path}`, { method: 'HEAD', headers: { accept } })).status
  await check.step(`${label}: regctl deletes one tag of two on the same digest`, async () => {
    await all.regctl.tool('image', 'copy', `${host}/team/regctl:v1`, `${host}/team/regctl:v2`)
    await all.regctl.remove(`${host}/team/regctl:v1`)
    const tags = await all.regctl.tags(`${host}/team/regctl`)
    if (tags.join() !== 'multi,v2') throw new Error(tags.join())
  })
  await check.step(`${label}: regctl deletes a manifest by digest and its tags go with it`, async () => {
    await all.regctl.remove(`${host}/team/regctl@${layout.image.digest}`)
    const tags = await all.regctl.tags(`${host}/team/regctl`)
    if (tags.join() !== 'multi') throw new Error(tags.join())
  })
  await check.step(`${label}: regctl deletes a blob`, async () => {
    const file = join(home, 'blob')
    await writeFile(file, `a blob for ${label}`)
    const { code, stderr } = await attempt('sh', [
      '-c',
      `regctl --host reg=${host},tls=disabled blob put ${host}/team/blob < ${file}`,
    ])
    if (code !== 0) throw new Error(stderr)
    const digest = digestOf(`a blob for ${label}`)
    if ((await status(`team/blob/blobs/${digest}`)) !== 200) throw new Error('was not stored')
    await all.regctl.tool('blob', 'delete', `${host}/team/blob`, digest)
    if ((await status(`team/blob/blobs/${digest}`)) !== 404) throw new Error('is still there')
  })
  for (const name of ['crane', 'skopeo', 'oras']) {
    await check.step(`${label}: ${name} deletes the index and leaves the image`, async () => {
      const repository = `${host}/team/${name}`
      const digest = layout.multi.digest
      await all[name].remove(name === 'skopeo' ? `${repository}:multi` : `${repository}@${digest}`)
      if ((await status(`team/${name}/manifests/${digest}`)) !== 404) throw new Error('the index is still there')
      if ((await status(`team/${name}/manifests/v1`)) !== 200) throw new Error('the image has gone')
    })
  }
}
