import assert from 'node:assert/strict'
import { assertCode, assertListing, type ContractContext, collect } from './context.ts'
import { push, pushImage, unknownDigest } from './images.ts'
import { assertManifest } from './manifests.ts'

/** In byte order: `-`, `.`, digits, capitals, `_`, small letters. */
const ORDERED = [
  '0',
  '10',
  '2',
  'V',
  'Z.z',
  '_',
  'a',
  'a-',
  'a-b',
  'a.b',
  'a0',
  'a_b',
  'aa',
  'latest',
  'v1',
  'v1-rc',
  'v1.0',
  'v10',
]

export function testTags(context: ContractContext): void {
  const { create, has } = context
  const { describe, it } = context.runner

  describe('tags.list', () => {
    it('tells every tag in byte order, from any place on, and in pages', async () => {
      const { repository, seed } = await create()
      const [first, second, ...others] = [...ORDERED].reverse()
      const image = await pushImage(context, seed, 'one', { tags: others })
      await pushImage(context, seed, 'two', { tags: [first ?? '', second ?? ''] })
      await assertListing((options) => repository.tags.list(options), ORDERED)
      for (const [after, next] of [
        ['-', '0'],
        ['a-a', 'a-b'],
        ['a.', 'a.b'],
        ['b', 'latest'],
        ['v1.00', 'v10'],
      ]) {
        const expected = ORDERED.slice(ORDERED.indexOf(next ?? ''))
        assert.deepEqual(await collect(repository.tags.list({ after: after ?? '' })), expected, `after ${after}`)
      }
      assert.deepEqual(await collect(repository.tags.list({ after: 'zzz' })), [])
      await assertManifest(repository, image, ['a-', 'a.b', 'a_b'])
    })

    if (has('untagged manifests'))
      it('is empty where there are manifests and no tags', async () => {
        const { repository, seed } = await create()
        await pushImage(context, seed, 'untagged')
        assert.deepEqual(await collect(repository.tags.list()), [])
      })
  })

  describe('tags.resolve', () => {
    it('tells the digest that a tag points to', async () => {
      const { repository, seed } = await create()
      const image = await pushImage(context, seed, 'resolved', { tags: ['v1', 'latest'] })
      for (const tag of ['v1', 'latest']) assert.equal(await repository.tags.resolve(tag), image.digest)
      for (const tag of ['v2', 'V1', 'v', 'not a tag!', '']) {
        await assertCode(repository.tags.resolve(tag), 'MANIFEST_UNKNOWN')
      }
    })
  })
}

export function testTagChanges(context: ContractContext): void {
  const { create, reopen, has } = context
  const { describe, it } = context.runner

  describe('tags.set', () => {
    it('points a new tag to a manifest, again and again', async () => {
      const { backend, repository } = await create()
      const image = await pushImage(context, repository, 'tagged', { tags: ['v1'] })
      for (let times = 0; times < 2; times++) await repository.tags.set('stable', image.digest)
      for (const one of [repository, (await reopen(backend)).repository(repository.name)]) {
        assert.equal(await one.tags.resolve('stable'), image.digest)
        assert.deepEqual(await collect(one.tags.list()), ['stable', 'v1'])
        await assertManifest(one, image, ['stable'])
      }
    })

    if (has('move tags'))
      it('moves a tag, and so does a push', async () => {
        const { repository } = await create()
        const first = await pushImage(context, repository, 'first', { tags: ['v1', 'latest'] })
        const second = await pushImage(context, repository, 'second', { tags: ['v2', 'latest'] })
        await assertManifest(repository, second, ['latest', 'v2'])
        await repository.tags.set('latest', first.digest)
        await assertManifest(repository, first, ['latest', 'v1', first.digest])
        await assertManifest(repository, second, ['v2', second.digest])
        assert.deepEqual(await collect(repository.tags.list()), ['latest', 'v1', 'v2'])
      })
    else
      it('moves no tag, nor does a push (lacks move tags)', async () => {
        const { repository } = await create()
        const first = await pushImage(context, repository, 'first', { tags: ['v1'] })
        const second = await pushImage(context, repository, 'second', { tags: ['v2'] })
        await assertCode(repository.tags.set('v1', second.digest), 'DENIED')
        await assertCode(push(context, repository, second, ['v1']), 'DENIED')
        await assertManifest(repository, first, ['v1', first.digest])
        await push(context, repository, first, ['v1'])
        await repository.tags.set('v1', first.digest)
        await assertManifest(repository, first, ['v1'])
      })

    it('knows no manifest that is not in the repository, and leaves the tag where it was', async () => {
      const { backend, repository } = await create()
      const image = await pushImage(context, repository, 'here', { tags: ['v1'] })
      const other = backend.repository('team/other')
      const elsewhere = await pushImage(context, other, 'elsewhere', { tags: ['v1'] })
      const missing = has('isolation') ? [unknownDigest(), elsewhere.digest] : [unknownDigest()]
      for (const target of missing) {
        await assertCode(repository.tags.set('new', target), 'MANIFEST_UNKNOWN')
        // Of a tag that cannot move, either answer is right.
        const codes = has('move tags') ? (['MANIFEST_UNKNOWN'] as const) : (['MANIFEST_UNKNOWN', 'DENIED'] as const)
        await assertCode(repository.tags.set('v1', target), ...codes)
      }
      await assertCode(backend.repository('team/none').tags.set('v1', unknownDigest()), 'MANIFEST_UNKNOWN')
      assert.deepEqual(await collect(repository.tags.list()), ['v1'])
      await assertManifest(repository, image, ['v1'])
    })

    it('refuses what is no tag with MANIFEST_INVALID', async () => {
      const { repository } = await create()
      const { digest } = await pushImage(context, repository, 'badly tagged', { tags: ['v1'] })
      for (const tag of ['', 'not a tag!', '.hidden', '-v1', 'a/b', 'a'.repeat(129)]) {
        await assertCode(repository.tags.set(tag, digest), 'MANIFEST_INVALID')
      }
      assert.deepEqual(await collect(repository.tags.list()), ['v1'])
    })

    it('sets many tags at once', async () => {
      const { backend, repository } = await create()
      const { digest } = await pushImage(context, repository, 'many', { tags: ['v1'] })
      const others = [repository, (await reopen(backend)).repository(repository.name)]
      const tags = Array.from({ length: 20 }, (_, i) => `tag-${String(i).padStart(2, '0')}`)
      await Promise.all(tags.map((tag, i) => (others[i % 2] ?? repository).tags.set(tag, digest)))
      assert.deepEqual(await collect(repository.tags.list()), [...tags, 'v1'])
    })
  })

  describe('tags.delete', () => {
    if (!has('delete tags')) {
      it('is refused, and the tag stays (lacks delete tags)', async () => {
        const { repository } = await create()
        const image = await pushImage(context, repository, 'here to stay', { tags: ['v1'] })
        await assertCode(repository.tags.delete('v1'), 'UNSUPPORTED', 'DENIED')
        await assertManifest(repository, image, ['v1'])
        assert.deepEqual(await collect(repository.tags.list()), ['v1'])
      })
      return
    }

    it('takes the tag away, and no other; the manifest stays', async () => {
      const { repository } = await create()
      const image = await pushImage(context, repository, 'untagged later', { tags: ['v1', 'v1.0', 'v10'] })
      await repository.tags.delete('v1')
      await assertCode(repository.tags.resolve('v1'), 'MANIFEST_UNKNOWN')
      await assertCode(repository.manifests.get('v1'), 'MANIFEST_UNKNOWN')
      await assertCode(repository.tags.delete('v1'), 'MANIFEST_UNKNOWN')
      assert.deepEqual(await collect(repository.tags.list()), ['v1.0', 'v10'])
      await assertManifest(repository, image, ['v1.0', 'v10', image.digest])
      await repository.tags.set('v1', image.digest)
      await assertManifest(repository, image, ['v1'])
    })

    if (has('untagged manifests'))
      it('of the last one leaves a repository with no tags', async () => {
        const { repository } = await create()
        const image = await pushImage(context, repository, 'untagged', { tags: ['v1'] })
        await repository.tags.delete('v1')
        assert.deepEqual(await collect(repository.tags.list()), [])
        await assertManifest(repository, image, [image.digest])
      })

    it('knows no tag that is not there', async () => {
      const { backend, repository } = await create()
      await pushImage(context, repository, 'another', { tags: ['v1'] })
      for (const tag of ['v2', 'v', 'V1']) await assertCode(repository.tags.delete(tag), 'MANIFEST_UNKNOWN')
      await assertCode(backend.repository('team/none').tags.delete('v1'), 'MANIFEST_UNKNOWN')
      assert.deepEqual(await collect(repository.tags.list()), ['v1'])
    })
  })
}
