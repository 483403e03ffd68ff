import assert from 'node:assert/strict'
import type { Repository } from '../../backend.ts'
import type { ErrorCode } from '../../errors.ts'
import { digestOf } from '../../spec/digest.ts'
import { MEDIA_TYPES } from '../../spec/media-types.ts'
import { text } from '../driver-contract/context.ts'
import { assertCode, type ContractContext, collect } from './context.ts'
import {
  describeContent,
  imageOf,
  json,
  manifest,
  type Pushed,
  plain,
  push,
  pushImage,
  unknownDigest,
} from './images.ts'
import { assertManifest } from './manifests.ts'

const { ociManifest, ociIndex, dockerManifest, ociConfig } = MEDIA_TYPES

const CONFIG = describeContent(json({}), ociConfig)

/** What is no manifest of the type it is put as. */
const INVALID: Readonly<Record<string, readonly [content: Uint8Array, mediaType: string]>> = {
  'nothing at all': [text(''), ociManifest],
  'no JSON': [text('{"schemaVersion": 2,'), ociManifest],
  'no object': [text('[]'), ociIndex],
  'another schema version': [
    json({ schemaVersion: 1, mediaType: ociManifest, config: CONFIG, layers: [] }),
    ociManifest,
  ],
  'no config': [json({ schemaVersion: 2, mediaType: ociManifest, layers: [] }), ociManifest],
  'a layer without a digest': [
    json({ schemaVersion: 2, mediaType: ociManifest, config: CONFIG, layers: [{ mediaType: 'a/b', size: 1 }] }),
    ociManifest,
  ],
  'an index put as an image': [json({ schemaVersion: 2, mediaType: ociIndex, manifests: [] }), ociManifest],
  'an image put as one of Docker': [
    json({ schemaVersion: 2, mediaType: ociManifest, config: CONFIG, layers: [] }),
    dockerManifest,
  ],
  'both an image and an index': [
    json({ schemaVersion: 2, mediaType: ociManifest, config: CONFIG, layers: [], manifests: [] }),
    ociManifest,
  ],
}

const INVALID_TAGS = [
  '',
  'not a tag!',
  '.hidden',
  '-v1',
  'a/b',
  'a:b',
  'ä',
  `sha256:${'0'.repeat(64)}`,
  'a'.repeat(129),
]

export function testManifestPuts(context: ContractContext): void {
  const { create, has } = context
  const { describe, it } = context.runner

  describe('manifests.put', () => {
    it('answers with the descriptor, and sets all tags at once', async () => {
      const { repository } = await create()
      const pushed = await imageOf(repository, 'tagged')
      const { content, mediaType, digest } = pushed
      const tags = ['v1', 'latest', 'v1.0.0', '_x', '0', 'a'.repeat(128)]
      assert.deepEqual(plain(await repository.manifests.put(content, { mediaType, tags, digest })), plain(pushed))
      await assertManifest(repository, pushed, [...tags, digest])
      for (const tag of tags) assert.equal(await repository.tags.resolve(tag), digest)
      assert.deepEqual(await collect(repository.tags.list()), [...tags].sort())
    })

    it('of what is there already succeeds, and adds tags', async () => {
      const { repository } = await create()
      const pushed = await pushImage(context, repository, 'again', { tags: ['v1'] })
      for (const tags of [['v1'], ['v2'], ['v1', 'v3', 'v3']]) await push(context, repository, pushed, tags)
      await assertManifest(repository, pushed, ['v1', 'v2', 'v3', pushed.digest])
      assert.deepEqual(await collect(repository.tags.list()), ['v1', 'v2', 'v3'])
    })

    it('keeps the bytes apart from those of the caller, both ways', async () => {
      const { repository } = await create()
      const pushed = await imageOf(repository, 'mine to change')
      const content = Uint8Array.from(pushed.content)
      await push(context, repository, { ...pushed, content }, ['v1'])
      content.fill(0)
      const got = (await repository.manifests.get('v1')).content
      got.fill(0)
      await assertManifest(repository, pushed, ['v1', pushed.digest])
    })

    it('of another digest than is given is DIGEST_INVALID, and stores nothing', async () => {
      const { repository } = await create()
      const pushed = await imageOf(repository, 'another')
      const { content, mediaType } = pushed
      for (const digest of [unknownDigest(), digestOf(text('x'), 'sha512')]) {
        await assertCode(repository.manifests.put(content, { mediaType, digest, tags: ['v1'] }), 'DIGEST_INVALID')
        for (const reference of ['v1', digest, pushed.digest]) {
          await assertCode(repository.manifests.stat(reference), 'MANIFEST_UNKNOWN')
        }
      }
    })

    if (has('sha512'))
      it('is found by sha512, where that is the digest given', async () => {
        const { repository } = await create()
        const pushed = await imageOf(repository, 'by sha512')
        const { content, mediaType } = pushed
        const digest = digestOf(content, 'sha512')
        const stored = await repository.manifests.put(content, { mediaType, digest, tags: ['v1'] })
        assert.equal(stored.digest, digest)
        await assertManifest(repository, { ...pushed, digest }, ['v1', digest])
        assert.equal(await repository.tags.resolve('v1'), digest)
      })

    it('refuses with MANIFEST_INVALID what is none, and stores nothing', async () => {
      const { repository } = await create()
      await repository.blobs.put(json({}))
      for (const [content, mediaType] of Object.values(INVALID)) {
        await assertRefused(repository, { ...describeContent(content, mediaType), content }, 'MANIFEST_INVALID')
      }
    })

    it('refuses with MANIFEST_INVALID what is no tag, and stores nothing', async () => {
      const { repository } = await create()
      const { content, mediaType, digest } = await imageOf(repository, 'badly tagged')
      for (const tag of INVALID_TAGS) {
        await assertCode(repository.manifests.put(content, { mediaType, tags: ['v1', tag] }), 'MANIFEST_INVALID')
        await assertCode(repository.tags.resolve('v1'), 'MANIFEST_UNKNOWN')
        await assertCode(repository.manifests.stat(digest), 'MANIFEST_UNKNOWN')
      }
    })

    if (!has('untagged manifests'))
      it('is refused without a tag (lacks untagged manifests)', async () => {
        const { repository } = await create()
        const { content, mediaType, digest } = await imageOf(repository, 'untagged')
        await assertCode(repository.manifests.put(content, { mediaType }), 'UNSUPPORTED')
        await assertCode(repository.manifests.stat(digest), 'MANIFEST_UNKNOWN')
      })

    if (has('unknown manifest types'))
      it('keeps what is of a media type that nobody here has heard of', async () => {
        const { repository } = await create()
        const pushed = manifest({ mediaType: 'application/vnd.example.unheard-of.v1+json', anything: ['goes', 1] })
        await push(context, repository, pushed, ['v1'])
        await assertManifest(repository, pushed, ['v1', pushed.digest])
      })
    else
      it('refuses media types that nobody here has heard of (lacks unknown manifest types)', async () => {
        const { repository } = await create()
        const pushed = manifest({ mediaType: 'application/vnd.example.unheard-of.v1+json', anything: ['goes', 1] })
        await assertRefused(repository, pushed, 'MANIFEST_INVALID', 'UNSUPPORTED', 'DENIED')
      })
  })
}

/** That it is refused, and is not there afterwards by any name. */
export async function assertRefused(
  { manifests }: Repository,
  { content, mediaType, digest }: Pushed,
  ...codes: readonly ErrorCode[]
): Promise<void> {
  await assertCode(manifests.put(content, { mediaType, tags: ['refused'] }), ...codes)
  for (const reference of ['refused', digest]) await assertCode(manifests.stat(reference), 'MANIFEST_UNKNOWN')
}
