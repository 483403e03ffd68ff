import assert from 'node:assert/strict'
import type { Upload } from '../../backend.ts'
import { digestOf } from '../../spec/digest.ts'
import { text } from '../driver-contract/context.ts'
import { seededBytes } from '../seeded.ts'
import { assertBlob, assertCode, assertNoBlob, type ContractContext } from './context.ts'

export function testResumedUploads(context: ContractContext): void {
  const { create, reopen, has } = context
  const { describe, it } = context.runner

  describe('blobs.resumeUpload', () => {
    it('knows no upload that nobody began', async () => {
      const { repository } = await create()
      const codes = has('resume')
        ? (['BLOB_UPLOAD_UNKNOWN'] as const)
        : (['BLOB_UPLOAD_UNKNOWN', 'UNSUPPORTED'] as const)
      for (const id of ['0f2c7a0e-6c1b-4b57-9d5e-3a8f6f3f2f10', 'a', 'x'.repeat(300), '../../blobs', '', 'ä b']) {
        await assertCode(repository.blobs.resumeUpload(id), ...codes)
      }
    })

    if (!has('resume')) {
      it('does not continue one that was begun (lacks resume)', async () => {
        const { backend, repository } = await create()
        await using upload = await repository.blobs.startUpload()
        await upload.append(text('begun'))
        const { blobs } = (await reopen(backend)).repository(repository.name)
        await assertCode(blobs.resumeUpload(upload.id), 'BLOB_UPLOAD_UNKNOWN', 'UNSUPPORTED')
      })
      return
    }

    it('goes on elsewhere from what is there, chunk after chunk', async () => {
      const { backend, repository } = await create()
      const content = seededBytes(1_200_000, 1)
      let upload: Upload = await repository.blobs.startUpload()
      let at = 0
      for (const size of [0, 1, 65_536, 700_000, 3]) {
        assert.equal(await upload.append(content.subarray(at, at + size), { at }), at + size)
        at += size
        // As it is after the bytes: with some registries it tells how far the upload is.
        const { id } = upload
        await upload[Symbol.asyncDispose]()
        upload = await (await reopen(backend)).repository(repository.name).blobs.resumeUpload(id)
        assert.equal(upload.offset, at)
      }
      await upload.commit(digestOf(content), { last: content.subarray(at), at })
      await upload[Symbol.asyncDispose]()
      await assertBlob(repository, digestOf(content), content)
    })

    it('commits, and checks, what another one began', async () => {
      const { backend, repository } = await create()
      const content = text('begun here, committed there')
      for (const digest of [digestOf(text('something else')), digestOf(content)]) {
        const upload = await repository.blobs.startUpload()
        await upload.append(content)
        await upload[Symbol.asyncDispose]()
        await using other = await (await reopen(backend)).repository(repository.name).blobs.resumeUpload(upload.id)
        if (digest === digestOf(content)) await other.commit(digest)
        else await assertCode(other.commit(digest), 'DIGEST_INVALID')
        await assertCode(repository.blobs.resumeUpload(upload.id), 'BLOB_UPLOAD_UNKNOWN')
      }
      await assertNoBlob(context, repository, digestOf(text('something else')))
      await assertBlob(repository, digestOf(content), content)
    })

    it('knows no upload any more that was committed, cancelled, or ended by a wrong digest', async () => {
      const { repository } = await create()
      const content = text('over')
      const ends: readonly ((upload: Upload) => Promise<unknown>)[] = [
        (upload) => upload.commit(digestOf(content)),
        (upload) => upload.cancel(),
        (upload) => assertCode(upload.commit(digestOf(text('other'))), 'DIGEST_INVALID'),
      ]
      for (const end of ends) {
        await using upload = await repository.blobs.startUpload()
        await upload.append(content)
        await end(upload)
        await assertCode(repository.blobs.resumeUpload(upload.id), 'BLOB_UPLOAD_UNKNOWN')
      }
    })

    it('knows an upload in its own repository alone', async () => {
      const { backend, repository } = await create()
      await using upload = await repository.blobs.startUpload()
      await upload.append(text('ours'))
      await assertCode(backend.repository('team/other').blobs.resumeUpload(upload.id), 'BLOB_UPLOAD_UNKNOWN')
      await using resumed = await repository.blobs.resumeUpload(upload.id)
      assert.equal(resumed.offset, 4)
    })
  })
}
