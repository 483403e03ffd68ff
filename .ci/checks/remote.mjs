// RemoteBackend and copy() against registries that nobody here wrote: Distribution (open; with tokens; with passwords and TLS),
// go-containerregistry's and cue-labs'. Each gets an image and an index from a layout and gives them back, to memory and to a registry
// of ours; uploads in chunks, ranges, mounts, pages and errors are what the contract of a backend says.
import { join } from 'node:path'
import { copy, memory, Registry } from 'wharfage'
import { layoutDirectory } from 'wharfage/layout'
import { dockerConfig, RemoteBackend, storeCredentials } from 'wharfage/remote'
import { Check } from './lib/check.mjs'
import {
  BOB,
  certificates,
  passwords,
  startCraneRegistry,
  startDistribution,
  startOciregistry,
} from './lib/foreign.mjs'
import { closure, digestOf, writeLayout } from './lib/layout.mjs'
import { startRegistry } from './lib/registry.mjs'
import { run } from './lib/run.mjs'
import { withScope } from './lib/scope.mjs'
import { startIssuer } from './lib/token-issuer.mjs'

const check = new Check('remote')
const silent = { debug() {}, info() {}, warn() {}, error() {} }

await withScope(async (scope) => {
  const layout = await writeLayout(join(await scope.tempDir('layout'), 'layout'))
  const ours = await startRegistry(scope, { storage: 'memory:' })
  const context = { scope, layout, ours }
  const issuer = await startIssuer(scope, { [BOB.username]: BOB.password })
  const { ca, tls } = await certificates(scope)
  const open = await startDistribution(scope)
  const withTokens = await startDistribution(scope, { auth: issuer.config })
  const withPasswords = await startDistribution(scope, { auth: await passwords(scope), tls })
  const google = await startCraneRegistry(scope)
  const cue = await startOciregistry(scope)

  await both({ ...context, label: 'distribution', registry: open })
  const tokenOptions = { credentials: BOB, realms: [issuer.origin] }
  await both({ ...context, label: 'distribution with tokens', registry: withTokens, options: tokenOptions })
  // As `wharfage login` does, for docker and for us.
  const logins = { path: join(await scope.tempDir('logins'), 'config.json') }
  await storeCredentials(withPasswords.host, BOB, logins)
  const tlsOptions = { credentials: dockerConfig(logins), tls: { ca } }
  await both({ ...context, label: 'distribution with passwords and TLS', registry: withPasswords, options: tlsOptions })
  await both({ ...context, label: "go-containerregistry's", registry: google })
  await both({ ...context, label: "cue-labs'", registry: cue })

  await tokens({ issuer, registry: withTokens })
  await refusals({ issuer, ca, withTokens, withPasswords })
  await across({ from: open, to: google })
  issuer.close()
  await check.step('our registry stops when asked', () => ours.stop())
})
check.finish()

/** Everything that every registry has to do. */
async function both({ label, registry, options, layout, ours }) {
  const step = (what, work) => check.step(`${label}: ${what}`, work)
  const remote = new RemoteBackend(registry.url, options)
  const source = layoutDirectory(layout.dir, { repository: 'team/app' })
  const team = remote.repository('team/app')
  try {
    await step('is there', () => remote.ping())
    for (const [tag, descriptor] of [
      ['image', layout.image],
      ['multi', layout.multi],
    ]) {
      const target = { backend: remote, repository: 'team/app', reference: tag }
      const from = { backend: source, repository: 'team/app', reference: descriptor.digest }
      await step(`gets the ${tag} from a layout`, async () => {
        const { images } = await copy(from, target)
        same(
          images.map(({ digest }) => digest),
          [descriptor.digest],
        )
      })
      await step(`is told nothing of the ${tag} twice`, async () => {
        const { bytes, manifests } = await copy(from, target)
        same([bytes.moved, manifests.written], [0, 0])
      })
    }
    await step('gives everything back to memory', () =>
      giveBack(team, new Registry({ storage: memory(), logger: silent }), layout),
    )
    await step('gives everything back to a registry of ours', async () => {
      const back = new RemoteBackend(ours.url)
      await giveBack(team, back, layout).finally(() => back.close())
    })
    await step('takes a blob in chunks and gives ranges of it', () => chunks(registry, options))
    if (registry.tellsUploads !== false) await step('goes on with an upload', () => resume(team))
    await step('mounts from one repository to another, or says that it does not', () => mount(remote, layout, registry))
    await step('lists tags by pages', () => tagPages(team, layout))
    await step('lists repositories by pages', () => repositoryPages(remote, layout, registry))
    await step('says what is not there', () => absences(remote))
    if (options === undefined) {
      await step('holds what crane finds valid', async () => {
        await run('crane', ['validate', '--insecure', '--remote', `${registry.host}/team/app:multi`])
      })
    }
    await step('keeps what is attached to an image, and tells of it', () => referrers(team, layout))
    await step('deletes a manifest', () => remove(team))
  } finally {
    await remote.close()
  }
}

async function giveBack(repository, backend, layout) {
  await copy(repository, { backend, repository: 'back/app' })
  const { manifests, blobs } = backend.repository('back/app')
  for (const tag of ['image', 'multi']) same((await manifests.stat(tag)).digest, layout[tag].digest)
  const expected = new Set(await closure(layout.dir, layout.multi))
  const found = new Set()
  const visit = async ({ digest, mediaType }) => {
    found.add(digest)
    if (!mediaType.includes('manifest') && !mediaType.includes('index')) return blobs.stat(digest)
    const content = JSON.parse(Buffer.from((await manifests.get(digest)).content))
    for (const child of [...(content.manifests ?? []), ...(content.layers ?? []), content.config].filter(Boolean))
      await visit(child)
  }
  await visit(layout.multi)
  same([...found].sort(), [...expected].sort())
}

async function chunks(registry, options) {
  const content = Buffer.alloc(1_000_000, 'a blob in chunks ')
  const remote = new RemoteBackend(registry.url, { ...options, maxChunkBytes: 300_000 })
  try {
    const { blobs } = remote.repository('team/chunks')
    const { digest } = await blobs.put(content)
    same(digest, digestOf(content))
    const ranges = [
      [0, 1],
      [299_999, 300_001],
      [999_999, 1_000_000],
    ]
    if (registry.hasOpenRanges !== false) ranges.push([0], [999_999])
    for (const [start, end] of ranges) {
      const { body } = await blobs.open(digest, { range: { start, ...(end !== undefined && { end }) } })
      const parts = []
      for await (const part of body.stream()) parts.push(part)
      same(digestOf(Buffer.concat(parts)), digestOf(content.subarray(start, end)))
    }
  } finally {
    await remote.close()
  }
}

async function resume({ blobs }) {
  const upload = await blobs.startUpload()
  await upload.append(Buffer.from('first '))
  const again = await blobs.resumeUpload(upload.id)
  same(again.offset, 6)
  await again.append(Buffer.from('second'), { at: 6 })
  const { digest, size } = await again.commit(digestOf('first second'))
  same([digest, size], [digestOf('first second'), 12])
}

async function mount(remote, layout, { mounts = true }) {
  const [layer] = JSON.parse(
    Buffer.from((await remote.repository('team/app').manifests.get(layout.image.digest)).content),
  ).layers
  const { blobs } = remote.repository('team/mounted')
  if (!mounts) return fails('BLOB_UNKNOWN', () => blobs.mount(layer.digest, 'team/app'))
  await blobs.mount(layer.digest, 'team/app')
  same((await blobs.stat(layer.digest)).size, layer.size)
}

async function tagPages({ tags }, layout) {
  const names = Array.from({ length: 25 }, (_, index) => `page-${String(index).padStart(2, '0')}`)
  for (const name of names) await tags.set(name, layout.image.digest)
  const expected = ['image', 'multi', ...names]
  same(await all(tags.list()), expected)
  same((await all(tags.list({ limit: 12 }))).slice(0, 12), expected.slice(0, 12))
  same((await all(tags.list({ after: 'page-10', limit: 12 }))).slice(0, 12), names.slice(11, 23))
  same(await all(tags.list({ after: 'page-24' })), [])
}

async function repositoryPages(remote, layout, { hasOrder = true }) {
  const image = { backend: remote, repository: 'team/app', reference: 'image' }
  const names = ['a/1', 'b/2', 'c/3']
  for (const repository of names) await copy(image, { backend: remote, repository, reference: layout.image.digest })
  const listed = await all(remote.repositories())
  same(listed.slice(0, 3), names)
  same(listed.includes('team/app'), true)
  if (!hasOrder) return
  same((await all(remote.repositories({ limit: 2 }))).slice(0, 2), names.slice(0, 2))
  same((await all(remote.repositories({ after: 'a/1', limit: 1 }))).slice(0, 1), ['b/2'])
}

async function absences(remote) {
  const { blobs, manifests } = remote.repository('team/app')
  const absent = digestOf('nobody has this')
  await fails('BLOB_UNKNOWN', () => blobs.stat(absent))
  await fails('BLOB_UNKNOWN', () => blobs.open(absent))
  await fails('MANIFEST_UNKNOWN', () => manifests.stat(absent))
  await fails('MANIFEST_UNKNOWN', () => manifests.get('nothing'))
  await fails('NAME_UNKNOWN', () => all(remote.repository('team/nobody').tags.list()))
}

async function referrers({ blobs, manifests }, layout) {
  const empty = await blobs.put(Buffer.from('{}'))
  const attached = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    artifactType: 'application/vnd.example.signature',
    config: { ...empty, mediaType: 'application/vnd.oci.empty.v1+json' },
    layers: [{ ...empty, mediaType: 'application/vnd.oci.empty.v1+json' }],
    subject: layout.image,
  }
  const { digest } = await manifests.put(Buffer.from(JSON.stringify(attached)), { mediaType: attached.mediaType })
  const found = await all(manifests.referrers(layout.image.digest))
  same(
    found.map((descriptor) => [descriptor.digest, descriptor.artifactType]),
    [[digest, attached.artifactType]],
  )
  same(await all(manifests.referrers(layout.multi.digest)), [])
}

async function remove({ manifests }) {
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] }
  const { digest } = await manifests.put(Buffer.from(JSON.stringify(index)), { mediaType: index.mediaType })
  await manifests.delete(digest)
  await fails('MANIFEST_UNKNOWN', () => manifests.stat(digest))
}

async function tokens({ issuer, registry }) {
  await check.step('a pull as nobody asks for no more than to pull', async () => {
    const remote = new RemoteBackend(registry.url, { realms: [issuer.origin] })
    const before = issuer.requests.length
    await remote.repository('team/app').manifests.get('multi')
    await fails('UNAUTHORIZED', () => remote.repository('team/app').blobs.put(Buffer.from('x')))
    await remote.close()
    same(issuer.requests.slice(before), [
      { user: undefined, scopes: ['repository:team/app:pull'] },
      { user: undefined, scopes: ['repository:team/app:pull,push'] },
    ])
  })
  await check.step('a hundred requests at once ask for one token', async () => {
    const remote = new RemoteBackend(registry.url, { realms: [issuer.origin], credentials: BOB })
    const before = issuer.requests.length
    const { manifests } = remote.repository('team/app')
    await Promise.all(Array.from({ length: 100 }, () => manifests.stat('multi')))
    await remote.close()
    same(issuer.requests.slice(before), [{ user: 'bob', scopes: ['repository:team/app:pull'] }])
  })
}

async function refusals({ issuer, ca, withTokens, withPasswords }) {
  const mallory = { username: 'bob', password: 'guess' }
  const tries = [
    [
      'a wrong password, by the token server',
      withTokens,
      { credentials: mallory, realms: [issuer.origin] },
      'UNAUTHORIZED',
    ],
    ['a wrong password, by the registry', withPasswords, { credentials: mallory, tls: { ca } }, 'UNAUTHORIZED'],
    ['no password', withPasswords, { tls: { ca } }, 'UNAUTHORIZED'],
    ['a token server that is not listed', withTokens, { credentials: BOB }, 'DENIED'],
    ['a certificate of nobody known', withPasswords, { credentials: BOB, retries: { attempts: 1 } }, 'UNAVAILABLE'],
  ]
  for (const [what, registry, options, code] of tries) {
    await check.step(`${what} is ${code}`, async () => {
      const remote = new RemoteBackend(registry.url, options)
      await fails(code, () => remote.repository('team/app').manifests.get('multi')).finally(() => remote.close())
    })
  }
}

/** Neither side is ours. */
async function across({ from, to }) {
  await check.step("copies a repository from Distribution to go-containerregistry's", async () => {
    const source = new RemoteBackend(from.url)
    const target = new RemoteBackend(to.url)
    await copy(
      { backend: source, repository: 'team/app' },
      { backend: target, repository: 'across' },
      { referrers: true },
    )
    same(await all(target.repository('across').tags.list()), await all(source.repository('team/app').tags.list()))
    await Promise.all([source.close(), target.close()])
    await run('crane', ['validate', '--insecure', '--remote', `${to.host}/across:multi`])
  })
}

async function all(items) {
  const found = []
  for await (const item of items) found.push(item)
  return found
}

async function fails(code, work) {
  const error = await Promise.resolve()
    .then(work)
    .then(
      () => undefined,
      (thrown) => thrown,
    )
  if (error?.code !== code) throw new Error(`expected ${code}, got ${error?.code ?? 'no error'}: ${error?.message}`)
}

function same(got, expected) {
  if (JSON.stringify(got) === JSON.stringify(expected)) return
  throw new Error(`expected ${JSON.stringify(expected)}\ngot      ${JSON.stringify(got)}`)
}
