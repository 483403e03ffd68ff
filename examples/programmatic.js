// @ts-check
// Pushes an image from code, reads it back, and serves it: `oras pull --plain-http 127.0.0.1:5000/greetings/hello:latest`.
import { anyone, MEDIA_TYPES, memory, Registry } from 'wharfage'
import { createRegistryServer } from 'wharfage/node'

const registry = new Registry({ storage: memory() })
const { blobs, manifests, tags } = registry.repository('greetings/hello')

// Blobs first, then the manifest that refers to them: `put` answers with a descriptor of what it stored.
const layer = await blobs.put(Buffer.from('hello from code\n'))
const config = await blobs.put(Buffer.from('{}'))
const manifest = {
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.ociManifest,
  artifactType: 'text/plain',
  config: { ...config, mediaType: 'application/vnd.oci.empty.v1+json' },
  layers: [{ ...layer, mediaType: 'text/plain', annotations: { 'org.opencontainers.image.title': 'hello.txt' } }],
}
const pushed = await manifests.put(Buffer.from(JSON.stringify(manifest)), {
  mediaType: MEDIA_TYPES.ociManifest,
  tags: ['latest'],
})
console.log(`pushed ${pushed.digest}`)

for await (const tag of tags.list()) {
  const { descriptor } = await manifests.get(tag)
  console.log(`tag ${tag} is ${descriptor.digest}`)
}
const { body } = await blobs.open(layer.digest)
for await (const chunk of body.stream()) console.log(`layer says ${chunk.toString().trim()}`)

const server = createRegistryServer(registry, { access: anyone() })
server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close(() => registry.close()))
