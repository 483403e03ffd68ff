import { describe, expect, it } from 'vitest'
import type { Repository } from '../../../src/backend.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../../src/spec/media-types.ts'
import { bytes, collect, pushImage, readBlob } from '../../support/images.ts'
import { expectRefusal } from '../support.ts'
import { type CacheOptions, DOWN, newCache } from './support.ts'

const DIGEST = digestOf(bytes('x'))

const WRITES: readonly [name: string, write: (repository: Repository) => Promise<unknown>][] = [
  ['delete', (repository) => repository.delete()],
  ['blobs.startUpload', ({ blobs }) => blobs.startUpload()],
  ['blobs.resumeUpload', ({ blobs }) => blobs.resumeUpload('7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11')],
  ['blobs.put', ({ blobs }) => blobs.put(bytes('x'))],
  ['blobs.mount', ({ blobs }) => blobs.mount(DIGEST, 'team/app')],
  ['blobs.delete', ({ blobs }) => blobs.delete(DIGEST)],
  ['manifests.put', ({ manifests }) => manifests.put(bytes('{}'), { mediaType: MEDIA_TYPES.ociIndex })],
  ['manifests.delete', ({ manifests }) => manifests.delete(DIGEST)],
  ['tags.set', ({ tags }) => tags.set('v1', DIGEST)],
  ['tags.delete', ({ tags }) => tags.delete('v1')],
]

describe('a push to a repository of an upstream', () => {
  it.each(WRITES)('is refused, with the reason: %s', async (_, write) => {
    const { backend, upstream } = newCache()
    await expect(write(backend.repository('hub/app'))).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      status: 405,
      message: 'hub/app is pulled through from hub and cannot be changed here: push under another name',
    })
    expect(upstream.asked).toEqual([])
  })

  it('is refused by whatever way the repository is named', async () => {
    const { backend } = newCache({ upstream: { namespaces: ['hub.example'] } })
    const { blobs } = backend.repository('app')
    await expectRefusal(blobs.put(bytes('x'), { namespace: 'hub.example' }), 'UNSUPPORTED')
    await expectRefusal(blobs.put(bytes('x'), { namespace: 'other.example' }), 'DENIED')
    await blobs.put(bytes('x'))
  })
})

describe('where pushes are kept locally', () => {
  async function mixed(options: CacheOptions = {}) {
    const cache = newCache({ writes: 'local', ...options })
    const there = cache.upstream.registry.repository('app')
    const image = await pushImage(there, ['theirs'], { tags: ['v1', 'v2'] })
    return { ...cache, there, image, here: cache.backend.repository('hub/app') }
  }

  it('goes before what the upstream has, and the rest is the upstream’s', async () => {
    const { here, image, upstream, clock } = await mixed()
    const ours = await pushImage(here, ['ours'], { tags: ['v1', 'mine'] })
    clock.now += 1_000_000
    expect((await here.manifests.get('v1')).descriptor.digest).toBe(ours.digest)
    expect((await here.manifests.get('mine')).descriptor.digest).toBe(ours.digest)
    expect(upstream.asked.filter((one) => one.startsWith('manifests'))).toEqual([])
    expect((await here.manifests.get('v2')).descriptor.digest).toBe(image.digest)
    expect(await collect(here.tags.list())).toEqual(['mine', 'v1', 'v2'])
    upstream.failure = DOWN
    expect(await collect(here.tags.list())).toEqual(['mine', 'v1', 'v2'])
    await here.tags.delete('v1')
    upstream.failure = undefined
    expect((await here.manifests.get('v1')).descriptor.digest).toBe(image.digest)
  })

  it('is a repository of its own where the upstream has none', async () => {
    const { backend } = await mixed()
    const ours = backend.repository('hub/ours')
    await expectRefusal(collect(ours.tags.list()), 'NAME_UNKNOWN')
    await pushImage(ours, ['ours'], { tags: ['v1'] })
    expect(await collect(ours.tags.list())).toEqual(['v1'])
    await ours.delete()
    await expectRefusal(ours.manifests.get('v1'), 'MANIFEST_UNKNOWN')
  })

  it('tells whoever would leave out an upload of what is here alone', async () => {
    const { here, image } = await mixed()
    expect((await here.blobs.stat(image.config.digest)).size).toBe(image.config.size)
    await expectRefusal(here.blobs.stat(image.config.digest, { reliedUpon: true }), 'BLOB_UNKNOWN')
    await here.blobs.put(bytes(await readBlob(here, image.config.digest)))
    expect((await here.blobs.stat(image.config.digest, { reliedUpon: true })).size).toBe(image.config.size)
  })

  it('takes uploads in pieces', async () => {
    const { here, local } = await mixed()
    const started = await here.blobs.startUpload()
    await started.append(bytes('ab'))
    await started[Symbol.asyncDispose]()
    await using upload = await here.blobs.resumeUpload(started.id)
    expect(upload.offset).toBe(2)
    const { digest } = await upload.commit(digestOf(bytes('abc')), { last: bytes('c') })
    expect(await readBlob(local.repository('hub/app'), digest)).toBe('abc')
  })
})
