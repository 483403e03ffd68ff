import { expect, it } from 'vitest'
import { Registry } from '../../src/registry.ts'
import { type Digest, digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { StorageUnavailableError } from '../../src/storage/driver.ts'
import { RepositoryLayout } from '../../src/storage/layout.ts'
import { bytes, collect, json, pushImage } from '../support/images.ts'
import { describeStorages, type OpenStorage } from '../support/storages.ts'

async function repositoryIn(create: () => Promise<OpenStorage>) {
  const storage = (await create())()
  return { storage, repository: new Registry({ storage }).repository('team/app') }
}

describeStorages('TagStore', (create) => {
  it('points a tag to a manifest that is here, and to no other', async () => {
    const { repository } = await repositoryIn(create)
    const { digest } = await pushImage(repository, ['a'])
    await repository.tags.set('v1', digest)
    expect(await repository.tags.resolve('v1')).toBe(digest)
    await expect(repository.tags.set('v1', digestOf(bytes('x')))).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    expect(await repository.tags.resolve('v1')).toBe(digest)
  })

  it.each(['', '.hidden', '-dash', 'a/b', 'ü', 'x'.repeat(129)])('refuses the tag %j', async (tag) => {
    const { repository } = await repositoryIn(create)
    const { digest } = await pushImage(repository, ['a'])
    await expect(repository.tags.set(tag, digest)).rejects.toMatchObject({ code: 'MANIFEST_INVALID', status: 400 })
  })

  it('lists in byte order, also where folders sort otherwise, and from any point', async () => {
    const { repository } = await repositoryIn(create)
    const { digest } = await pushImage(repository, ['a'])
    const tags = ['1', '1.2', '1.2.3', '1.2.3-rc1', '1.20', 'A', '_', 'a', 'a-', 'a-b', 'a.b', 'a0', 'a_b', 'b']
    for (const tag of [...tags].reverse()) await repository.tags.set(tag, digest)
    expect(await collect(repository.tags.list())).toEqual([...tags].sort())
    for (const after of [...tags, '0', '1.', 'a-a', 'zz']) {
      expect(await collect(repository.tags.list({ after }))).toEqual([...tags].sort().filter((tag) => tag > after))
    }
  })

  it('knows a repository without tags from one that does not exist', async () => {
    const { repository, storage } = await repositoryIn(create)
    await expect(collect(repository.tags.list())).rejects.toMatchObject({ code: 'NAME_UNKNOWN', status: 404 })
    await pushImage(repository, ['a'])
    expect(await collect(repository.tags.list())).toEqual([])
    const other = new Registry({ storage }).repository('team')
    await expect(collect(other.tags.list())).rejects.toMatchObject({ code: 'NAME_UNKNOWN' })
  })

  it('deletes one tag and nothing beside it', async () => {
    const { repository } = await repositoryIn(create)
    const { digest } = await pushImage(repository, ['a'], { tags: ['v1', 'v1-rc', 'v10'] })
    await repository.tags.delete('v1')
    await expect(repository.tags.delete('v1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    expect(await collect(repository.tags.list())).toEqual(['v1-rc', 'v10'])
    expect(await repository.manifests.stat(digest)).toMatchObject({ digest })
  })

  it('creates no tag that somebody else created after it was looked for', async () => {
    const { storage, repository } = await repositoryIn(create)
    const [mine, theirs] = [await pushImage(repository, ['mine']), await pushImage(repository, ['theirs'])]
    const key = new RepositoryLayout('team/app').tagCurrent('v1')
    const get = storage.get.bind(storage)
    storage.get = async (asked, options) => {
      try {
        return await get(asked, options)
      } finally {
        if (asked === key) {
          storage.get = get
          await repository.tags.set('v1', theirs.digest)
        }
      }
    }
    await expect(repository.tags.set('v1', mine.digest, { expected: null })).rejects.toMatchObject({ status: 412 })
    expect(await repository.tags.resolve('v1')).toBe(theirs.digest)
  })

  it('changes a tag only from where it is expected to be', async () => {
    const { repository } = await repositoryIn(create)
    const [first, second] = [await pushImage(repository, ['a']), await pushImage(repository, ['b'])]
    const refused = { code: 'DENIED', status: 412 }
    const { tags } = repository
    await expect(tags.set('v1', first.digest, { expected: 'any' })).rejects.toMatchObject(refused)
    await expect(tags.set('v1', first.digest, { expected: second.digest })).rejects.toMatchObject(refused)
    await tags.set('v1', first.digest, { expected: null })
    await expect(tags.set('v1', second.digest, { expected: null })).rejects.toMatchObject(refused)
    await expect(tags.set('v1', second.digest, { expected: second.digest })).rejects.toMatchObject(refused)
    expect(await tags.resolve('v1')).toBe(first.digest)
    await tags.set('v1', second.digest, { expected: first.digest })
    await tags.set('v1', first.digest, { expected: 'any' })
    expect(await tags.resolve('v1')).toBe(first.digest)
  })

  it('lets one of many win who expect the same', async () => {
    const open = await create()
    const storage = open()
    const repository = new Registry({ storage }).repository('team/app')
    const start = await pushImage(repository, ['start'], { tags: ['v1'] })
    const digests: Digest[] = []
    for (let i = 0; i < 16; i++) digests.push((await pushImage(repository, [`layer ${i}`])).digest)
    const racers = digests.map((digest) =>
      new Registry({ storage: open() })
        .repository('team/app')
        .tags.set('v1', digest, { expected: start.digest })
        .then(
          () => digest,
          (error: { status: number }) => error.status,
        ),
    )
    const results = await Promise.all(racers)
    const winners = results.filter((one) => one !== 412)
    expect(winners).toHaveLength(1)
    expect(await repository.tags.resolve('v1')).toBe(winners[0])
  })

  it('takes an empty link for no tag, which may be set as if it were new', async () => {
    const { storage, repository } = await repositoryIn(create)
    const { digest } = await pushImage(repository, ['a'])
    await storage.put(new RepositoryLayout('team/app').tagCurrent('v1'), bytes(''))
    await expect(repository.tags.resolve('v1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    await repository.tags.set('v1', digest, { expected: null })
    expect(await repository.tags.resolve('v1')).toBe(digest)
  })

  it('shows no tag that could not be written', async () => {
    const storage = (await create())()
    const full = new Proxy(storage, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (key: string, ...rest: unknown[]) => {
          if (name === 'put' && key.endsWith('/current/link'))
            return Promise.reject(new StorageUnavailableError('full'))
          return Reflect.apply(value, target, [key, ...rest]) as unknown
        }
      },
    })
    const repository = new Registry({ storage: full }).repository('team/app')
    const { digest } = await pushImage(repository, ['a'])
    await expect(repository.tags.set('v1', digest)).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 503 })
    expect(await collect(repository.tags.list())).toEqual([])
  })

  it('says that a link is damaged, which is not the same as absent', async () => {
    const { storage, repository } = await repositoryIn(create)
    await storage.put(new RepositoryLayout('team/app').tagCurrent('v1'), bytes('sha256:half'))
    await expect(repository.tags.resolve('v1')).rejects.toThrow('damaged link')
  })

  it('has a manifest pushed under several tags at once', async () => {
    const { repository } = await repositoryIn(create)
    const content = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] })
    await repository.manifests.put(content, { mediaType: MEDIA_TYPES.ociIndex, tags: ['a', 'b', 'a', 'c'] })
    expect(await collect(repository.tags.list())).toEqual(['a', 'b', 'c'])
  })
})
