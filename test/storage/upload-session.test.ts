import { expect, it } from 'vitest'
import { RegistryError } from '../../src/errors.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { BlobStore } from '../../src/storage/blob-store.ts'
import { RepositoryLayout } from '../../src/storage/layout.ts'
import { StorageCore } from '../../src/storage/storage-core.ts'
import { bytes, collect } from '../support/images.ts'
import { describeStorages } from '../support/storages.ts'

const digest = digestOf(bytes('hello world'))

describeStorages('UploadSession', (create, { shared }) => {
  it('receives in pieces and publishes under the digest', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    const upload = await blobs.startUpload()
    expect(upload.offset).toBe(0)
    expect(await upload.append(bytes('hello'), { at: 0 })).toBe(5)
    expect(await upload.append(bytes(' world'), { at: 5 })).toBe(11)
    expect(await upload.commit(digest)).toEqual({ mediaType: 'application/octet-stream', digest, size: 11 })
    expect(await blobs.stat(digest)).toMatchObject({ size: 11 })
  })

  it('takes the last bytes with the commit', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    const upload = await blobs.startUpload()
    await upload.append(bytes('hello'))
    expect(await upload.commit(digest, { last: bytes(' world'), at: 5 })).toMatchObject({ size: 11 })
  })

  it('is resumed by its id, in its own repository only', async () => {
    const storage = (await create())()
    const blobs = new BlobStore(storage, 'team/app')
    const { id } = await blobs.startUpload()
    await (await blobs.resumeUpload(id)).append(bytes('hello'))
    const resumed = await blobs.resumeUpload(id)
    expect(resumed.offset).toBe(5)
    expect(Math.abs(Date.now() - resumed.startedAt.getTime())).toBeLessThan(60_000)
    const elsewhere = new BlobStore(storage, 'team/other')
    await expect(elsewhere.resumeUpload(id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN', status: 404 })
  })

  it.each(['', '..', '../x', 'a/b', 'no-such-upload', 'x'.repeat(500), '_uploads', '.hidden'])(
    'does not know %j',
    async (id) => {
      const blobs = new BlobStore((await create())(), 'team/app')
      await blobs.startUpload()
      await expect(blobs.resumeUpload(id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
    },
  )

  it('rejects RANGE_INVALID, and tells where it is, when the caller is elsewhere', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    const upload = await blobs.startUpload()
    await upload.append(bytes('hello'))
    for (const at of [0, 4, 6]) {
      await expect(upload.append(bytes('x'), { at })).rejects.toMatchObject({
        code: 'RANGE_INVALID',
        detail: { offset: 5 },
      })
      await expect(upload.commit(digest, { at })).rejects.toMatchObject({ code: 'RANGE_INVALID' })
    }
    expect((await blobs.resumeUpload(upload.id)).offset).toBe(5)
  })

  it('keeps what an interrupted source brought', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    const { id } = await blobs.startUpload()
    async function* interrupted() {
      yield bytes('hello')
      throw new Error('the client has gone')
    }
    await expect((await blobs.resumeUpload(id)).append(interrupted())).rejects.toThrow('the client has gone')
    const resumed = await blobs.resumeUpload(id)
    expect(resumed.offset).toBe(5)
    expect(await resumed.commit(digest, { last: bytes(' world'), at: 5 })).toMatchObject({ size: 11 })
  })

  it('ends with a wrong digest, publishing nothing', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    const upload = await blobs.startUpload()
    await upload.append(bytes('something else'))
    await expect(upload.commit(digest)).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
      detail: { expected: digest, received: digestOf(bytes('something else')) },
    })
    await expect(blobs.resumeUpload(upload.id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
    await expect(blobs.stat(digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  })

  it('reads again when the digest is of another algorithm than announced', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    const sha512 = digestOf(bytes('hello world'), 'sha512')
    const announced = await blobs.startUpload({ algorithm: 'sha512' })
    await announced.append(bytes('hello world'))
    expect(await announced.commit(sha512)).toMatchObject({ digest: sha512 })
    const surprised = await blobs.startUpload()
    await surprised.append(bytes('hello'))
    expect(await surprised.commit(sha512, { last: bytes(' world') })).toMatchObject({ digest: sha512, size: 11 })
  })

  it('is gone after cancel, which may be repeated', async () => {
    const storage = (await create())()
    const blobs = new BlobStore(storage, 'team/app')
    const upload = await blobs.startUpload()
    await upload.append(bytes('hello'))
    await upload.cancel()
    await upload.cancel()
    await expect(blobs.resumeUpload(upload.id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
    expect(await collect(storage.list(new RepositoryLayout('team/app').upload(upload.id)))).toEqual([])
  })

  it('leaves nothing behind when it has ended', async () => {
    const storage = (await create())()
    const blobs = new BlobStore(storage, 'team/app')
    const upload = await blobs.startUpload()
    await upload.commit(digest, { last: bytes('hello world') })
    await upload.cancel()
    expect(await blobs.stat(digest)).toMatchObject({ size: 11 })
    expect(await collect(storage.list(new RepositoryLayout('team/app').upload(upload.id)))).toEqual([])
    await expect(blobs.resumeUpload(upload.id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
  })

  it('takes one call at a time', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    const { id } = await blobs.startUpload()
    let brought = () => {}
    let proceed = () => {}
    const started = new Promise<void>((resolve) => {
      brought = resolve
    })
    const gate = new Promise<void>((resolve) => {
      proceed = resolve
    })
    async function* slow() {
      yield bytes('hello')
      brought()
      await gate
      yield bytes(' world')
    }
    const first = (await blobs.resumeUpload(id)).append(slow())
    await started
    const second = await blobs.resumeUpload(id)
    await expect(second.append(bytes('x'))).rejects.toMatchObject({ code: 'RANGE_INVALID', status: 416 })
    await expect(second.commit(digest)).rejects.toMatchObject({ code: 'RANGE_INVALID' })
    proceed()
    expect(await first).toBe(11)
    expect(await (await blobs.resumeUpload(id)).commit(digest)).toMatchObject({ size: 11 })
  })

  it('can be tried again when its content was being collected', async () => {
    const storage = (await create())()
    const core = new StorageCore(storage)
    const blobs = new BlobStore(core, 'team/app')
    const { id } = await blobs.startUpload()
    await (await blobs.resumeUpload(id)).append(bytes('hello world'))
    const refused = new RegistryError('UNAVAILABLE')
    const declare = core.intents.declare.bind(core.intents)
    core.intents.declare = () => Promise.reject(refused)
    await expect((await blobs.resumeUpload(id)).commit(digest)).rejects.toBe(refused)
    core.intents.declare = declare
    expect(await (await blobs.resumeUpload(id)).commit(digest)).toMatchObject({ digest, size: 11 })
  })

  it('is unknown, and not broken, to a request that it is cancelled under', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    const { id } = await blobs.startUpload()
    await (await blobs.resumeUpload(id)).append(bytes('hello'))
    const late = await blobs.resumeUpload(id)
    await (await blobs.resumeUpload(id)).cancel()
    await expect(late.commit(digest, { last: bytes(' world') })).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
  })

  it('is committed by two sessions at once, for the same content', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    const put = () => blobs.put(bytes('hello world'), { digest })
    expect(await Promise.all([put(), put(), put()])).toEqual(
      Array(3).fill(expect.objectContaining({ digest, size: 11 })),
    )
  })

  it('says the digest of what is stored, not of what this process wrote, when another one wrote as well', async () => {
    if (!shared) return expect(shared).toBe(false) // one driver is all there is: nobody else can write
    const open = await create()
    const here = new BlobStore(open(), 'team/app')
    const there = new BlobStore(open(), 'team/app')
    const { id } = await here.startUpload()
    await (await here.resumeUpload(id)).append(bytes('hello'))
    await (await there.resumeUpload(id)).append(bytes(' world'))
    const resumed = await here.resumeUpload(id)
    expect(resumed.offset).toBe(11)
    expect(await resumed.commit(digest)).toMatchObject({ digest, size: 11 })
  })

  it('goes on in another process where the first one stopped', async () => {
    const open = await create()
    const { id } = await new BlobStore(open(), 'team/app').startUpload()
    await (await new BlobStore(open(), 'team/app').resumeUpload(id)).append(bytes('hello'))
    const last = await new BlobStore(open(), 'team/app').resumeUpload(id)
    expect(last.offset).toBe(5)
    expect(await last.commit(digest, { last: bytes(' world') })).toMatchObject({ size: 11 })
  })
})
