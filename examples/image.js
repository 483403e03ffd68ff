// @ts-check
// Builds an image on a base, for two platforms, without Docker, and serves it: `skopeo inspect --tls-verify=false docker://127.0.0.1:5000/team/app:v1`.
import { anyone, memory, Registry } from 'wharfage'
import { artifact, image, index, pull } from 'wharfage/image'
import { createRegistryServer } from 'wharfage/node'

const registry = new Registry({ storage: memory() })
const team = { backend: registry, repository: 'team/app' }

// A base would come from elsewhere; this one is two images from scratch, listed by an index of their platforms.
const bases = []
for (const platform of ['linux/amd64', 'linux/arm64']) {
  const base = image
    .scratch({ platform })
    .add({ 'usr/bin/node': { content: `node for ${platform}`, mode: 0o755 }, 'etc/motd': 'the base' })
    .config({ entrypoint: ['/usr/bin/node'], env: { NODE_ENV: 'development' } })
  bases.push(await base.push(registry.repository('base/node')))
}
await index(registry.repository('base/node'), { manifests: bases, tags: ['22'] })

const pushed = await image
  .from({ backend: registry, repository: 'base/node', reference: '22' }, { platforms: 'all' })
  .add({ 'server.js': 'console.log("hello")' }, { to: '/app' }) // './dist' would add a directory
  .remove('/etc/motd')
  .config({ workdir: '/app', cmd: ['server.js'], env: { NODE_ENV: 'production' }, user: '1000', exposedPorts: [8080] })
  .annotations({ 'org.opencontainers.image.title': 'app' })
  .push(team, { tags: ['v1', 'latest'] })
console.log(`pushed ${pushed.digest}`)

const { config, layers } = await pull({ ...team, reference: 'v1' }, { platform: 'linux/arm64' })
console.log(`runs ${[...(config.config?.Entrypoint ?? []), ...(config.config?.Cmd ?? [])].join(' ')}`)
for (const layer of layers) {
  for await (const entry of layer.entries()) {
    if (entry.header.name === 'usr/bin/node') console.log(`has ${Buffer.from(await entry.bytes())}`)
  }
}

// What is about an image is found through it.
await artifact(registry.repository('team/app'), {
  artifactType: 'application/spdx+json',
  layers: [{ content: '{"spdxVersion":"SPDX-2.3"}', mediaType: 'application/spdx+json', title: 'sbom.json' }],
  subject: 'v1',
})

const server = createRegistryServer(registry, { access: anyone() })
server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close(() => registry.close()))
