import { describe, expect, it } from 'vitest'
import { type GuardOptions, guard, type ManifestProposal } from '../../src/decorators/guard.ts'
import { RegistryError } from '../../src/errors.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, collect, descriptorOf, json, pushImage } from '../support/images.ts'
import { decorated, expectRefusal } from './support.ts'

const { ociManifest, ociIndex, ociConfig } = MEDIA_TYPES

/** An image whose config is the given bytes, ready to be put. */
async function propose(beforeManifest: GuardOptions['beforeManifest'], config: Uint8Array = json({ os: 'linux' })) {
  const { plain, backend } = decorated(guard({ beforeManifest }))
  const stored = await plain.repository('app').blobs.put(config)
  const content = json({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { ...stored, mediaType: ociConfig },
    layers: [],
  })
  const put = () => backend.repository('app').manifests.put(content, { mediaType: ociManifest, tags: ['v1'] })
  return { plain, backend, content, put }
}

describe('guard', () => {
  it('tells the hook what somebody wants to store', async () => {
    const seen: ManifestProposal[] = []
    const { backend, content } = await propose((proposal) => void seen.push(proposal))
    const digest = digestOf(content)
    const context = { actor: 'ann', requestId: 'r1', signal: new AbortController().signal }
    const options = { ...context, mediaType: ociManifest, tags: ['a', 'b'], digest }
    await backend.repository('app').manifests.put(content, options)
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({
      ...context,
      repository: 'app',
      content,
      mediaType: ociManifest,
      tags: ['a', 'b'],
      digest,
    })
    expect(seen[0]?.manifest).toMatchObject({ kind: 'image', layers: [], config: { mediaType: ociConfig } })
  })

  it('stores what the hook lets pass, and waits for it', async () => {
    const { put, plain } = await propose(async ({ config }) => void (await config()))
    const { digest } = await put()
    expect(await plain.repository('app').tags.resolve('v1')).toBe(digest)
  })

  it('refuses with the reason that the hook answers, storing nothing', async () => {
    const { put, plain } = await propose(() => Promise.resolve('not signed'))
    await expect(put()).rejects.toMatchObject({ code: 'DENIED', status: 403, message: 'not signed' })
    expect(await collect(plain.repository('app').manifests.list())).toEqual([])
  })

  it.each([
    ['answers at once', () => 'no'],
    ['answers later', () => Promise.resolve('no')],
  ] satisfies [string, GuardOptions['beforeManifest']][])('refuses when the hook %s', async (_, hook) => {
    const { put } = await propose(hook)
    await expect(put()).rejects.toMatchObject({ code: 'DENIED', message: 'no' })
  })

  it('refuses with an empty reason, too', async () => {
    const { put } = await propose(() => Promise.resolve(''))
    await expectRefusal(put(), 'DENIED', 403)
  })

  it.each([
    ['throws', () => Promise.reject<string>(new Error('the password is secret'))],
    ['answers with something else', () => false as unknown as string],
  ] satisfies [string, GuardOptions['beforeManifest']][])(
    'stores nothing, and is no refusal, when the hook %s',
    async (_, hook) => {
      const { put, plain } = await propose(hook)
      const error: unknown = await put().catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(Error)
      expect(RegistryError.is(error)).toBe(false)
      expect(await collect(plain.repository('app').manifests.list())).toEqual([])
    },
  )

  it('finds out at once that its hook is missing', () => {
    expect(() => guard({ beforeManifests: () => 'no' } as unknown as GuardOptions)).toThrow(/beforeManifest/)
  })

  it('passes on an error of ours as it is', async () => {
    const { put } = await propose(() => {
      throw new RegistryError('TOOMANYREQUESTS', { message: 'later', headers: { 'retry-after': '1' } })
    })
    await expect(put()).rejects.toMatchObject({ code: 'TOOMANYREQUESTS', headers: { 'retry-after': '1' } })
  })

  it('is not asked about what is no manifest', async () => {
    let asked = 0
    const { backend } = await propose(() => void asked++)
    await expectRefusal(
      backend.repository('app').manifests.put(bytes('x'), { mediaType: ociManifest }),
      'MANIFEST_INVALID',
    )
    expect(asked).toBe(0)
  })

  it('leaves other operations alone', async () => {
    const { plain, backend } = await propose(() => 'never')
    const { digest } = await pushImage(plain.repository('app'), ['one'], { tags: ['v1'] })
    const { manifests, tags } = backend.repository('app')
    expect((await manifests.stat('v1')).digest).toBe(digest)
    expect(await tags.resolve('v1')).toBe(digest)
    expect(await collect(tags.list())).toEqual(['v1'])
    await plain.repository('app').tags.set('v2', digest)
    await tags.delete('v2')
    expect(await manifests.delete(digest)).toEqual(['v1'])
  })
})

describe('guard, when a stored manifest gets a tag', () => {
  it('tells the hook which manifest, and which tag', async () => {
    const seen: ManifestProposal[] = []
    const { plain, backend } = await propose(async (proposal) => {
      seen.push(proposal)
      expect(await proposal.config()).toEqual({ layers: ['one'] })
    })
    const { digest, content } = await pushImage(plain.repository('app'), ['one'], { tags: ['v1'] })
    const context = { actor: 'ann', requestId: 'r1', signal: new AbortController().signal }
    await backend.repository('app').tags.set('production', digest, { ...context, expected: null })
    const proposal = { ...context, repository: 'app', mediaType: ociManifest, tags: ['production'], digest, content }
    expect(seen).toEqual([expect.objectContaining(proposal)])
    expect(seen[0]?.manifest).toMatchObject({ kind: 'image', config: { mediaType: ociConfig } })
    expect(await plain.repository('app').tags.resolve('production')).toBe(digest)
    await expectRefusal(backend.repository('app').tags.set('production', digest, { expected: null }), 'DENIED', 412)
  })

  it('leaves the tags as they are where the hook refuses', async () => {
    const { plain, backend } = await propose(({ tags }) => (tags.includes('production') ? 'not signed' : undefined))
    const { digest } = await pushImage(plain.repository('app'), ['one'], { tags: ['v1'] })
    const { tags } = backend.repository('app')
    await expect(tags.set('production', digest)).rejects.toMatchObject({ code: 'DENIED', message: 'not signed' })
    await tags.set('v2', digest)
    expect(await collect(tags.list())).toEqual(['v1', 'v2'])
  })

  it('does not ask about a manifest that is not there, nor about what is no tag', async () => {
    let asked = 0
    const { plain, backend } = await propose(() => void asked++)
    const { digest } = await pushImage(plain.repository('other'), ['one'])
    await expectRefusal(backend.repository('app').tags.set('v1', digest), 'MANIFEST_UNKNOWN', 404)
    await expectRefusal(backend.repository('other').tags.set('no/tag', digest), 'MANIFEST_INVALID')
    expect(asked).toBe(0)
  })
})

describe('ManifestProposal.config', () => {
  it('is the config as JSON', async () => {
    const value = { os: 'linux', config: { User: 'root' } }
    const { put } = await propose(async ({ config }) => {
      expect(await config()).toEqual(value)
      return 'seen'
    }, json(value))
    await expect(put()).rejects.toMatchObject({ message: 'seen' })
  })

  it('is read when it is asked for, and once', async () => {
    let asks = 0
    const { plain, content } = await propose(() => undefined)
    const repository = plain.repository('app')
    const blobs = new Proxy(repository.blobs, {
      get: (target, key) => {
        if (key === 'open') asks++
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    const inner = { repository: () => ({ ...repository, blobs }), repositories: () => plain.repositories() }
    const options = { mediaType: ociManifest }
    await guard({ beforeManifest: () => undefined })(inner)
      .repository('app')
      .manifests.put(content, options)
    expect(asks).toBe(0)
    const twice = guard({
      beforeManifest: async ({ config }) => {
        expect(await config()).toBe(await config())
      },
    })
    await twice(inner).repository('app').manifests.put(content, options)
    expect(asks).toBe(1)
  })

  it('is undefined for an index and for a type nobody knows', async () => {
    const seen: unknown[] = []
    const { backend } = await propose(async ({ config }) => void seen.push(await config()))
    const { manifests } = backend.repository('app')
    await manifests.put(json({ schemaVersion: 2, mediaType: ociIndex, manifests: [] }), { mediaType: ociIndex })
    await manifests.put(bytes('x'), { mediaType: 'application/vnd.example.thing' })
    expect(seen).toEqual([undefined, undefined])
  })

  it.each([
    ['no JSON', bytes('not json'), 'the config cannot be checked: not JSON'],
    ['a key twice', bytes('{"a":1,"a":2}'), 'the config cannot be checked: an object has the same key twice'],
    ['nested too deep', bytes('['.repeat(1000)), 'the config cannot be checked: more than 16 levels deep'],
    ['more than 4 MiB', Buffer.alloc(4 * 1024 * 1024 + 1, ' '), 'the config is too large to be checked'],
  ])('refuses a config with %s, to a hook that asks for it', async (_, config, message) => {
    const asking = await propose(async (proposal) => void (await proposal.config()), config)
    await expect(asking.put()).rejects.toMatchObject({ code: 'DENIED', message })
    const notAsking = await propose(() => undefined, config)
    expect((await notAsking.put()).mediaType).toBe(ociManifest)
  })

  it('rejects MANIFEST_BLOB_UNKNOWN when the config is not there', async () => {
    const { backend } = await propose(async ({ config }) => void (await config()))
    const config = descriptorOf(bytes('absent'), ociConfig)
    const content = json({ schemaVersion: 2, mediaType: ociManifest, config, layers: [] })
    await expect(backend.repository('app').manifests.put(content, { mediaType: ociManifest })).rejects.toMatchObject({
      code: 'MANIFEST_BLOB_UNKNOWN',
      detail: { missing: [config.digest] },
    })
  })
})
