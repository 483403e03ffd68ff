import { describe, expect, it } from 'vitest'
import { readOnly } from '../../src/decorators/read-only.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, collect, pushImage, readBlob } from '../support/images.ts'
import { decorated, expectRefusal } from './support.ts'

describe('readOnly', () => {
  it('lets every read through', async () => {
    const { plain, backend } = decorated(readOnly())
    const { digest, content, config, layers } = await pushImage(plain.repository('app'), ['one'], { tags: ['v1'] })
    const layer = layers[0] ?? config
    const app = backend.repository('app')
    expect(app.name).toBe('app')
    expect(await readBlob(app, layer.digest)).toBe('one')
    expect((await app.blobs.stat(layer.digest, { reliedUpon: true })).size).toBe(3)
    expect(await collect(app.blobs.list())).toHaveLength(2)
    expect(await app.blobs.locate(layer.digest, { method: 'GET' })).toBeUndefined()
    expect((await app.manifests.get('v1')).content).toEqual(content)
    expect((await app.manifests.stat(digest)).digest).toBe(digest)
    expect(await collect(app.manifests.list())).toEqual([digest])
    expect(await collect(app.manifests.referrers(digest))).toEqual([])
    expect(await app.tags.resolve('v1')).toBe(digest)
    expect(await collect(app.tags.list())).toEqual(['v1'])
    expect(await collect(backend.repositories())).toEqual(['app'])
  })

  it('refuses every change', async () => {
    const { plain, backend } = decorated(readOnly())
    const { digest, content, config } = await pushImage(plain.repository('app'), ['one'], { tags: ['v1'] })
    const upload = await plain.repository('app').blobs.startUpload()
    const { blobs, manifests, tags, ...app } = backend.repository('app')
    await expectRefusal(blobs.startUpload(), 'UNSUPPORTED', 405)
    await expectRefusal(blobs.resumeUpload(upload.id), 'UNSUPPORTED')
    await expectRefusal(blobs.put(bytes('x')), 'UNSUPPORTED')
    await expectRefusal(blobs.mount(config.digest, 'app'), 'UNSUPPORTED')
    await expectRefusal(blobs.delete(config.digest), 'UNSUPPORTED')
    await expectRefusal(manifests.put(content, { mediaType: MEDIA_TYPES.ociManifest }), 'UNSUPPORTED')
    await expectRefusal(manifests.delete(digest), 'UNSUPPORTED')
    await expectRefusal(tags.set('v2', digest), 'UNSUPPORTED')
    await expectRefusal(tags.delete('v1'), 'UNSUPPORTED')
    await expectRefusal(backend.repository('app').delete(), 'UNSUPPORTED')
    expect(app.name).toBe('app')
    expect(await collect(plain.repository('app').tags.list())).toEqual(['v1'])
    await upload.cancel()
  })

  it('does not let a stat date a blob anew', async () => {
    const seen: unknown[] = []
    const { plain } = decorated(readOnly())
    const repository = plain.repository('app')
    const { config } = await pushImage(repository, [])
    const watching = {
      ...repository,
      blobs: {
        ...repository.blobs,
        stat: (...args: Parameters<typeof repository.blobs.stat>) => {
          seen.push(args[1]?.reliedUpon)
          return repository.blobs.stat(...args)
        },
      },
    }
    const backend = readOnly()({ repository: () => watching, repositories: () => plain.repositories() })
    await backend.repository('app').blobs.stat(config.digest, { reliedUpon: true })
    expect(seen).toEqual([false])
  })
})
