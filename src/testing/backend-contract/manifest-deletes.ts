import assert from 'node:assert/strict'
import { text } from '../driver-contract/context.ts'
import { assertBlob, assertCode, type ContractContext, collect } from './context.ts'
import { imageOf, push, pushImage, unknownDigest } from './images.ts'
import { assertManifest } from './manifests.ts'

export function testManifestDeletes(context: ContractContext): void {
  const { create, reopen, has } = context
  const { describe, it } = context.runner

  describe('manifests.delete', () => {
    if (!has('delete manifests')) {
      it('is refused, and manifest and tags stay (lacks delete manifests)', async () => {
        const { repository } = await create()
        const pushed = await pushImage(context, repository, 'here to stay', { tags: ['v1', 'v2'] })
        await assertCode(repository.manifests.delete(pushed.digest), 'UNSUPPORTED', 'DENIED')
        await assertManifest(repository, pushed, ['v1', 'v2', pushed.digest])
      })
      return
    }

    it('takes the tags that point to it along, and tells them', async () => {
      const { backend, repository } = await create()
      const gone = await pushImage(context, repository, 'gone', { tags: ['v1', 'v1.0', 'latest'] })
      const kept = await pushImage(context, repository, 'kept', { tags: ['v2', 'v10'] })
      const told = [...(await repository.manifests.delete(gone.digest))].sort()
      if (has('tags of deletions')) assert.deepEqual(told, ['latest', 'v1', 'v1.0'])
      else
        assert.ok(
          told.every((tag) => ['latest', 'v1', 'v1.0'].includes(tag)),
          `told of ${told.join(', ')}`,
        )
      for (const one of [repository, (await reopen(backend)).repository(repository.name)]) {
        for (const reference of ['v1', 'v1.0', 'latest', gone.digest]) {
          await assertCode(one.manifests.get(reference), 'MANIFEST_UNKNOWN')
          await assertCode(one.manifests.stat(reference), 'MANIFEST_UNKNOWN')
        }
        await assertCode(one.tags.resolve('v1'), 'MANIFEST_UNKNOWN')
        assert.deepEqual(await collect(one.tags.list()), ['v10', 'v2'])
        await assertManifest(one, kept, ['v2', 'v10', kept.digest])
        if (has('manifest list')) assert.deepEqual(await collect(one.manifests.list()), [kept.digest])
      }
    })

    if (has('move tags'))
      it('leaves tags that have moved on', async () => {
        const { repository } = await create()
        const first = await pushImage(context, repository, 'first', { tags: ['v1', 'latest'] })
        const second = await pushImage(context, repository, 'second', { tags: ['latest'] })
        const told = await repository.manifests.delete(first.digest)
        if (has('tags of deletions')) assert.deepEqual(told, ['v1'])
        assert.deepEqual(await collect(repository.tags.list()), ['latest'])
        await assertManifest(repository, second, ['latest', second.digest])
      })

    if (has('untagged manifests'))
      it('tells no tag where none pointed to it', async () => {
        const { repository } = await create()
        await pushImage(context, repository, 'tagged', { tags: ['v1'] })
        const untagged = await pushImage(context, repository, 'untagged')
        assert.deepEqual(await repository.manifests.delete(untagged.digest), [])
        await assertCode(repository.manifests.get(untagged.digest), 'MANIFEST_UNKNOWN')
        assert.deepEqual(await collect(repository.tags.list()), ['v1'])
      })

    it('knows no manifest that is not there', async () => {
      const { repository } = await create()
      await assertCode(repository.manifests.delete(unknownDigest()), 'MANIFEST_UNKNOWN')
      const { digest } = await pushImage(context, repository, 'once', { tags: ['v1'] })
      const blob = await repository.blobs.put(text('a blob is no manifest'))
      await assertCode(repository.manifests.delete(blob.digest), 'MANIFEST_UNKNOWN')
      await repository.manifests.delete(digest)
      await assertCode(repository.manifests.delete(digest), 'MANIFEST_UNKNOWN')
      await assertBlob(repository, blob.digest, text('a blob is no manifest'))
    })

    it('leaves the same manifest in another repository, and its blobs; it can be put again', async () => {
      const { backend, repository } = await create()
      const other = backend.repository('team/other')
      const pushed = await pushImage(context, repository, 'twice', { tags: ['v1'] })
      await push(context, other, await imageOf(other, 'twice'), ['v1'])
      await repository.manifests.delete(pushed.digest)
      await assertCode(repository.manifests.get('v1'), 'MANIFEST_UNKNOWN')
      await assertManifest(other, pushed, ['v1', pushed.digest])
      await push(context, repository, pushed, ['v2'])
      await assertManifest(repository, pushed, ['v2', pushed.digest])
      assert.deepEqual(await collect(repository.tags.list()), ['v2'])
    })
  })
}
