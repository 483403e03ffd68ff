import { MEDIA_TYPES } from '../../spec/media-types.ts'
import type { ContractContext } from './context.ts'
import { imageOf, plain, push, pushImage, unknownDigest } from './images.ts'
import { assertRefused } from './manifest-puts.ts'
import { assertManifest, indexOf } from './manifests.ts'

const { ociManifest, ociIndex, ociConfig } = MEDIA_TYPES

const MISSING = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: unknownDigest(), size: 3 }

export function testMissingContent(context: ContractContext): void {
  const { create, has } = context
  const { describe, it } = context.runner

  describe('an image that lists what is missing', () => {
    it('is taken when it is its subject', async () => {
      const { repository } = await create()
      const subject = { ...MISSING, mediaType: ociManifest }
      const pushed = await pushImage(context, repository, 'signature', { tags: ['v1'], fields: { subject } })
      await assertManifest(repository, pushed, ['v1', pushed.digest])
    })

    if (!has('blob check')) {
      it('is taken (lacks blob check)', async () => {
        const { repository } = await create()
        const pushed = await pushImage(context, repository, 'incomplete', {
          tags: ['v1'],
          fields: { layers: [MISSING] },
        })
        await assertManifest(repository, pushed, ['v1', pushed.digest])
      })
      return
    }

    it('is refused with MANIFEST_BLOB_UNKNOWN, be it a layer or the config', async () => {
      const { repository } = await create()
      const image = await pushImage(context, repository, 'complete', { tags: ['v1'] })
      const { layers } = JSON.parse(Buffer.from(image.content).toString()) as { layers: unknown[] }
      for (const lacking of [
        await imageOf(repository, 'complete', { layers: [...layers, MISSING] }),
        await imageOf(repository, 'complete', { layers: [MISSING, ...layers] }),
        await imageOf(repository, 'complete', { config: { ...MISSING, mediaType: ociConfig } }),
      ]) {
        await assertRefused(repository, lacking, 'MANIFEST_BLOB_UNKNOWN')
      }
      await assertManifest(repository, image, ['v1', image.digest])
    })

    if (has('isolation'))
      it('is refused when that is in another repository only', async () => {
        const { backend, repository } = await create()
        const image = await pushImage(context, backend.repository('team/other'), 'elsewhere', { tags: ['v1'] })
        await assertRefused(repository, image, 'MANIFEST_BLOB_UNKNOWN')
      })
  })

  describe('an index that lists what is missing', () => {
    const child = { ...MISSING, mediaType: ociManifest }

    if (!has('index check')) {
      it('is taken (lacks index check)', async () => {
        const { repository } = await create()
        const pushed = await push(context, repository, indexOf([child], ociIndex), ['v1'])
        await assertManifest(repository, pushed, ['v1', pushed.digest])
      })
      return
    }

    it('is refused with MANIFEST_BLOB_UNKNOWN', async () => {
      const { repository } = await create()
      const image = await pushImage(context, repository, 'complete', { tags: ['v1'] })
      await assertRefused(repository, indexOf([plain(image), child], ociIndex), 'MANIFEST_BLOB_UNKNOWN')
      await assertRefused(repository, indexOf([child, plain(image)], ociIndex), 'MANIFEST_BLOB_UNKNOWN')
    })

    if (has('isolation'))
      it('is refused when that is in another repository only', async () => {
        const { backend, repository } = await create()
        const image = await pushImage(context, backend.repository('team/other'), 'elsewhere', { tags: ['v1'] })
        await assertRefused(repository, indexOf([plain(image)], ociIndex), 'MANIFEST_BLOB_UNKNOWN')
      })
  })
}
