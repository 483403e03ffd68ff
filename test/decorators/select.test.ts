import { describe, expect, it } from 'vitest'
import { select } from '../../src/decorators/select.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, collect, pushImage, readBlob } from '../support/images.ts'
import { decorated, expectRefusal } from './support.ts'

async function* names(...all: string[]): AsyncGenerator<string> {
  yield* all
}

describe('select', () => {
  it('lets everything through for a repository that is selected', async () => {
    const { backend } = decorated(select('team/**'))
    const app = backend.repository('team/app')
    const { digest, layers } = await pushImage(app, ['one'], { tags: ['v1'] })
    await app.tags.set('v2', digest)
    expect(await collect(app.tags.list())).toEqual(['v1', 'v2'])
    expect(await readBlob(app, (await app.blobs.stat(layers[0]?.digest ?? digest)).digest)).toBe('one')
    await app.manifests.delete(digest)
    await app.delete()
  })

  it('lists what is selected, in order and from where it is asked to', async () => {
    const { plain, backend } = decorated(select(['team/*', 'z']))
    for (const name of ['a', 'team/a', 'team/b', 'team/b/c', 'z']) await pushImage(plain.repository(name), [])
    expect(await collect(backend.repositories())).toEqual(['team/a', 'team/b', 'z'])
    expect(await collect(backend.repositories({ after: 'team/a' }))).toEqual(['team/b', 'z'])
  })

  it('takes a function of the name', async () => {
    const { plain, backend } = decorated(select((name) => name.length === 1))
    for (const name of ['a', 'bb', 'c']) await pushImage(plain.repository(name), [])
    expect(await collect(backend.repositories())).toEqual(['a', 'c'])
  })

  it('shows nothing of any other: as if it did not exist', async () => {
    const { plain, backend } = decorated(select('app'))
    const { digest, config } = await pushImage(plain.repository('secret'), ['one'], { tags: ['v1'] })
    const upload = await plain.repository('secret').blobs.startUpload()
    const { blobs, manifests, tags, name } = backend.repository('secret')
    expect(name).toBe('secret')
    await expectRefusal(blobs.stat(config.digest), 'BLOB_UNKNOWN', 404)
    await expectRefusal(blobs.open(config.digest), 'BLOB_UNKNOWN', 404)
    await expectRefusal(blobs.locate(config.digest, { method: 'GET' }), 'BLOB_UNKNOWN', 404)
    await expectRefusal(blobs.resumeUpload(upload.id), 'BLOB_UPLOAD_UNKNOWN', 404)
    await expectRefusal(manifests.get('v1'), 'MANIFEST_UNKNOWN', 404)
    await expectRefusal(manifests.stat(digest), 'MANIFEST_UNKNOWN', 404)
    await expectRefusal(tags.resolve('v1'), 'MANIFEST_UNKNOWN', 404)
    await expectRefusal(tags.list(), 'NAME_UNKNOWN', 404)
    expect(await collect(blobs.list())).toEqual([])
    expect(await collect(manifests.list())).toEqual([])
    expect(await collect(manifests.referrers(digest))).toEqual([])
    await upload.cancel()
  })

  it('denies every change to any other', async () => {
    const { plain, backend } = decorated(select('app'))
    const { digest, config, content } = await pushImage(plain.repository('secret'), [], { tags: ['v1'] })
    const secret = backend.repository('secret')
    await expectRefusal(secret.blobs.startUpload(), 'DENIED', 403)
    await expectRefusal(secret.blobs.put(bytes('x')), 'DENIED', 403)
    await expectRefusal(secret.blobs.mount(config.digest, 'app'), 'DENIED', 403)
    await expectRefusal(secret.blobs.delete(config.digest), 'DENIED', 403)
    await expectRefusal(secret.manifests.put(content, { mediaType: MEDIA_TYPES.ociManifest }), 'DENIED', 403)
    await expectRefusal(secret.manifests.delete(digest), 'DENIED', 403)
    await expectRefusal(secret.tags.set('v2', digest), 'DENIED', 403)
    await expectRefusal(secret.tags.delete('v1'), 'DENIED', 403)
    await expectRefusal(secret.delete(), 'DENIED', 403)
    expect(await plain.repository('secret').tags.resolve('v1')).toBe(digest)
  })

  it('mounts from what is selected only', async () => {
    const { plain, backend } = decorated(select(['app', 'other']))
    const secret = await plain.repository('secret').blobs.put(bytes('secret'))
    const shared = await plain.repository('other').blobs.put(bytes('shared'))
    const { blobs } = backend.repository('app')
    await expectRefusal(blobs.mount(secret.digest, 'secret'), 'BLOB_UNKNOWN')
    await expectRefusal(blobs.mount(secret.digest, names('other', 'secret')), 'BLOB_UNKNOWN')
    expect((await blobs.mount(shared.digest, 'other')).size).toBe(6)
    expect((await backend.repository('other').blobs.mount(shared.digest, names('secret', 'other'))).size).toBe(6)
  })

  it('still knows what is no name', () => {
    const { backend } = decorated(select('app'))
    expect(() => backend.repository('Not A Name')).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }))
  })
})
