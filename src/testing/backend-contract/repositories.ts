import assert from 'node:assert/strict'
import { text } from '../driver-contract/context.ts'
import { assertCode, assertListing, type ContractContext, collect } from './context.ts'
import { pushImage } from './images.ts'

/** In byte order: `-` and `.` before `/`, which comes before digits and letters. */
const ORDERED = [
  'a',
  'app',
  'team',
  'team-a/app',
  'team.b/app',
  'team/a/b/c',
  'team/app',
  'team/app-extra',
  'team/app.x',
  'team/app/nested',
  'team/app/nested/deeper',
  'team/app0',
  'team/app_x',
  'team0',
  'team_c/app',
  'z/z',
]

export function testRepositories(context: ContractContext): void {
  const { create, has } = context
  const { describe, it } = context.runner

  describe('repositories', () => {
    if (!has('catalog')) {
      it('is refused (lacks catalog)', async () => {
        const { backend, seed } = await create()
        await pushImage(context, seed, 'not listed', { tags: ['v1'] })
        await assertCode(collect(backend.repositories()), 'UNSUPPORTED')
      })
      return
    }

    it('tells all that hold a manifest in byte order, from any place on, and in pages', async () => {
      const { backend, writer } = await create()
      assert.deepEqual(await collect(backend.repositories()), [])
      for (const name of [...ORDERED].reverse()) {
        await pushImage(context, writer.repository(name), name, { tags: ['v1'] })
      }
      await assertListing((options) => backend.repositories(options), ORDERED)
      for (const [after, next] of [
        ['0', 'a'],
        ['b', 'team'],
        ['team-', 'team-a/app'],
        ['team/', 'team/a/b/c'],
        ['team/app/', 'team/app/nested'],
        ['team1', 'team_c/app'],
      ]) {
        const expected = ORDERED.slice(ORDERED.indexOf(next ?? ''))
        assert.deepEqual(await collect(backend.repositories({ after: after ?? '' })), expected, `after ${after}`)
      }
      assert.deepEqual(await collect(backend.repositories({ after: 'zz' })), [])
    })

    it('tells no repository that holds blobs and no manifest, unless asked', async () => {
      const { backend, writer } = await create()
      await writer.repository('team/blobs').blobs.put(text('a blob'))
      await pushImage(context, writer.repository('team/images'), 'image', { tags: ['v1'] })
      assert.deepEqual(await collect(backend.repositories()), ['team/images'])
      const all = await collect(backend.repositories({ withBlobsOnly: true }))
      if (has('repositories of blobs')) assert.deepEqual(all, ['team/blobs', 'team/images'])
      else
        assert.deepEqual(
          all.filter((name) => name !== 'team/blobs'),
          ['team/images'],
        )
    })

    if (has('untagged manifests'))
      it('tells those whose manifests have no tag', async () => {
        const { backend, seed } = await create()
        await pushImage(context, seed, 'untagged')
        assert.deepEqual(await collect(backend.repositories()), ['team/app'])
      })
  })
}

export function testRepositoryDeletes(context: ContractContext): void {
  const { create, reopen, has } = context
  const { describe, it } = context.runner

  if (has('delete manifests'))
    describe('a repository whose last manifest is deleted', () => {
      it(has('emptied repositories') ? 'is none any more' : 'has no tags (lacks emptied repositories)', async () => {
        const { backend, repository } = await create()
        const one = await pushImage(context, repository, 'one', { tags: ['v1'] })
        const two = await pushImage(context, repository, 'two', { tags: ['v2'] })
        await repository.manifests.delete(one.digest)
        if (has('catalog')) assert.deepEqual(await collect(backend.repositories()), [repository.name])
        await repository.manifests.delete(two.digest)
        if (has('emptied repositories')) {
          await assertCode(collect(repository.tags.list()), 'NAME_UNKNOWN')
          if (has('catalog')) assert.deepEqual(await collect(backend.repositories()), [])
        } else {
          const tags = collect(repository.tags.list())
          await tags.then(
            (all) => assert.deepEqual(all, []),
            () => assertCode(tags, 'NAME_UNKNOWN'),
          )
        }
      })
    })

  describe('delete of a repository', () => {
    if (!has('delete repositories')) {
      it('is refused, and everything stays (lacks delete repositories)', async () => {
        const { repository } = await create()
        const { digest } = await pushImage(context, repository, 'here to stay', { tags: ['v1'] })
        await assertCode(repository.delete(), 'UNSUPPORTED', 'DENIED')
        assert.equal(await repository.tags.resolve('v1'), digest)
        assert.equal((await repository.manifests.stat(digest)).digest, digest)
      })
      return
    }

    it('takes everything in it away, and nothing of those whose names begin with its own', async () => {
      const { backend, repository } = await create()
      const near = ['team', 'team/app-extra', 'team/app/nested', 'team/app0', 'team/ap']
      for (const name of near) await pushImage(context, backend.repository(name), name, { tags: ['v1'] })
      const { digest } = await pushImage(context, repository, 'gone', { tags: ['v1', 'v2'] })
      const fields = { subject: { mediaType: 'a/b', digest, size: 1 }, artifactType: 'a/c' }
      const referrer = await pushImage(context, repository, 'referrer', { fields })
      const blob = await repository.blobs.put(text('gone as well'))
      await using upload = await repository.blobs.startUpload()
      await upload.append(text('begun'))
      await repository.delete()
      for (const one of [repository, (await reopen(backend)).repository(repository.name)]) {
        for (const reference of ['v1', 'v2', digest, referrer.digest]) {
          await assertCode(one.manifests.get(reference), 'MANIFEST_UNKNOWN')
        }
        await assertCode(one.tags.resolve('v1'), 'MANIFEST_UNKNOWN')
        await assertCode(collect(one.tags.list()), 'NAME_UNKNOWN')
        assert.deepEqual(await collect(one.manifests.referrers(digest)), [])
        if (has('isolation')) await assertCode(one.blobs.stat(blob.digest), 'BLOB_UNKNOWN')
        if (has('resume')) await assertCode(one.blobs.resumeUpload(upload.id), 'BLOB_UPLOAD_UNKNOWN')
        if (has('manifest list')) assert.deepEqual(await collect(one.manifests.list()), [])
        if (has('blob list') && has('isolation')) assert.deepEqual(await collect(one.blobs.list()), [])
      }
      for (const name of near) assert.deepEqual(await collect(backend.repository(name).tags.list()), ['v1'], name)
      if (has('catalog')) assert.deepEqual(await collect(backend.repositories()), [...near].sort())
    })

    it('knows no repository that is not there; one that was deleted can be pushed to again', async () => {
      const { backend, repository } = await create()
      await assertCode(backend.repository('team/none').delete(), 'NAME_UNKNOWN')
      await pushImage(context, repository, 'once', { tags: ['v1'] })
      await assertCode(backend.repository('team').delete(), 'NAME_UNKNOWN')
      await repository.delete()
      await assertCode(repository.delete(), 'NAME_UNKNOWN')
      await pushImage(context, repository, 'again', { tags: ['v2'] })
      assert.deepEqual(await collect(repository.tags.list()), ['v2'])
    })
  })
}
