import assert from 'node:assert/strict'
import type { Repository } from '../../backend.ts'
import { digestOf } from '../../spec/digest.ts'
import { text } from '../driver-contract/context.ts'
import { assertBlob, assertCode, assertNoBlob, type ContractContext, collect } from './context.ts'
import { imageOf, type Pushed, pushImage } from './images.ts'
import { assertManifest } from './manifests.ts'

/** Every change there is, of a repository that holds `image` as `v1`. */
const CHANGES: Readonly<Record<string, (repository: Repository, image: Pushed, other: Pushed) => Promise<unknown>>> = {
  'blobs.put': ({ blobs }) => blobs.put(text('new')),
  'blobs.startUpload': ({ blobs }) => blobs.startUpload(),
  'blobs.resumeUpload': ({ blobs }) => blobs.resumeUpload('0f2c7a0e-6c1b-4b57-9d5e-3a8f6f3f2f10'),
  'blobs.mount': ({ blobs }) => blobs.mount(digestOf(text('elsewhere')), 'team/other'),
  'blobs.delete': ({ blobs }) => blobs.delete(digestOf(text('here'))),
  'manifests.put': ({ manifests }, _, { content, mediaType }) => manifests.put(content, { mediaType, tags: ['v2'] }),
  'manifests.put of what is there': ({ manifests }, { content, mediaType }) =>
    manifests.put(content, { mediaType, tags: ['v1'] }),
  'manifests.delete': ({ manifests }, { digest }) => manifests.delete(digest),
  'tags.set': ({ tags }, { digest }) => tags.set('v2', digest),
  'tags.delete': ({ tags }) => tags.delete('v1'),
  delete: (repository) => repository.delete(),
}

/** In place of all tests of changes. */
export function testRefusedChanges(context: ContractContext): void {
  context.runner.describe('a backend that cannot be changed (lacks write)', () => {
    for (const [name, change] of Object.entries(CHANGES)) {
      context.runner.it(`refuses ${name} with UNSUPPORTED, and nothing changes`, async () => {
        const { repository, seed, writer } = await context.create()
        const image = await pushImage(context, seed, 'image', { tags: ['v1'] })
        const other = await imageOf(seed, 'other')
        await seed.blobs.put(text('here'))
        await writer.repository('team/other').blobs.put(text('elsewhere'))
        await assertCode(change(repository, image, other), 'UNSUPPORTED')
        await assertManifest(repository, image, ['v1', image.digest])
        await assertCode(repository.manifests.stat(other.digest), 'MANIFEST_UNKNOWN')
        assert.deepEqual(await collect(repository.tags.list()), ['v1'])
        await assertBlob(repository, digestOf(text('here')), text('here'))
        await assertNoBlob(context, repository, digestOf(text('new')))
        if (context.has('isolation')) await assertNoBlob(context, repository, digestOf(text('elsewhere')))
      })
    }
  })
}
