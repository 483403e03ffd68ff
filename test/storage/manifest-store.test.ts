import { expect, it } from 'vitest'
import { Registry } from '../../src/registry.ts'
import type { Descriptor } from '../../src/spec/descriptor.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { RepositoryLayout } from '../../src/storage/layout.ts'
import { bytes, collect, descriptorOf, json, pushImage } from '../support/images.ts'
import { describeStorages, type OpenStorage } from '../support/storages.ts'

const LAYOUT = new RepositoryLayout('team/app')

async function repositoryIn(create: () => Promise<OpenStorage>, sparse?: 'none' | 'index' | 'all') {
  const storage = (await create())()
  const registry = new Registry({ storage, ...(sparse && { sparse }) })
  return { storage, registry, repository: registry.repository('team/app') }
}

describeStorages('ManifestStore', (create) => {
  it('answers by tag and by digest with the very bytes that were pushed', async () => {
    const { repository } = await repositoryIn(create)
    const { digest, content } = await pushImage(repository, ['a', 'b'], { tags: ['v1'] })
    const descriptor = { mediaType: MEDIA_TYPES.ociManifest, digest, size: content.byteLength }
    for (const reference of ['v1', digest]) {
      expect(await repository.manifests.stat(reference)).toEqual(descriptor)
      const manifest = await repository.manifests.get(reference)
      expect(manifest.descriptor).toEqual(descriptor)
      expect(Buffer.from(manifest.content).equals(content)).toBe(true)
    }
  })

  it('does not know what is not there, or is only elsewhere', async () => {
    const { registry, repository } = await repositoryIn(create)
    const { digest } = await pushImage(repository, ['a'], { tags: ['v1'] })
    const unknown = { code: 'MANIFEST_UNKNOWN', status: 404 }
    await expect(repository.manifests.get('v2')).rejects.toMatchObject(unknown)
    await expect(repository.manifests.get('not a tag!')).rejects.toMatchObject(unknown)
    await expect(repository.manifests.get(digestOf(bytes('x')))).rejects.toMatchObject(unknown)
    // Read a moment ago, so the bytes are remembered: another repository must not see them for that.
    await repository.manifests.get(digest)
    await expect(registry.repository('team/other').manifests.get(digest)).rejects.toMatchObject(unknown)
  })

  it('is stored as Distribution stores it', async () => {
    const { storage, repository } = await repositoryIn(create)
    const { digest } = await pushImage(repository, ['a'], { tags: ['v1'] })
    const hex = digest.slice(7)
    const root = 'docker/registry/v2/repositories/team/app'
    for (const key of [
      `${root}/_manifests/revisions/sha256/${hex}/link`,
      `${root}/_manifests/tags/v1/current/link`,
      `${root}/_manifests/tags/v1/index/sha256/${hex}/link`,
    ]) {
      expect(Buffer.from((await storage.get(key)).content).toString()).toBe(digest)
    }
    const blob = digestOf(bytes('a')).slice(7)
    expect(Buffer.from((await storage.get(`${root}/_layers/sha256/${blob}/link`)).content).toString()).toBe(
      `sha256:${blob}`,
    )
    const data = await storage.get(`docker/registry/v2/blobs/sha256/${blob.slice(0, 2)}/${blob}/data`)
    expect(Buffer.from(data.content).toString()).toBe('a')
  })

  it('refuses another digest than the content has', async () => {
    const { repository } = await repositoryIn(create)
    const options = { mediaType: MEDIA_TYPES.ociIndex, digest: digestOf(bytes('x')) }
    const content = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] })
    await expect(repository.manifests.put(content, options)).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
    const digest = digestOf(content, 'sha512')
    expect(await repository.manifests.put(content, { ...options, digest })).toMatchObject({ digest })
    expect(await repository.manifests.get(digest)).toMatchObject({ descriptor: { digest } })
  })

  it('names every layer that is missing', async () => {
    const { repository } = await repositoryIn(create)
    const config = await repository.blobs.put(bytes('{}'))
    const missing = ['x', 'y'].map((text) => descriptorOf(bytes(text)))
    const content = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: missing })
    await expect(repository.manifests.put(content, { mediaType: MEDIA_TYPES.ociManifest })).rejects.toMatchObject({
      code: 'MANIFEST_BLOB_UNKNOWN',
      detail: { missing: missing.map(({ digest }) => digest).sort() },
    })
  })

  it.each([
    { mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip' },
    { mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', urls: ['https://example.com/layer'] },
  ])('does not ask for a layer that is kept elsewhere: %o', async (foreign) => {
    const { repository } = await repositoryIn(create)
    const config = await repository.blobs.put(bytes('{}'))
    const layer: Descriptor = { ...descriptorOf(bytes('elsewhere')), ...foreign }
    const content = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [layer] })
    expect(await repository.manifests.put(content, { mediaType: MEDIA_TYPES.ociManifest })).toMatchObject({
      digest: digestOf(content),
    })
  })

  it.each([
    { sparse: 'none', index: false, image: false },
    { sparse: 'index', index: true, image: false },
    { sparse: 'all', index: true, image: true },
  ] as const)(
    'with sparse $sparse takes an incomplete index: $index, image: $image',
    async ({ sparse, index, image }) => {
      const { repository } = await repositoryIn(create, sparse)
      const absent = descriptorOf(bytes('{"absent":1}'), MEDIA_TYPES.ociManifest)
      const put = (mediaType: string, fields: object) =>
        repository.manifests.put(json({ schemaVersion: 2, mediaType, ...fields }), { mediaType }).then(
          () => true,
          (error: { code: string }) => error.code,
        )
      const refused = 'MANIFEST_BLOB_UNKNOWN'
      expect(await put(MEDIA_TYPES.ociIndex, { manifests: [absent] })).toBe(index || refused)
      expect(await put(MEDIA_TYPES.ociManifest, { config: absent, layers: [] })).toBe(image || refused)
    },
  )

  it('takes an index whose children are layers, as BuildKit writes for its registry cache', async () => {
    const { repository } = await repositoryIn(create, 'none')
    const layer = {
      ...(await repository.blobs.put(bytes('cached layer'))),
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    }
    const cacheConfig = {
      ...(await repository.blobs.put(bytes('{}'))),
      mediaType: 'application/vnd.buildkit.cacheconfig.v0',
    }
    const content = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [layer, cacheConfig] })
    await repository.manifests.put(content, { mediaType: MEDIA_TYPES.ociIndex, tags: ['cache'] })
    expect(await repository.manifests.get('cache')).toMatchObject({ descriptor: { digest: digestOf(content) } })
  })

  it('keeps a media type that the bytes do not tell beside the revision, and no other', async () => {
    const { storage, repository } = await repositoryIn(create)
    const said = 'application/vnd.example.thing+json'
    const opaque = await repository.manifests.put(json({ anything: true }), { mediaType: said })
    expect(await repository.manifests.stat(opaque.digest)).toMatchObject({ mediaType: said })
    expect(Buffer.from((await storage.get(LAYOUT.revisionMediaType(opaque.digest))).content).toString()).toBe(said)
    const told = await repository.manifests.put(json({ schemaVersion: 2, manifests: [] }), {
      mediaType: MEDIA_TYPES.ociIndex,
    })
    expect(await repository.manifests.stat(told.digest)).toMatchObject({ mediaType: MEDIA_TYPES.ociIndex })
    expect(await storage.stat(LAYOUT.revisionMediaType(told.digest))).toBeUndefined()
    expect(await collect(repository.manifests.list())).toEqual([opaque.digest, told.digest].sort())
  })

  it('deletes a manifest with the tags that point to it, and says which', async () => {
    const { storage, repository } = await repositoryIn(create)
    const first = await pushImage(repository, ['a'], { tags: ['v1', 'latest'] })
    const second = await pushImage(repository, ['b'], { tags: ['v2'] })
    expect(await repository.manifests.delete(first.digest)).toEqual(['latest', 'v1'])
    await expect(repository.manifests.get(first.digest)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    await expect(repository.manifests.get('latest')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    await expect(repository.manifests.delete(first.digest)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    expect(await collect(repository.tags.list())).toEqual(['v2'])
    expect(await collect(repository.manifests.list())).toEqual([second.digest])
    // Distribution lists every folder in here as a tag.
    const folders = await collect(storage.list(LAYOUT.tags, { shallow: true }))
    expect(folders.map(({ key }) => key)).toEqual([LAYOUT.tag('v2')])
  })

  it('leaves a tag alone that is moved while its manifest is being deleted', async () => {
    const { storage, repository } = await repositoryIn(create)
    const first = await pushImage(repository, ['a'], { tags: ['latest', 'v1'] })
    const second = await pushImage(repository, ['b'], {})
    const moving = new Proxy(storage, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (name !== 'delete') return typeof value === 'function' ? (value.bind(target) as unknown) : value
        return async (...[key, options]: Parameters<typeof storage.delete>) => {
          if (key === LAYOUT.tagCurrent('latest')) await repository.tags.set('latest', second.digest)
          await storage.delete(key, options)
        }
      },
    })
    const { manifests } = new Registry({ storage: moving }).repository('team/app')
    expect(await manifests.delete(first.digest)).toEqual(['v1'])
    expect(await repository.tags.resolve('latest')).toBe(second.digest)
    expect(await collect(repository.tags.list())).toEqual(['latest'])
  })

  it('reads no data where there is no link: a digest may be that of a blob of any size', async () => {
    const storage = (await create())()
    const { digest } = await new Registry({ storage }).repository('team/other').blobs.put(bytes('a large layer'))
    const read: string[] = []
    const watched = new Proxy(storage, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (key: string, ...rest: unknown[]) => {
          if (name === 'get' || name === 'read') read.push(key)
          return Reflect.apply(value, target, [key, ...rest]) as unknown
        }
      },
    })
    const { manifests } = new Registry({ storage: watched }).repository('team/app')
    await expect(manifests.get(digest)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    expect(read).toEqual([])
  })

  it('serves what was pushed, whatever is done to the bytes that were handed in and out', async () => {
    const { repository } = await repositoryIn(create)
    const content = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] })
    const pushed = Buffer.from(content)
    await repository.manifests.put(pushed, { mediaType: MEDIA_TYPES.ociIndex, tags: ['v1'] })
    pushed.fill(0)
    ;(await repository.manifests.get('v1')).content.fill(0)
    expect(Buffer.from((await repository.manifests.get('v1')).content).equals(content)).toBe(true)
  })

  it('serves the media type of the latest push of bytes that do not tell it', async () => {
    const { repository } = await repositoryIn(create)
    const content = json({ schemaVersion: 2, manifests: [] })
    for (const mediaType of [MEDIA_TYPES.ociIndex, 'application/vnd.example+json', MEDIA_TYPES.ociIndex]) {
      const { digest } = await repository.manifests.put(content, { mediaType })
      expect(await repository.manifests.stat(digest)).toMatchObject({ mediaType })
    }
  })

  it('moves none of several tags when one is not where it was expected', async () => {
    const { repository } = await repositoryIn(create)
    const { digest } = await pushImage(repository, ['a'], { tags: ['b'] })
    const content = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] })
    const options = { mediaType: MEDIA_TYPES.ociIndex, tags: ['a', 'b', 'c'], expected: null }
    await expect(repository.manifests.put(content, options)).rejects.toMatchObject({ status: 412 })
    expect(await collect(repository.tags.list())).toEqual(['b'])
    expect(await repository.tags.resolve('b')).toBe(digest)
  })

  it('deletes a manifest whose data is gone', async () => {
    const { storage, repository } = await repositoryIn(create)
    const { digest } = await pushImage(repository, ['a'], { tags: ['v1'] })
    await storage.delete(`docker/registry/v2/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`)
    expect(await repository.manifests.delete(digest)).toEqual(['v1'])
    expect(await collect(repository.manifests.list())).toEqual([])
  })

  it('takes revision and data that were not written whole for no manifest', async () => {
    const { storage, repository } = await repositoryIn(create)
    const { digest } = await pushImage(repository, ['a'], { tags: ['v1'] })
    await storage.put(LAYOUT.revisionLink(digest), bytes(''))
    await expect(repository.manifests.get('v1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    await pushImage(repository, ['a'])
    expect(await repository.manifests.stat('v1')).toMatchObject({ digest })
  })

  it('does not pass off damaged bytes as the manifest', async () => {
    const open = await create()
    const { digest } = await pushImage(new Registry({ storage: open() }).repository('team/app'), ['a'], {
      tags: ['v1'],
    })
    const storage = open()
    const key = `docker/registry/v2/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`
    await storage.put(key, bytes('{"damaged":true}'))
    const fresh = new Registry({ storage }).repository('team/app')
    await expect(fresh.manifests.get('v1')).rejects.toThrow(`damaged manifest: ${digest}`)
    await pushImage(fresh, ['a'])
    expect(await fresh.manifests.stat('v1')).toMatchObject({ digest })
  })
})

describeStorages('ManifestStore.referrers', (create) => {
  it('lists what names a subject, in byte order, filtered and from any point', async () => {
    const { repository } = await repositoryIn(create)
    const image = await pushImage(repository, ['a'], { tags: ['v1'] })
    const subject = descriptorOf(image.content, MEDIA_TYPES.ociManifest)
    const push = (name: string, artifactType: string) =>
      pushImage(repository, [name], { subject, artifactType, annotations: { name } })
    const [sbom, signature] = [await push('sbom', 'application/sbom'), await push('signature', 'application/signature')]
    const expected = [
      { artifactType: 'application/sbom', annotations: { name: 'sbom' }, digest: sbom.digest },
      { artifactType: 'application/signature', annotations: { name: 'signature' }, digest: signature.digest },
    ].sort((a, b) => (a.digest < b.digest ? -1 : 1))
    const all = await collect(repository.manifests.referrers(subject.digest))
    expect(all).toMatchObject(expected)
    expect(
      await collect(repository.manifests.referrers(subject.digest, { artifactType: 'application/sbom' })),
    ).toMatchObject([{ digest: sbom.digest }])
    const after = all[0]?.digest ?? ''
    expect(await collect(repository.manifests.referrers(subject.digest, { after }))).toEqual(all.slice(1))
    await repository.manifests.delete(sbom.digest)
    expect(await collect(repository.manifests.referrers(subject.digest))).toMatchObject([{ digest: signature.digest }])
  })

  it('has nothing for an unknown subject, and keeps what comes before its subject', async () => {
    const { repository } = await repositoryIn(create)
    const subject = descriptorOf(bytes('not pushed yet'), MEDIA_TYPES.ociManifest)
    expect(await collect(repository.manifests.referrers(subject.digest))).toEqual([])
    const early = await pushImage(repository, ['early'], { subject })
    expect(await collect(repository.manifests.referrers(subject.digest))).toMatchObject([{ digest: early.digest }])
  })

  it('adds what clients kept under the fallback tag, once', async () => {
    const { repository } = await repositoryIn(create)
    const image = await pushImage(repository, ['a'])
    const subject = descriptorOf(image.content, MEDIA_TYPES.ociManifest)
    const old = await pushImage(repository, ['old'], { artifactType: 'application/old' })
    const listed = await pushImage(repository, ['new'], { subject })
    const manifests = [old, listed].map(({ content }) => descriptorOf(content, MEDIA_TYPES.ociManifest))
    const gone = descriptorOf(bytes('{"gone":true}'), MEDIA_TYPES.ociManifest)
    const index = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [...manifests, gone] })
    await repository.manifests.put(index, { mediaType: MEDIA_TYPES.ociIndex, tags: [image.digest.replace(':', '-')] })
    const found = await collect(repository.manifests.referrers(subject.digest))
    expect(found.map(({ digest }) => digest)).toEqual([old.digest, listed.digest].sort())
    expect(found.find(({ digest }) => digest === old.digest)).toMatchObject({ artifactType: 'application/old' })
  })
})
