// docker, containerd, skopeo and crane as people set them up to pull through a cache, each for linux/amd64.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startContainerd, startEngine } from './engines.mjs'
import { closure, mediaTypes, readJson, rootDigest } from './layout.mjs'
import { run } from './run.mjs'

const platform = { os: 'linux', architecture: 'amd64' }
/** Nobody listens there: a client that turns away from the cache gets nowhere. */
const nowhere = 'http://127.0.0.1:1'

/**
 * Of each client: `first(repository)` and `second(repository)`, what it calls a repository of either upstream; `pull(reference)`, which
 * forgets everything first and resolves to the digests that it has afterwards; `expected(layout, root)`, which they should be, sorted;
 * and the `repository` that is its own at the upstreams.
 */
export async function startPullers(scope, cacheHost) {
  const dir = await scope.tempDir('pullers')
  const below = (prefix) => (repository) => `${cacheHost}/${prefix}${repository}`
  const byPrefix = { first: below('docker.io/'), second: below('second.test/') }
  return {
    docker: {
      ...byPrefix,
      first: (repository) => repository,
      ...(await docker(scope, join(dir, 'docker'), cacheHost)),
    },
    containerd: {
      ...{ ...byPrefix, first: (repository) => `docker.io/${repository}` },
      ...(await containerd(scope, join(dir, 'containerd'), cacheHost)),
    },
    skopeo: { ...byPrefix, ...inLayouts(scope, 'skopeo', dir, skopeo) },
    crane: { ...byPrefix, ...inLayouts(scope, 'crane', dir, crane) },
  }
}

/** `--registry-mirror` is for Docker Hub alone, whose names it sends without a prefix and without an `ns`. */
async function docker(scope, dir, cacheHost) {
  await mkdir(dir)
  const engine = await startEngine(scope, dir, {
    flags: [`--registry-mirror=http://${cacheHost}`],
    variables: { HTTPS_PROXY: nowhere },
  })
  return {
    async pull(reference) {
      const ids = (await engine('image', 'ls', '-q')).split('\n').filter(Boolean)
      if (ids.length > 0) await engine('image', 'rm', '-f', ...new Set(ids))
      const output = await engine('pull', '--platform', 'linux/amd64', reference)
      const image = JSON.parse(await engine('image', 'inspect', reference))[0]
      return [/Digest: (\S+)/.exec(output)?.[1], image.Id, ...image.RootFS.Layers].sort()
    },
    /** It unpacks what it pulls, and keeps the digests of the layers as they are then. */
    async expected(layout, root) {
      const { config } = await manifestOf(layout, root)
      const { rootfs } = await readJson(layout.dir, config.digest)
      return [root.digest, config.digest, ...rootfs.diff_ids].sort()
    },
  }
}

/** `hosts.toml` makes it send the names as they are, and `ns=docker.io`. */
async function containerd(scope, dir, cacheHost) {
  const hosts = join(dir, 'hosts')
  await mkdir(join(hosts, 'docker.io'), { recursive: true })
  const lines = [`server = "${nowhere}"`, `[host."http://${cacheHost}"]`, 'capabilities = ["pull", "resolve"]']
  await writeFile(join(hosts, 'docker.io', 'hosts.toml'), `${lines.join('\n')}\n`)
  const ctr = await startContainerd(scope, dir)
  const content = async () => (await ctr('content', 'ls', '-q')).split('\n').filter(Boolean).sort()
  return {
    async pull(reference) {
      const images = (await ctr('image', 'ls', '-q')).split('\n').filter(Boolean)
      if (images.length > 0) await ctr('image', 'rm', '--sync', ...images)
      for (let round = 0; (await content()).length > 0; round += 1) {
        if (round === 100) throw new Error(`content is left: ${await content()}`)
        await delay(100)
      }
      const through = reference.startsWith('docker.io/') ? ['--hosts-dir', hosts] : ['--plain-http']
      await ctr(...['image', 'pull', ...through, '--snapshotter', 'native', '--platform', 'linux/amd64', reference])
      return content()
    },
    async expected(layout, root) {
      const image = await closure(layout.dir, await imageOf(layout, root))
      return [...new Set([root.digest, ...image])].sort()
    },
  }
}

/** Those that write what they pull into a layout. */
function inLayouts(scope, name, home, copy) {
  const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, DOCKER_CONFIG: home }
  return {
    async pull(reference) {
      const dir = join(await scope.tempDir(name), 'layout')
      const timeoutMs = 120_000
      await copy(reference, dir, { env, cwd: home, timeoutMs })
      return closure(dir, { digest: await rootDigest(dir), mediaType: mediaTypes.manifest })
    },
    expected: async (layout, root) => closure(layout.dir, await imageOf(layout, root)),
  }
}

function skopeo(reference, dir, options) {
  const flags = ['--insecure-policy', `--override-os=${platform.os}`, `--override-arch=${platform.architecture}`]
  const copy = ['copy', '--quiet', '--preserve-digests', '--src-tls-verify=false']
  return run('skopeo', [...flags, ...copy, `docker://${reference}`, `oci:${dir}:pulled`], options)
}

function crane(reference, dir, options) {
  return run('crane', ['pull', '--platform', 'linux/amd64', '--format', 'oci', reference, dir], options)
}

/** The image of our platform that an index has; an image itself. */
async function imageOf(layout, root) {
  if (root.mediaType !== mediaTypes.index) return root
  const { manifests } = await readJson(layout.dir, root.digest)
  return manifests.find((one) => one.platform.architecture === platform.architecture)
}

async function manifestOf(layout, root) {
  return readJson(layout.dir, (await imageOf(layout, root)).digest)
}
