import assert from 'node:assert/strict'
import type { Repository } from '../../backend.ts'
import { digestOf } from '../../spec/digest.ts'
import { MEDIA_TYPES } from '../../spec/media-types.ts'
import { assertBytes, text } from '../driver-contract/context.ts'
import { assertCode, assertListing, type ContractContext, collect } from './context.ts'
import { describeContent, imageOf, manifest, type Pushed, plain, push, pushImage, unknownDigest } from './images.ts'

/** That a manifest is there under each of `references`: exactly its bytes, and their type. */
export async function assertManifest(
  { manifests }: Repository,
  pushed: Pushed,
  references: readonly string[],
): Promise<void> {
  for (const reference of references) {
    assert.deepEqual(plain(await manifests.stat(reference)), plain(pushed), reference)
    const { descriptor, content } = await manifests.get(reference)
    assert.deepEqual(plain(descriptor), plain(pushed), reference)
    assertBytes(content, pushed.content, reference)
  }
}

export function testManifests(context: ContractContext): void {
  const { create, reopen, has } = context
  const { describe, it } = context.runner

  describe('manifests.get and manifests.stat', () => {
    it('answer by tag and by digest, here and elsewhere', async () => {
      const { backend, repository, seed } = await create()
      const first = await pushImage(context, seed, 'first', { tags: ['v1'] })
      const second = await pushImage(context, seed, 'second', { tags: ['v2', 'latest'] })
      for (const one of [repository, (await reopen(backend)).repository(repository.name)]) {
        await assertManifest(one, first, ['v1', first.digest])
        await assertManifest(one, second, ['v2', 'latest', second.digest])
      }
    })

    it('give back exactly the bytes, however they are written', async () => {
      const { repository, seed } = await create()
      const { content: compact, mediaType } = await imageOf(seed, 'written')
      const value: unknown = JSON.parse(Buffer.from(compact).toString())
      const writings = [
        JSON.stringify(value, null, 3),
        `\n\t${JSON.stringify(value)}\r\n\n`,
        JSON.stringify({ annotations: { 'org.example.text': 'ä€😀 </script> \u2028' }, ...(value as object) }),
        JSON.stringify(value).replace('"schemaVersion":2', '"schemaVersion" : 2e0'),
      ]
      for (const [index, writing] of writings.entries()) {
        const content = text(writing)
        const pushed = { ...describeContent(content, mediaType), content }
        await push(context, seed, pushed, [`v${index}`])
        await assertManifest(repository, pushed, [`v${index}`, pushed.digest])
      }
    })

    it('know images and indexes of both kinds, and artifacts', async () => {
      const { repository, seed } = await create()
      const image = await pushImage(context, seed, 'oci', { tags: ['oci'] })
      const docker = await pushImage(context, seed, 'docker', {
        ...{ tags: ['docker'] },
        fields: { mediaType: MEDIA_TYPES.dockerManifest },
      })
      const platform = { architecture: 'amd64', os: 'linux' }
      const index = await push(context, seed, indexOf([{ ...plain(image), platform }], MEDIA_TYPES.ociIndex), ['index'])
      const list = await push(context, seed, indexOf([{ ...plain(docker), platform }], MEDIA_TYPES.dockerList), [
        'list',
      ])
      const nested = await push(context, seed, indexOf([plain(index), plain(image)], MEDIA_TYPES.ociIndex), ['nested'])
      const artifact = await pushImage(context, seed, 'sbom', {
        ...{ tags: ['sbom'] },
        fields: { artifactType: 'application/spdx+json', subject: plain(image), annotations: { by: 'the suite' } },
      })
      for (const [tag, pushed] of Object.entries({ oci: image, docker, index, list, nested, sbom: artifact })) {
        await assertManifest(repository, pushed, [tag, pushed.digest])
      }
    })

    it('know no manifest that is not there', async () => {
      const { repository, seed } = await create()
      const { digest } = await pushImage(context, seed, 'another', { tags: ['v1'] })
      const blob = await seed.blobs.put(text('a blob is no manifest'))
      const references = ['v2', 'V1', 'v', 'not a tag!', '', unknownDigest(), blob.digest, digest.slice(7)]
      for (const reference of references) {
        await assertCode(repository.manifests.get(reference), 'MANIFEST_UNKNOWN')
        await assertCode(repository.manifests.stat(reference), 'MANIFEST_UNKNOWN')
      }
    })

    if (has('isolation'))
      it('know a manifest in the repository it was put to, and in no other', async () => {
        const { backend, repository, seed } = await create()
        const pushed = await pushImage(context, seed, 'ours alone', { tags: ['v1'] })
        // Read, so that whatever remembers manifests has it.
        await assertManifest(repository, pushed, ['v1', pushed.digest])
        for (const name of ['team/other', 'team', 'team/app/nested', 'team/app-extra']) {
          for (const reference of ['v1', pushed.digest]) {
            await assertCode(backend.repository(name).manifests.get(reference), 'MANIFEST_UNKNOWN')
            await assertCode(backend.repository(name).manifests.stat(reference), 'MANIFEST_UNKNOWN')
          }
        }
      })
  })

  describe('manifests.list', () => {
    if (!has('manifest list')) {
      it('is refused (lacks manifest list)', async () => {
        const { repository, seed } = await create()
        await pushImage(context, seed, 'not listed', { tags: ['v1'] })
        await assertCode(collect(repository.manifests.list()), 'UNSUPPORTED')
      })
      return
    }

    it('tells every manifest, tagged or not, in byte order, from any place on, and in pages', async () => {
      const { repository, seed } = await create()
      const digests = []
      for (let i = 0; i < 9; i++) {
        digests.push((await pushImage(context, seed, `image ${i}`, { tags: i % 3 ? [] : [`v${i}`, `w${i}`] })).digest)
      }
      await assertListing((options) => repository.manifests.list(options), digests.sort())
      const between = unknownDigest()
      assert.deepEqual(
        await collect(repository.manifests.list({ after: between })),
        digests.filter((digest) => digest > between),
      )
    })

    if (has('sha512') && has('untagged manifests'))
      it('tells those of sha512 after those of sha256', async () => {
        const { repository, seed } = await create()
        const { content, mediaType } = await imageOf(seed, 'under two names')
        const digests = [digestOf(content), digestOf(content, 'sha512')]
        for (const digest of digests) await seed.manifests.put(content, { mediaType, digest })
        assert.deepEqual(await collect(repository.manifests.list()), digests)
      })
  })
}

export function indexOf(manifests: readonly unknown[], mediaType: string): Pushed {
  return manifest({ schemaVersion: 2, mediaType, manifests })
}
