import assert from 'node:assert/strict'
import type { Repository } from '../../backend.ts'
import type { Descriptor } from '../../spec/descriptor.ts'
import type { Digest } from '../../spec/digest.ts'
import { MEDIA_TYPES } from '../../spec/media-types.ts'
import { assertCode, assertListing, type ContractContext, collect } from './context.ts'
import { manifest, type Pushed, plain, push, pushImage, unknownDigest } from './images.ts'

const SIGNATURE = 'application/vnd.example.signature.v1'
const SBOM = 'application/spdx+json'

export function testReferrers(context: ContractContext): void {
  const { create, reopen, has } = context
  const { describe, it } = context.runner

  const refer = (
    repository: Repository,
    name: string,
    subject: Descriptor,
    fields: Readonly<Record<string, unknown>>,
  ) => pushImage(context, repository, name, { fields: { subject: plain(subject), ...fields } })

  describe('manifests.referrers', () => {
    it('lists descriptors in byte order of their digests, from any place on, and in pages', async () => {
      const { backend, repository, seed } = await create()
      const subject = await pushImage(context, seed, 'subject', { tags: ['v1'] })
      const other = await pushImage(context, seed, 'other', { tags: ['v2'] })
      const digests: Digest[] = []
      for (let i = 0; i < 6; i++) {
        digests.push((await refer(seed, `signature ${i}`, subject, { artifactType: SIGNATURE })).digest)
      }
      const unrelated = await refer(seed, 'unrelated', other, { artifactType: SIGNATURE })
      digests.sort()
      for (const one of [repository, (await reopen(backend)).repository(repository.name)]) {
        await assertListing((options) => digestsOf(one.manifests.referrers(subject.digest, options)), digests)
        assert.deepEqual(await collect(digestsOf(one.manifests.referrers(other.digest))), [unrelated.digest])
        assert.deepEqual(await collect(one.manifests.referrers(unrelated.digest)), [])
      }
    })

    it('describes each with its media type, size, artifact type and annotations', async () => {
      const { repository, seed } = await create()
      const subject = await pushImage(context, seed, 'subject', { tags: ['v1'] })
      const annotations = { 'org.example.by': 'the suite', 'org.example.empty': '' }
      const signature = await refer(seed, 'signature', subject, { artifactType: SIGNATURE, annotations })
      // Of an image without one, the specification takes the media type of its config.
      const image = await refer(seed, 'image', subject, {})
      const index = await push(
        context,
        seed,
        manifest({
          schemaVersion: 2,
          mediaType: MEDIA_TYPES.ociIndex,
          artifactType: SBOM,
          manifests: [],
          subject: plain(subject),
          annotations,
        }),
      )
      const expected = [
        { ...plain(signature), artifactType: SIGNATURE, annotations },
        { ...plain(image), artifactType: MEDIA_TYPES.ociConfig },
        { ...plain(index), artifactType: SBOM, annotations },
      ].sort((a, b) => (a.digest < b.digest ? -1 : 1))
      assert.deepEqual(await collect(repository.manifests.referrers(subject.digest)), expected)
    })

    it('lists those of one artifact type alone, if so asked', async () => {
      const { repository, seed } = await create()
      const subject = await pushImage(context, seed, 'subject', { tags: ['v1'] })
      const all: Record<string, Pushed[]> = { [SIGNATURE]: [], [SBOM]: [], [MEDIA_TYPES.ociConfig]: [] }
      for (let i = 0; i < 3; i++) {
        for (const artifactType of [SIGNATURE, SBOM]) {
          all[artifactType]?.push(await refer(seed, `${artifactType} ${i}`, subject, { artifactType }))
        }
        all[MEDIA_TYPES.ociConfig]?.push(await refer(seed, `image ${i}`, subject, {}))
      }
      for (const [artifactType, pushed] of Object.entries(all)) {
        const expected = pushed.map(({ digest }) => digest).sort()
        const list = (options?: object) =>
          digestsOf(repository.manifests.referrers(subject.digest, { ...options, artifactType }))
        await assertListing(list, expected)
      }
      assert.deepEqual(await collect(repository.manifests.referrers(subject.digest, { artifactType: 'a/none' })), [])
    })

    it('knows those of a subject that is not there, or not yet; of any other there are none', async () => {
      const { repository, seed } = await create()
      const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: unknownDigest(), size: 7 }
      const early = await refer(seed, 'early', subject, { artifactType: SIGNATURE })
      assert.deepEqual(await collect(digestsOf(repository.manifests.referrers(subject.digest))), [early.digest])
      assert.deepEqual(await collect(repository.manifests.referrers(unknownDigest('other'))), [])
    })

    if (has('isolation'))
      it('knows those of its own repository alone', async () => {
        const { backend, seed } = await create()
        const subject = await pushImage(context, seed, 'subject', { tags: ['v1'] })
        await refer(seed, 'signature', subject, { artifactType: SIGNATURE })
        assert.deepEqual(await collect(backend.repository('team/other').manifests.referrers(subject.digest)), [])
      })
  })
}

export function testReferrerDeletes(context: ContractContext): void {
  const { create, has } = context
  const { describe, it } = context.runner
  if (!has('delete manifests')) return

  describe('manifests.referrers, when something is deleted', () => {
    it('forgets a referrer that is gone, and keeps those of a subject that is', async () => {
      const { repository } = await create()
      const subject = await pushImage(context, repository, 'subject', { tags: ['v1'] })
      const refer = (name: string) =>
        pushImage(context, repository, name, { fields: { subject: plain(subject), artifactType: SIGNATURE } })
      const gone = await refer('gone')
      const kept = await refer('kept')
      await repository.manifests.delete(gone.digest)
      await assertCode(repository.manifests.stat(gone.digest), 'MANIFEST_UNKNOWN')
      const list = () => collect(digestsOf(repository.manifests.referrers(subject.digest)))
      assert.deepEqual(await list(), [kept.digest])
      await repository.manifests.delete(subject.digest)
      assert.deepEqual(await list(), [kept.digest])
      await push(context, repository, gone)
      assert.deepEqual(await list(), [gone.digest, kept.digest].sort())
    })
  })
}

async function* digestsOf(descriptors: AsyncIterable<Descriptor>): AsyncGenerator<Digest> {
  for await (const { digest } of descriptors) yield digest
}
