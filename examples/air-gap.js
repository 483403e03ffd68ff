// @ts-check
// Carries images into a network without the Internet: out of one registry into a tar, and out of that into another registry. The tar is
// one that `docker load` takes as well. Serves the inner registry in the end.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { anyone, copy, memory, Registry } from 'wharfage'
import { artifact, image } from 'wharfage/image'
import { createArchive, openArchive } from 'wharfage/layout'
import { createRegistryServer } from 'wharfage/node'

// Outside this would be `new RemoteBackend('registry.example', { credentials: dockerConfig() })`.
const outside = new Registry({ storage: memory() })
const inside = new Registry({ storage: memory() })
const app = outside.repository('team/app')
const pushed = await image
  .scratch({ platform: 'linux/amd64' })
  .add({ motd: 'hello' })
  .push(app, { tags: ['v1'] })
await artifact(app, {
  artifactType: 'application/spdx+json',
  layers: [{ content: '{"spdxVersion":"SPDX-2.3"}', mediaType: 'application/spdx+json', title: 'sbom.json' }],
  subject: pushed.digest,
})

const directory = await mkdtemp(join(tmpdir(), 'air-gap-'))
const file = join(directory, 'images.tar')

const archive = await createArchive(file, { format: 'docker' })
await copy({ backend: outside, repository: 'team/app', reference: 'v1' }, archive, { referrers: true })
await archive.finish()

// Here the file is carried.
const carried = await openArchive(file)
for await (const event of copy(carried, inside, { referrers: true })) {
  if (event.type === 'tag.set') console.log(`${event.repository}:${event.tag} is ${event.digest}`)
}
await carried.close()
await rm(directory, { recursive: true })

const server = createRegistryServer(inside, { access: anyone() })
server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close(() => inside.close()))
