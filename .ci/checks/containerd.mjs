// containerd, with a root and a socket of its own: what it imported from a layout it pushes, forgets and pulls back.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Check } from './lib/check.mjs'
import { startContainerd } from './lib/engines.mjs'
import { closure, writeLayout } from './lib/layout.mjs'
import { startRegistry } from './lib/registry.mjs'
import { run } from './lib/run.mjs'
import { withScope } from './lib/scope.mjs'

const check = new Check('containerd')

await withScope(async (scope) => {
  const dir = await scope.tempDir('containerd')
  const ctr = await startContainerd(scope, dir)
  const layout = await writeLayout(join(dir, 'layout'))
  const archive = join(dir, 'layout.tar')
  await run('tar', ['-cf', archive, '-C', layout.dir, 'oci-layout', 'index.json', 'blobs'])
  const expected = { image: await closure(layout.dir, layout.image), multi: await closure(layout.dir, layout.multi) }
  for (const storage of ['memory:', `file:${await scope.tempDir('storage')}`]) {
    const label = storage.split(':')[0]
    const registry = await startRegistry(scope, { storage })
    const repository = `${registry.host}/team/ctr`
    await check.step(`${label}: imports a layout`, () =>
      ctr('image', 'import', '--no-unpack', '--all-platforms', '--base-name', repository, archive),
    )
    for (const name of ['image', 'multi']) {
      await check.step(`${label}: pushes ${name}`, () => ctr('image', 'push', '--plain-http', `${repository}:${name}`))
    }
    for (const name of ['image', 'multi']) {
      for (const reference of [`${repository}:${name}`, `${repository}@${layout[name].digest}`]) {
        await check.step(
          `${label}: forgets everything, pulls ${name} by ${reference.includes('@') ? 'digest' : 'tag'}`,
          async () => {
            await forgetAll(ctr)
            await ctr('image', 'pull', '--plain-http', '--snapshotter', 'native', '--all-platforms', reference)
            const digests = (await ctr('content', 'ls', '-q')).split('\n').sort()
            if (digests.join() !== expected[name].join()) throw new Error(`has ${digests}\nexpected ${expected[name]}`)
            const listed = await ctr('image', 'ls', `name==${reference}`)
            if (!listed.includes(layout[name].digest)) throw new Error(listed)
          },
        )
      }
    }
    await check.step(`${label}: pushes what it pulled to another repository`, async () => {
      const copy = `${registry.host}/other/ctr:multi`
      await ctr('image', 'tag', `${repository}@${layout.multi.digest}`, copy)
      await ctr('image', 'push', '--plain-http', copy)
      const { headers } = await fetch(`${registry.url}/v2/other/ctr/manifests/multi`, {
        method: 'HEAD',
        headers: { accept: layout.multi.mediaType },
      })
      const digest = headers.get('docker-content-digest')
      if (digest !== layout.multi.digest) throw new Error(digest)
    })
    await forgetAll(ctr)
    await check.step(`${label}: the registry stops when asked`, () => registry.stop())
  }
})
check.finish()

/** Removes all images and waits until their content is collected, so that the next pull has to fetch every byte. */
async function forgetAll(ctr) {
  const images = (await ctr('image', 'ls', '-q')).split('\n').filter(Boolean)
  if (images.length > 0) await ctr('image', 'rm', '--sync', ...images)
  for (let round = 0; round < 100; round += 1) {
    if ((await ctr('content', 'ls', '-q')) === '') return
    await delay(100)
  }
  throw new Error(`content is left: ${(await ctr('content', 'ls')).slice(0, 1000)}`)
}
