import { expect, it } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import { BlobStore } from '../../src/storage/blob-store.ts'
import { blobData, RepositoryLayout } from '../../src/storage/layout.ts'
import { bytes, collect } from '../support/images.ts'
import { describeStorages } from '../support/storages.ts'

const HELLO = digestOf(bytes('hello'))
const HELLO_512 = digestOf(bytes('hello'), 'sha512')

describeStorages('BlobStore', (create) => {
  it('works on a driver alone', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    expect(await blobs.put(bytes('hello'))).toEqual({ mediaType: 'application/octet-stream', digest: HELLO, size: 5 })
    expect(await blobs.stat(HELLO)).toMatchObject({ digest: HELLO, size: 5 })
  })

  it('refuses names that are none', async () => {
    const storage = (await create())()
    expect(() => new BlobStore(storage, 'Team/App')).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }))
  })

  it('opens whole blobs and ranges', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    await blobs.put(bytes('hello'))
    const read = async (range?: { start: number; end?: number }) => {
      const reader = await blobs.open(HELLO, range && { range })
      await using body = reader.body
      const content = Buffer.concat(await collect<Buffer>(body.stream())).toString()
      return [content, reader.range, body.size]
    }
    expect(await read()).toEqual(['hello', { start: 0, end: 5 }, 5])
    expect(await read({ start: 1, end: 3 })).toEqual(['el', { start: 1, end: 3 }, 2])
    expect(await read({ start: 4 })).toEqual(['o', { start: 4, end: 5 }, 1])
    expect(await read({ start: 2, end: 99 })).toEqual(['llo', { start: 2, end: 5 }, 3])
  })

  it.each([{ start: 5 }, { start: 99, end: 100 }])('rejects RANGE_INVALID for %o of five bytes', async (range) => {
    const blobs = new BlobStore((await create())(), 'team/app')
    await blobs.put(bytes('hello'))
    await expect(blobs.open(HELLO, { range })).rejects.toMatchObject({ code: 'RANGE_INVALID', status: 416 })
  })

  it('keeps the empty blob', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    const { digest, size } = await blobs.put(bytes(''))
    expect(size).toBe(0)
    await using body = (await blobs.open(digest)).body
    expect(await collect(body.stream())).toEqual([])
  })

  it('answers by the algorithm that a blob was pushed with', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    expect(await blobs.put(bytes('hello'), { digest: HELLO_512 })).toMatchObject({ digest: HELLO_512 })
    expect(await blobs.stat(HELLO_512)).toMatchObject({ digest: HELLO_512, size: 5 })
    await expect(blobs.stat(HELLO)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  })

  it('follows the sha256 digest that Distribution writes into a sha512 link', async () => {
    const storage = (await create())()
    const blobs = new BlobStore(storage, 'team/app')
    await blobs.put(bytes('hello'))
    await storage.put(new RepositoryLayout('team/app').layerLink(HELLO_512), bytes(HELLO))
    expect(await blobs.stat(HELLO_512)).toMatchObject({ digest: HELLO_512, size: 5 })
    await using body = (await blobs.open(HELLO_512)).body
    expect(Buffer.concat(await collect<Buffer>(body.stream())).toString()).toBe('hello')
  })

  it('shows a blob only where it is linked', async () => {
    const storage = (await create())()
    await new BlobStore(storage, 'team/app').put(bytes('hello'))
    const other = new BlobStore(storage, 'team/other')
    await expect(other.stat(HELLO)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN', status: 404 })
    await expect(other.open(HELLO)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    expect(await collect(other.list())).toEqual([])
  })

  it('takes an empty link, and a link without data, for no blob; pushing again heals both', async () => {
    const storage = (await create())()
    const blobs = new BlobStore(storage, 'team/app')
    await blobs.put(bytes('hello'))
    const link = new RepositoryLayout('team/app').layerLink(HELLO)
    await storage.put(link, bytes(''))
    await expect(blobs.stat(HELLO)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    await blobs.put(bytes('hello'))
    await storage.delete(blobData(HELLO))
    await expect(blobs.stat(HELLO)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    await expect(blobs.open(HELLO)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    await blobs.put(bytes('hello'))
    expect(await blobs.stat(HELLO)).toMatchObject({ size: 5 })
  })

  it('replaces truncated data when the blob is pushed again', async () => {
    const storage = (await create())()
    const blobs = new BlobStore(storage, 'team/app')
    await blobs.put(bytes('hello'))
    await storage.put(blobData(HELLO), bytes('hel'))
    await blobs.put(bytes('hello'))
    expect(await blobs.stat(HELLO)).toMatchObject({ size: 5 })
  })

  it('refuses content that does not match, and keeps nothing of it', async () => {
    const storage = (await create())()
    const blobs = new BlobStore(storage, 'team/app')
    await expect(blobs.put(bytes('other'), { digest: HELLO })).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
      status: 400,
    })
    await expect(blobs.stat(HELLO)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    const left = await collect(storage.list('docker/registry/v2/repositories'))
    expect(left.filter((entry) => !entry.isPrefix)).toEqual([])
  })

  it('refuses a size that does not match, and keeps nothing of it', async () => {
    const storage = (await create())()
    const blobs = new BlobStore(storage, 'team/app')
    for (const options of [{ size: 6 }, { size: 4, digest: HELLO }]) {
      await expect(blobs.put(bytes('hello'), options)).rejects.toMatchObject({ code: 'SIZE_INVALID', status: 400 })
      await expect(blobs.stat(HELLO)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    }
    const left = await collect(storage.list('docker/registry/v2/repositories'))
    expect(left.filter((entry) => !entry.isPrefix)).toEqual([])
  })

  it('mounts from a repository that has it, and from nowhere else', async () => {
    const storage = (await create())()
    await new BlobStore(storage, 'team/app').put(bytes('hello'))
    const target = new BlobStore(storage, 'team/target')
    await expect(target.mount(HELLO, 'team/empty')).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    expect(await target.mount(HELLO, 'team/app')).toMatchObject({ digest: HELLO, size: 5 })
    expect(await target.stat(HELLO)).toMatchObject({ size: 5 })
  })

  it('mounts from the first of many repositories that has it', async () => {
    const storage = (await create())()
    await new BlobStore(storage, 'team/app').put(bytes('hello'))
    const asked: string[] = []
    async function* names() {
      for (const name of ['team/a', 'team/app', 'team/z']) {
        asked.push(name)
        yield name
      }
    }
    const target = new BlobStore(storage, 'team/target')
    expect(await target.mount(HELLO, names())).toMatchObject({ digest: HELLO })
    expect(asked).toEqual(['team/a', 'team/app'])
    await expect(target.mount(digestOf(bytes('nowhere')), names())).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    expect(asked).toHaveLength(2)
  })

  it('deletes the link alone: other repositories keep the blob', async () => {
    const storage = (await create())()
    const app = new BlobStore(storage, 'team/app')
    const other = new BlobStore(storage, 'team/other')
    await app.put(bytes('hello'))
    await other.mount(HELLO, 'team/app')
    await app.delete(HELLO)
    await expect(app.stat(HELLO)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    await expect(app.delete(HELLO)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    // Read where it is allowed, then asked for again where it is not: nothing remembered brings it back (CVE-2026-35172).
    expect(await other.stat(HELLO)).toMatchObject({ size: 5 })
    await expect(app.stat(HELLO)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  })

  it('lists digests in byte order, from any point', async () => {
    const blobs = new BlobStore((await create())(), 'team/app')
    const digests = []
    for (const text of ['a', 'b', 'c', 'd']) digests.push((await blobs.put(bytes(text))).digest)
    const sha512 = (await blobs.put(bytes('e'), { algorithm: 'sha512' })).digest
    const sorted = [...digests.sort(), sha512]
    expect(await collect(blobs.list())).toEqual(sorted)
    expect(await collect(blobs.list({ after: sorted[1] ?? '' }))).toEqual(sorted.slice(2))
  })

  it('dates a link anew when somebody relies on it late in its grace period', async () => {
    const open = await create()
    const storage = open()
    const { StorageCore } = await import('../../src/storage/storage-core.ts')
    const link = new RepositoryLayout('team/app').layerLink(HELLO)
    const versionAfter = async (gracePeriodMs: number, reliedUpon: boolean) => {
      const blobs = new BlobStore(new StorageCore(storage, { gracePeriodMs }), 'team/app')
      await blobs.put(bytes('hello'))
      const before = (await storage.stat(link))?.version
      await blobs.stat(HELLO, { reliedUpon })
      return (await storage.stat(link))?.version === before
    }
    expect(await versionAfter(60_000, true)).toBe(true)
    expect(await versionAfter(0, false)).toBe(true)
    expect(await versionAfter(0, true)).toBe(false)
  })
})
