// @ts-check
// Pushes one small image after another, to a layout directory or to an archive, and says so once each is acknowledged.
import { createArchive, layoutDirectory } from '../../dist/layout/index.js'

const [kind = '', path = ''] = process.argv.slice(2)
const backend = kind === 'directory' ? layoutDirectory(path) : await createArchive(path, { format: 'docker' })
const { blobs, manifests } = backend.repository('image')
const mediaType = 'application/vnd.oci.image.manifest.v1+json'

for (let round = 0; ; round++) {
  const config = {
    ...(await blobs.put(Buffer.from(`{"round":${round}}`))),
    mediaType: 'application/vnd.oci.image.config.v1+json',
  }
  const layer = await blobs.put(Buffer.alloc(200_000, round))
  const layers = [{ ...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar' }]
  const image = JSON.stringify({ schemaVersion: 2, mediaType, config, layers })
  await manifests.put(Buffer.from(image), { mediaType, tags: [`v${round}`, 'latest'] })
  process.stderr.write(`v${round}.\n`)
}
