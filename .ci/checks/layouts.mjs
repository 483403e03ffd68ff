// Image layouts and archives on their way between this library and everybody else: what it writes, skopeo, crane, regctl, oras,
// Docker, podman and containerd read; what they write, it reads. Every byte that arrives is verified.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createArchive, layoutDirectory, openArchive } from '../../dist/layout/index.js'
import { Check } from './lib/check.mjs'
import { clients } from './lib/clients.mjs'
import { startContainerd, startEngine } from './lib/engines.mjs'
import { closure, digestOf, mediaTypes, writeLayout } from './lib/layout.mjs'
import { startRegistry } from './lib/registry.mjs'
import { run } from './lib/run.mjs'
import { withScope } from './lib/scope.mjs'

const check = new Check('layouts')
const step = (what, work) => check.step(what, work)
const NAMES = ['image', 'multi']

await withScope(async (scope) => {
  const dir = await scope.tempDir('layouts')
  const home = join(dir, 'home')
  await mkdir(home)
  const layout = await writeLayout(join(dir, 'written-by-hand'))
  const registry = await startRegistry(scope, { storage: 'memory:' })
  const tools = clients(home, registry.host)
  const context = { dir, layout, tools, host: registry.host }
  await directories(context)
  await oursReadByOthers(context)
  await othersReadByUs(context)
  await archives(context)
  await engines(scope, context)
  await registry.stop()
})
check.finish()

/** A layout that nobody's program wrote, and one of ours made from it. */
async function directories({ dir, layout }) {
  const source = layoutDirectory(layout.dir, { create: false }).repository('image')
  await step('a layout written by hand is read', async () => {
    equal((await collect(source.tags.list())).join(), NAMES.join())
    for (const name of NAMES) equal(await visited(source, name), (await closure(layout.dir, layout[name])).join())
  })
  await step('what is copied to a layout of ours is there, all of it', async () => {
    await copyAll(source, layoutDirectory(join(dir, 'ours')).repository('image'))
    for (const name of NAMES) {
      const copied = await closure(join(dir, 'ours'), layout[name])
      equal(copied.join(), (await closure(layout.dir, layout[name])).join())
    }
  })
  await step('a referrer is added to it', async () => {
    const { blobs, manifests } = layoutDirectory(join(dir, 'ours')).repository('image')
    const config = { ...(await blobs.put(Buffer.from('{}'))), mediaType: 'application/vnd.oci.empty.v1+json' }
    const sbom = await blobs.put(Buffer.from('{"packages":[]}'))
    const { mediaType } = layout.image
    const content = Buffer.from(
      JSON.stringify({
        ...{ schemaVersion: 2, mediaType, artifactType: 'application/vnd.example.sbom', config },
        ...{ layers: [{ ...sbom, mediaType: 'application/json' }], subject: layout.image },
      }),
    )
    await manifests.put(content, { mediaType })
  })
}

async function oursReadByOthers({ dir, layout, tools: { skopeo, crane, regctl, oras }, host }) {
  const ours = join(dir, 'ours')
  const same = async (copy, name) =>
    equal((await closure(copy, layout[name])).join(), (await closure(layout.dir, layout[name])).join())
  for (const name of NAMES) {
    await step(`skopeo reads ${name} of ours`, async () => {
      const copy = join(dir, `skopeo-${name}`)
      await skopeo.tool('copy', '--quiet', '--all', '--preserve-digests', `oci:${ours}:${name}`, `oci:${copy}:${name}`)
      await same(copy, name)
    })
    await step(`regctl reads ${name} of ours`, async () => {
      const copy = join(dir, `regctl-${name}`)
      await regctl.tool('image', 'copy', `ocidir://${ours}:${name}`, `ocidir://${copy}:${name}`)
      await same(copy, name)
    })
    await step(`oras reads ${name} of ours`, async () => {
      const copy = join(dir, `oras-${name}`)
      await oras.tool('cp', '--no-tty', '--from-oci-layout', `${ours}:${name}`, '--to-oci-layout', `${copy}:${name}`)
      await same(copy, name)
    })
    await step(`crane pushes ${name} of ours`, async () => {
      const single = join(dir, `single-${name}`)
      const source = layoutDirectory(ours).repository('image')
      await copyImage(source, layoutDirectory(single).repository('image'), layout[name].digest, [name])
      await crane.tool('push', single, `${host}/from/crane:${name}`)
      equal(await crane.tool('digest', `${host}/from/crane:${name}`), layout[name].digest)
    })
  }
  await step('regctl lists the tags of ours', async () => {
    equal((await regctl.tool('tag', 'ls', `ocidir://${ours}`)).split('\n').sort().join(), NAMES.join())
  })
  await step('oras finds the referrer in ours', async () => {
    const found = await oras.tool('discover', '--no-tty', '--format', 'json', '--oci-layout', `${ours}:image`)
    const types = JSON.parse(found).referrers.map(({ artifactType }) => artifactType)
    equal(types.join(), 'application/vnd.example.sbom')
  })
}

async function othersReadByUs({ dir, layout, tools, host }) {
  const read = async (path, tag, name) => {
    const repository = layoutDirectory(path, { create: false }).repository('image')
    const reference = tag ?? (await collect(repository.manifests.list())).find((one) => one === layout[name].digest)
    equal(await visited(repository, reference), (await closure(layout.dir, layout[name])).join())
    return repository
  }
  for (const name of NAMES) {
    for (const client of ['skopeo', 'regctl', 'oras', 'crane']) {
      await step(`${client}'s ${name} is read`, async () => {
        const path = join(dir, `${client}-pulled-${name}`)
        await tools[client].pull(`${host}/from/crane:${name}`, path)
        await read(path, client === 'crane' ? undefined : 'pulled', name)
      })
    }
  }
  await writeFile(join(dir, 'home', 'sbom.json'), '{"packages":["one"]}')
  await step('what oras attaches in a layout is found', async () => {
    const path = join(dir, 'oras-pulled-image')
    const type = ['--artifact-type', 'application/vnd.example.sbom']
    await tools.oras.tool('attach', '--no-tty', ...type, '--oci-layout', `${path}:pulled`, 'sbom.json:application/json')
    await expectReferrer(path, layout.image)
  })
  await step('what regctl attaches in a layout is found', async () => {
    const path = join(dir, 'regctl-pulled-image')
    const type = ['--artifact-type', 'application/vnd.example.sbom']
    const file = ['-f', join(dir, 'home', 'sbom.json')]
    await tools.regctl.tool('artifact', 'put', ...type, '--subject', `ocidir://${path}:pulled`, ...file)
    await expectReferrer(path, layout.image)
  })
}

async function archives({ dir, layout, tools: { skopeo, crane, regctl }, host }) {
  const source = layoutDirectory(layout.dir).repository('image')
  const path = (name) => join(dir, `${name}.tar`)
  const diffIds = await diffIdsOf(source, 'image')
  await step('archives are written', async () => {
    for (const format of ['oci', 'docker']) {
      for (const name of NAMES) {
        const archive = await createArchive(path(`ours-${format}-${name}`), { format })
        await copyImage(source, archive.repository(`${host}/team/app`), layout[name].digest, [name])
        await archive.finish()
      }
    }
  })
  for (const format of ['oci', 'docker']) {
    for (const name of NAMES) {
      await step(`skopeo reads our ${name} of an archive for ${format}`, async () => {
        const copy = join(dir, `skopeo-${format}-${name}`)
        const from = `oci-archive:${path(`ours-${format}-${name}`)}:${name}`
        await skopeo.tool('copy', '--quiet', '--all', '--preserve-digests', from, `oci:${copy}:${name}`)
        equal((await closure(copy, layout[name])).join(), (await closure(layout.dir, layout[name])).join())
      })
      await step(`regctl imports our ${name} of an archive for ${format}`, async () => {
        const reference = `${host}/from/regctl-${format}:${name}`
        await regctl.tool('image', 'import', '--name', name, reference, path(`ours-${format}-${name}`))
        equal(await regctl.tool('image', 'digest', reference), layout[name].digest)
      })
    }
  }
  for (const name of NAMES) {
    await step(`skopeo reads our ${name} as docker's`, async () => {
      const from = `docker-archive:${path(`ours-docker-${name}`)}:${host}/team/app:${name}`
      const { Layers: layers } = JSON.parse(await skopeo.tool('inspect', from))
      equal(layers.join(), diffIds.join())
    })
  }
  await step('crane pushes our image as a docker archive', async () => {
    await crane.tool('push', path('ours-docker-image'), `${host}/from/tarball:image`)
    const { rootfs } = JSON.parse(await crane.tool('config', `${host}/from/tarball:image`))
    equal(rootfs.diff_ids.join(), diffIds.join())
  })
  await step("skopeo's oci-archive is read", async () => {
    const from = `oci:${layout.dir}:multi`
    await skopeo.tool('copy', '--quiet', '--all', from, `oci-archive:${path('skopeo-oci')}:v1`)
    await withArchive(path('skopeo-oci'), async (archive) =>
      equal(await visited(archive.repository('image'), 'v1'), (await closure(layout.dir, layout.multi)).join()),
    )
  })
  await step("skopeo's docker-archive is read", async () => {
    await skopeo.tool('copy', '--quiet', `oci:${layout.dir}:image`, `docker-archive:${path('skopeo-docker')}:alpine:3`)
    await withArchive(path('skopeo-docker'), async (archive) => {
      equal((await collect(archive.repositories())).join(), 'alpine')
      await expectLayers(archive.repository('alpine'), '3', diffIds)
    })
  })
  for (const format of ['legacy', 'tarball']) {
    await step(`crane's ${format} is read`, async () => {
      await crane.tool('pull', '--format', format, `${host}/from/crane:image`, path(`crane-${format}`))
      await withArchive(path(`crane-${format}`), (archive) =>
        visited(archive.repository(`${host}/from/crane`), 'image'),
      )
    })
  }
  await step("regctl's export is read, gzipped as well", async () => {
    await regctl.tool('image', 'export', `${host}/from/crane:multi`, path('regctl'))
    await run('gzip', ['-k', path('regctl')])
    for (const file of [path('regctl'), `${path('regctl')}.gz`]) {
      await withArchive(file, async (archive) => {
        const [name] = await collect(archive.repositories())
        equal(await visited(archive.repository(name), 'multi'), (await closure(layout.dir, layout.multi)).join())
      })
    }
  })
}

async function engines(scope, { dir, layout, host }) {
  const source = layoutDirectory(layout.dir).repository('image')
  const diffIds = await diffIdsOf(source, 'image')
  const docker = await startEngine(scope, join(dir, 'docker'))
  for (const name of NAMES) {
    await step(`docker loads our ${name}`, async () => {
      await docker('load', '-i', join(dir, `ours-docker-${name}.tar`))
      const layers = await docker(
        'image',
        'inspect',
        '--format',
        '{{join .RootFS.Layers ","}}',
        `${host}/team/app:${name}`,
      )
      equal(layers, diffIds.join())
    })
  }
  // Its own store, of the kind that needs nothing of the kernel.
  const places = ['--root', join(dir, 'podman'), '--runroot', join(dir, 'podman-run'), '--storage-driver', 'vfs']
  for (const name of NAMES) {
    await step(`podman loads our ${name}`, async () => {
      await run('podman', [...places, 'load', '-i', join(dir, `ours-docker-${name}.tar`)])
      const inspected = await run('podman', [...places, 'image', 'inspect', `${host}/team/app:${name}`])
      equal(JSON.parse(inspected)[0].RootFS.Layers.join(), diffIds.join())
    })
  }
  await step('docker save is read', async () => {
    await docker('save', '-o', join(dir, 'saved.tar'), `${host}/team/app:image`, `${host}/team/app:multi`)
    await withArchive(join(dir, 'saved.tar'), async (archive) => {
      const repository = archive.repository(`${host}/team/app`)
      equal((await collect(repository.tags.list())).join(), NAMES.join())
      for (const name of NAMES) await expectLayers(repository, name, diffIds)
    })
  })
  await mkdir(join(dir, 'containerd'))
  const ctr = await startContainerd(scope, join(dir, 'containerd'))
  for (const format of ['oci', 'docker']) {
    for (const name of NAMES) {
      await step(`containerd imports our ${name} of an archive for ${format}`, async () => {
        await ctr('image', 'import', '--no-unpack', '--all-platforms', join(dir, `ours-${format}-${name}.tar`))
        const listed = await ctr('image', 'ls', `name==${host}/team/app:${name}`)
        if (!listed.includes(layout[name].digest)) throw new Error(listed)
        await ctr('image', 'rm', '--sync', `${host}/team/app:${name}`)
      })
    }
  }
  await step("containerd's export is read", async () => {
    await ctr('image', 'import', '--no-unpack', '--all-platforms', join(dir, 'ours-oci-multi.tar'))
    await ctr('image', 'export', '--all-platforms', join(dir, 'exported.tar'), `${host}/team/app:multi`)
    await withArchive(join(dir, 'exported.tar'), async (archive) => {
      const repository = archive.repository(`${host}/team/app`)
      equal(await visited(repository, 'multi'), (await closure(layout.dir, layout.multi)).join())
    })
  })
}

async function withArchive(path, work) {
  const archive = await openArchive(path)
  try {
    await work(archive)
  } finally {
    await archive.close()
  }
}

/** Everything that a manifest leads to, each verified, as `closure` lists it. */
async function visited(repository, reference) {
  const found = new Set()
  const visit = async (one) => {
    const { descriptor, content } = await repository.manifests.get(one)
    equal(digestOf(content), descriptor.digest)
    found.add(descriptor.digest)
    const { manifests = [], config, layers = [] } = JSON.parse(Buffer.from(content).toString())
    for (const child of manifests) await visit(child.digest)
    for (const blob of config ? [config, ...layers] : []) {
      const { body } = await repository.blobs.open(blob.digest)
      for await (const _ of body.stream());
      found.add(blob.digest)
    }
  }
  await visit(reference)
  return [...found].sort().join()
}

async function copyAll(source, target) {
  for await (const tag of source.tags.list()) await copyImage(source, target, tag, [tag])
}

async function copyImage(source, target, reference, tags) {
  const { descriptor, content } = await source.manifests.get(reference)
  const { manifests = [], config, layers = [] } = JSON.parse(Buffer.from(content).toString())
  for (const child of manifests) await copyImage(source, target, child.digest, [])
  for (const { digest, size } of config ? [config, ...layers] : []) {
    const { body } = await source.blobs.open(digest)
    await target.blobs.put(body.stream(), { digest, size })
  }
  await target.manifests.put(content, { mediaType: descriptor.mediaType, tags })
}

async function diffIdsOf(repository, reference) {
  const { content } = await repository.manifests.get(reference)
  const { config } = JSON.parse(Buffer.from(content).toString())
  const { body } = await repository.blobs.open(config.digest)
  return JSON.parse(Buffer.concat(await collect(body.stream())).toString()).rootfs.diff_ids
}

/** An image out of an old archive: its layers are not compressed, so that they are what the config says. */
async function expectLayers(repository, reference, diffIds) {
  await visited(repository, reference)
  const { content } = await repository.manifests.get(reference)
  const { layers } = JSON.parse(Buffer.from(content).toString())
  equal(layers.map(({ digest }) => digest).join(), diffIds.join())
}

async function expectReferrer(path, subject) {
  const { manifests } = layoutDirectory(path, { create: false }).repository('image')
  const found = await collect(manifests.referrers(subject.digest))
  equal(found.map(({ artifactType }) => artifactType).join(), 'application/vnd.example.sbom')
  equal(found[0].mediaType, mediaTypes.manifest)
}

async function collect(items) {
  const all = []
  for await (const item of items) all.push(item)
  return all
}

function equal(got, expected) {
  if (got !== expected) throw new Error(`expected ${expected}\ngot      ${got}`)
}
