// Docker itself: an engine of our own builds images, pushes them, forgets them, pulls them back by tag and by digest,
// and runs what came back.
import { copyFile, cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Check } from './lib/check.mjs'
import { startEngine } from './lib/engines.mjs'
import { startRegistry } from './lib/registry.mjs'
import { run } from './lib/run.mjs'
import { withScope } from './lib/scope.mjs'

const check = new Check('docker')
const project = fileURLToPath(new URL('../..', import.meta.url))

await withScope(async (scope) => {
  const dir = await scope.tempDir('docker')
  const docker = await startEngine(scope, dir)
  await writeContext(join(dir, 'context'))
  for (const storage of ['memory:', `file:${await scope.tempDir('storage')}`]) {
    const registry = await startRegistry(scope, { storage })
    await exercise(storage.split(':')[0], registry, docker, join(dir, 'context'))
    await check.step(`${storage.split(':')[0]}: the registry stops when asked`, () => registry.stop())
  }
})
check.finish()

/** Four layers of real files; the last holds a static program, so that the image can be run. */
async function writeContext(context) {
  await mkdir(context, { recursive: true })
  await cp(join(project, 'src'), join(context, 'src'), { recursive: true })
  await cp(join(project, 'node_modules/typescript/lib'), join(context, 'lib'), { recursive: true })
  await copyFile(join(project, 'LICENSE'), join(context, 'LICENSE'))
  await copyFile(await run('which', ['crane']), join(context, 'crane'))
  const copies = ['COPY lib /usr/lib/typescript', 'COPY src /src', 'COPY LICENSE /LICENSE', 'COPY crane /crane']
  await writeFile(join(context, 'Dockerfile'), ['FROM scratch', ...copies, 'ENTRYPOINT ["/crane"]', ''].join('\n'))
}

async function exercise(label, registry, docker, context) {
  const app = `${registry.host}/team/app`
  const step = (what, work) => check.step(`${label}: ${what}`, work)
  const id = (reference) => docker('image', 'inspect', '--format', '{{.Id}}', reference)
  const digestIn = (output) => /digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(output)?.[1]
  const forgetAll = async () => {
    const ids = (await docker('image', 'ls', '-q')).split('\n').filter(Boolean)
    if (ids.length > 0) await docker('image', 'rm', '-f', ...new Set(ids))
    equal(await docker('image', 'ls', '-q'), '')
  }

  const built = await step('builds an image', async () => {
    await docker('build', '-q', '-t', `${app}:v1`, context)
    return id(`${app}:v1`)
  })
  if (built === undefined) return
  const digest = await step('pushes it; the registry answers with the digest Docker names', async () => {
    const pushed = digestIn(await docker('push', `${app}:v1`))
    const response = await fetch(`${registry.url}/v2/team/app/manifests/v1`, {
      method: 'HEAD',
      headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
    })
    equal(response.headers.get('docker-content-digest'), pushed)
    equal(response.headers.get('content-type'), 'application/vnd.docker.distribution.manifest.v2+json')
    equal(await docker('image', 'inspect', '--format', '{{index .RepoDigests 0}}', `${app}:v1`), `${app}@${pushed}`)
    return pushed
  })
  await step('pushes it again: every layer is there already', async () => {
    const output = await docker('push', `${app}:v1`)
    equal(output.match(/Layer already exists/g)?.length, 4)
    equal(digestIn(output), digest)
  })
  await step('pushes a second tag', async () => {
    await docker('tag', `${app}:v1`, `${app}:stable`)
    equal(digestIn(await docker('push', `${app}:stable`)), digest)
  })
  await step('pushes to another repository by mounting every layer', async () => {
    await docker('tag', `${app}:v1`, `${registry.host}/other/copy:v1`)
    const output = await docker('push', `${registry.host}/other/copy:v1`)
    equal(output.match(/Mounted from team\/app/g)?.length, 4)
    equal(digestIn(output), digest)
  })
  await step('forgets the image, pulls it by tag: the same image', async () => {
    await forgetAll()
    const output = await docker('pull', `${app}:v1`)
    equal(/Digest: (\S+)/.exec(output)?.[1], digest)
    equal(await id(`${app}:v1`), built)
  })
  await step('runs what it pulled', async () => {
    equal(await docker('run', '--rm', '--network', 'none', `${app}:v1`, 'version'), await run('crane', ['version']))
  })
  await step('forgets the image, pulls it by digest: the same image', async () => {
    await forgetAll()
    await docker('pull', `${app}@${digest}`)
    equal(await id(`${app}@${digest}`), built)
  })
  await step('pulls all tags of a repository', async () => {
    await forgetAll()
    await docker('pull', '-a', app)
    const tags = await docker('image', 'ls', '--format', '{{.Tag}}', app)
    equal(tags.split('\n').sort().join(), 'stable,v1')
  })
  await step('builds on top of it and pushes the new layer alone', async () => {
    await writeFile(join(context, 'Next'), `FROM ${app}:v1\nCOPY LICENSE /LICENSE.copy\n`)
    await docker('build', '-q', '-t', `${app}:v2`, '-f', join(context, 'Next'), context)
    const output = await docker('push', `${app}:v2`)
    equal(output.match(/Layer already exists/g)?.length, 4)
    if (digestIn(output) === digest) throw new Error('the second version has the digest of the first')
  })
  await step('makes a list of two platforms, pushes it and pulls its own platform through it', async () => {
    await docker('manifest', 'create', '--insecure', `${app}:multi`, `${app}:v1`, `${app}:v2`)
    await docker('manifest', 'annotate', '--arch', 'arm64', `${app}:multi`, `${app}:v2`)
    const list = await docker('manifest', 'push', '--insecure', '--purge', `${app}:multi`)
    await forgetAll()
    const output = await docker('pull', `${app}:multi`)
    equal(/Digest: (\S+)/.exec(output)?.[1], list.split('\n').at(-1))
    equal(await id(`${app}:multi`), built)
  })
  await step('BuildKit builds on an image it fetches, and reuses a cache it left in the registry', async () => {
    const arg = ['--build-arg', 'BUILDKIT_INLINE_CACHE=1']
    const build = (...args) =>
      docker.buildkit('build', '--progress', 'plain', '-f', join(context, 'Next'), ...args, context)
    await build(...arg, '-t', `${app}:cache`)
    const layers = (tag) => docker('image', 'inspect', '--format', '{{json .RootFS.Layers}}', `${app}:${tag}`)
    const built = await layers('cache')
    await docker('push', `${app}:cache`)
    await forgetAll()
    await docker('builder', 'prune', '--all', '--force')
    const { stderr } = await build('--cache-from', `${app}:cache`, '-t', `${app}:again`)
    if (!/CACHED/.test(stderr)) throw new Error(stderr)
    equal(await layers('again'), built)
    await docker('push', `${app}:again`)
  })
  await step('a deleted tag can no longer be pulled, the others can', async () => {
    const { status } = await fetch(`${registry.url}/v2/team/app/manifests/stable`, { method: 'DELETE' })
    equal(status, 202)
    const { code, stderr } = await docker.attempt('pull', `${app}:stable`)
    equal(code, 1)
    if (!/not found|manifest unknown/.test(stderr)) throw new Error(stderr)
    await docker('pull', `${app}:v1`)
  })
  await forgetAll()
}

function equal(got, expected) {
  if (got !== expected) throw new Error(`expected ${expected}\ngot      ${got}`)
}
