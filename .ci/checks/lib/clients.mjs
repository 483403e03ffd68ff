// The clients that need no daemon, behind one shape. A reference is `host/repository:tag` or `host/repository@digest`.
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { mediaTypes, rootDigest } from './layout.mjs'
import { run } from './run.mjs'

/**
 * Each client can `push(layout, name, reference)` the image or index of that name, `pull(reference, dir)` into a new
 * layout (resolving to the digest it got), list `tags(repository)`, and `remove(reference)`.
 * All of them read their settings from `home`, which is empty.
 */
export function clients(home, host) {
  const env = {
    ...process.env,
    HOME: home,
    XDG_CONFIG_HOME: home,
    DOCKER_CONFIG: home,
    REGCTL_CONFIG: join(home, 'regctl.json'),
  }
  const tool =
    (command, ...common) =>
    (...args) =>
      run(command, [...common, ...args], { env, cwd: home })
  return {
    crane: crane(tool('crane')),
    skopeo: skopeo(tool('skopeo', '--insecure-policy')),
    oras: oras(tool('oras')),
    regctl: regctl(tool('regctl', '--host', `reg=${host},tls=disabled`)),
  }
}

function crane(tool) {
  return {
    tool,
    async push(layout, name, reference) {
      const view = `${layout.dir}-${name}`
      await writeView(view, layout, layout[name])
      await tool('push', view, reference)
    },
    async pull(reference, dir) {
      await tool('pull', '--format', 'oci', reference, dir)
      return rootDigest(dir)
    },
    tags: async (repository) => lines(await tool('ls', repository)),
    remove: (reference) => tool('delete', reference),
  }
}

function skopeo(tool) {
  const all = ['copy', '--quiet', '--all', '--preserve-digests']
  return {
    tool,
    push: (layout, name, reference) =>
      tool(...all, '--dest-tls-verify=false', `oci:${layout.dir}:${name}`, `docker://${reference}`),
    async pull(reference, dir) {
      await tool(...all, '--src-tls-verify=false', `docker://${reference}`, `oci:${dir}:pulled`)
      return rootDigest(dir, 'pulled')
    },
    tags: async (repository) =>
      JSON.parse(await tool('list-tags', '--tls-verify=false', `docker://${repository}`)).Tags,
    remove: (reference) => tool('delete', '--tls-verify=false', `docker://${reference}`),
  }
}

function oras(tool) {
  return {
    tool,
    push: (layout, name, reference) =>
      tool('cp', '--no-tty', '--from-oci-layout', `${layout.dir}:${name}`, '--to-plain-http', reference),
    async pull(reference, dir) {
      await tool('cp', '--no-tty', '--from-plain-http', reference, '--to-oci-layout', `${dir}:pulled`)
      return rootDigest(dir, 'pulled')
    },
    tags: async (repository) => lines(await tool('repo', 'tags', '--plain-http', repository)),
    remove: (reference) => tool('manifest', 'delete', '--force', '--plain-http', reference),
  }
}

function regctl(tool) {
  return {
    tool,
    push: (layout, name, reference) => tool('image', 'copy', `ocidir://${layout.dir}:${name}`, reference),
    async pull(reference, dir) {
      await tool('image', 'copy', reference, `ocidir://${dir}:pulled`)
      return rootDigest(dir, 'pulled')
    },
    tags: async (repository) => lines(await tool('tag', 'ls', repository)),
    remove: (reference) => tool(reference.includes('@') ? 'manifest' : 'tag', 'delete', reference),
  }
}

/** A layout over the same blobs that holds one image alone: crane takes all that a layout lists. */
async function writeView(dir, layout, descriptor) {
  await mkdir(dir, { recursive: true })
  await symlink(join(layout.dir, 'blobs'), join(dir, 'blobs')).catch((error) => {
    if (error.code !== 'EEXIST') throw error
  })
  await writeFile(join(dir, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [descriptor] }
  await writeFile(join(dir, 'index.json'), JSON.stringify(index))
}

function lines(text) {
  return text.split('\n').filter((line) => line !== '')
}
