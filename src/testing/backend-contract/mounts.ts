import assert from 'node:assert/strict'
import { digestOf } from '../../spec/digest.ts'
import { text } from '../driver-contract/context.ts'
import { assertBlob, assertCode, assertNoBlob, type ContractContext } from './context.ts'
import { unknownDigest } from './images.ts'

export function testMounts(context: ContractContext): void {
  const { create, has } = context
  const { describe, it } = context.runner

  describe('blobs.mount', () => {
    it('makes nothing of a blob that is not there', async () => {
      const { backend, repository } = await create()
      await backend.repository('team/source').blobs.put(text('another'))
      const codes = has('mount') ? (['BLOB_UNKNOWN'] as const) : (['BLOB_UNKNOWN', 'UNSUPPORTED'] as const)
      for (const from of ['team/source', 'team/nowhere', 'team/app']) {
        await assertCode(repository.blobs.mount(unknownDigest(), from), ...codes)
      }
      await assertCode(repository.blobs.mount(unknownDigest(), names('team/source', 'team/nowhere')), ...codes)
      await assertCode(repository.blobs.mount(unknownDigest(), names()), ...codes)
      await assertNoBlob(context, repository, unknownDigest())
    })

    if (!has('mount')) {
      it('leaves the bytes to the caller (lacks mount)', async () => {
        const { backend, repository } = await create()
        const { digest } = await backend.repository('team/source').blobs.put(text('elsewhere'))
        await assertCode(repository.blobs.mount(digest, 'team/source'), 'BLOB_UNKNOWN', 'UNSUPPORTED')
      })
      return
    }

    it('makes a blob of another repository one of this', async () => {
      const { backend, repository } = await create()
      const content = text('there, and here')
      const { digest } = await backend.repository('team/source').blobs.put(content)
      const mounted = await repository.blobs.mount(digest, 'team/source')
      assert.deepEqual([mounted.digest, mounted.size], [digest, content.byteLength])
      await assertBlob(repository, digest, content)
      for (let times = 0; times < 2; times++) await repository.blobs.mount(digest, 'team/source')
      await assertBlob(repository, digest, content)
      if (has('isolation')) await assertNoBlob(context, backend.repository('team/app/nested'), digest)
    })

    it('looks for it in several', async () => {
      const { backend, repository } = await create()
      const content = text('in one of them')
      const { digest } = await backend.repository('team/third').blobs.put(content)
      await backend.repository('team/second').blobs.put(text('something else'))
      const from = names('team/first', 'team/second', 'team/third')
      assert.equal((await repository.blobs.mount(digest, from)).digest, digest)
      await assertBlob(repository, digest, content)
    })

    if (has('isolation'))
      it('takes it from where the caller says, and from nowhere else', async () => {
        const { backend, repository } = await create()
        const { digest } = await backend.repository('team/secret').blobs.put(text('secret'))
        await assertCode(repository.blobs.mount(digest, 'team/source'), 'BLOB_UNKNOWN')
        await assertCode(repository.blobs.mount(digest, names('team/source', 'team/app')), 'BLOB_UNKNOWN')
        await assertNoBlob(context, repository, digest)
      })

    if (has('delete blobs') && has('isolation'))
      it('is kept when the blob goes from where it came', async () => {
        const { backend, repository } = await create()
        const source = backend.repository('team/source')
        const { digest } = await source.blobs.put(text('moved'))
        await repository.blobs.mount(digest, 'team/source')
        await source.blobs.delete(digest)
        await assertBlob(repository, digestOf(text('moved')), text('moved'))
      })
  })
}

async function* names(...all: readonly string[]): AsyncGenerator<string> {
  yield* all
}
