import { expect, it } from 'vitest'
import { Registry } from '../../src/registry.ts'
import { describeStorages } from '../support/storages.ts'

const UNKNOWN = { code: 'NAME_UNKNOWN' }

describeStorages('RepositoryStore.delete', (create) => {
  it('rejects NAME_UNKNOWN when nothing is there, or nothing any more', async () => {
    const open = await create()
    const repository = new Registry({ storage: open() }).repository('team/app')
    await expect(repository.delete()).rejects.toMatchObject(UNKNOWN)
    const { digest } = await repository.blobs.put(Buffer.from('layer'))
    await repository.delete()
    await expect(repository.blobs.stat(digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    await expect(repository.delete()).rejects.toMatchObject(UNKNOWN)
  })

  it('counts an upload in progress, and none that has ended', async () => {
    const open = await create()
    const repository = new Registry({ storage: open() }).repository('team/app')
    const cancelled = await repository.blobs.startUpload()
    await cancelled.append(Buffer.from('some'))
    await cancelled.cancel()
    await expect(repository.delete()).rejects.toMatchObject(UNKNOWN)
    const upload = await repository.blobs.startUpload()
    await upload.append(Buffer.from('some'))
    await repository.delete()
    await expect(repository.blobs.resumeUpload(upload.id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
    await expect(repository.delete()).rejects.toMatchObject(UNKNOWN)
  })

  it('leaves alone what lies inside it by name', async () => {
    const open = await create()
    const registry = new Registry({ storage: open() })
    const { digest } = await registry.repository('team/app').blobs.put(Buffer.from('layer'))
    await expect(registry.repository('team').delete()).rejects.toMatchObject(UNKNOWN)
    await registry.repository('team').blobs.put(Buffer.from('other'))
    await registry.repository('team').delete()
    expect(await registry.repository('team/app').blobs.stat(digest)).toMatchObject({ digest })
  })
})
