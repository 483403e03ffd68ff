import assert from 'node:assert/strict'
import { digestOf } from '../../spec/digest.ts'
import { text } from '../driver-contract/context.ts'
import { assertBlob, assertCode, assertListing, assertNoBlob, type ContractContext, collect } from './context.ts'
import { unknownDigest } from './images.ts'

export function testBlobLists({ runner: { describe, it }, create, has }: ContractContext): void {
  describe('blobs.list', () => {
    if (!has('blob list')) {
      it('is refused (lacks blob list)', async () => {
        const { repository, seed } = await create()
        await seed.blobs.put(text('not listed'))
        await assertCode(collect(repository.blobs.list()), 'UNSUPPORTED')
      })
      return
    }

    it('tells every blob in byte order, from any place on, and in pages', async () => {
      const { repository, seed } = await create()
      const contents = Array.from({ length: 12 }, (_, i) => text(`blob ${i}`))
      const digests = []
      for (const content of contents) digests.push((await seed.blobs.put(content)).digest)
      await assertListing((options) => repository.blobs.list(options), digests.sort())
      const between = unknownDigest()
      const after = await collect(repository.blobs.list({ after: between }))
      assert.deepEqual(
        after,
        digests.filter((digest) => digest > between),
      )
    })

    if (has('sha512'))
      it('tells those of sha512 after those of sha256', async () => {
        const { repository, seed } = await create()
        const content = text('under two names')
        const digests = [digestOf(content), digestOf(content, 'sha512')]
        for (const digest of digests) await seed.blobs.put(content, { digest })
        assert.deepEqual(await collect(repository.blobs.list()), digests)
        assert.deepEqual(await collect(repository.blobs.list({ after: digestOf(content) })), digests.slice(1))
      })
  })
}

export function testBlobDeletes(context: ContractContext): void {
  const { create, has } = context
  const { describe, it } = context.runner

  describe('blobs.delete', () => {
    if (!has('delete blobs')) {
      it('is refused, and the blob stays (lacks delete blobs)', async () => {
        const { repository } = await create()
        const { digest } = await repository.blobs.put(text('here to stay'))
        await assertCode(repository.blobs.delete(digest), 'UNSUPPORTED', 'DENIED')
        await assertBlob(repository, digest, text('here to stay'))
      })
      return
    }

    it('takes the blob away, and no other', async () => {
      const { repository } = await create()
      const { digest } = await repository.blobs.put(text('gone'))
      const kept = await repository.blobs.put(text('kept'))
      await repository.blobs.delete(digest)
      await assertNoBlob(context, repository, digest)
      await assertCode(repository.blobs.delete(digest), 'BLOB_UNKNOWN')
      await assertBlob(repository, kept.digest, text('kept'))
      await repository.blobs.put(text('gone'), { digest })
      await assertBlob(repository, digest, text('gone'))
    })

    it('knows no blob that is not there', async () => {
      const { repository } = await create()
      await assertCode(repository.blobs.delete(unknownDigest()), 'BLOB_UNKNOWN')
    })

    if (has('isolation'))
      it('leaves the blob where it was put to as well', async () => {
        const { backend, repository } = await create()
        const other = backend.repository('team/other')
        const { digest } = await repository.blobs.put(text('here and there'))
        await other.blobs.put(text('here and there'))
        await repository.blobs.delete(digest)
        await assertNoBlob(context, repository, digest)
        await assertBlob(other, digest, text('here and there'))
      })
  })
}
