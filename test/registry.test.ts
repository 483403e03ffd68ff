import { describe, expect, it } from 'vitest'
import { readOnly } from '../src/decorators/read-only.ts'
import { select } from '../src/decorators/select.ts'
import { memory } from '../src/drivers/memory.ts'
import type { RegistryEvent } from '../src/events.ts'
import { silentLogger } from '../src/logger.ts'
import { Registry, type RegistryOptions } from '../src/registry.ts'
import { StorageUnavailableError } from '../src/storage/driver.ts'
import { RepositoryLayout } from '../src/storage/layout.ts'
import { bytes, collect, pushImage } from './support/images.ts'
import { describeStorages } from './support/storages.ts'

describeStorages('Registry', (create) => {
  it('lists repositories that hold manifests, in byte order, from any point', async () => {
    const registry = new Registry({ storage: (await create())() })
    const names = [
      'a',
      'a-b',
      'a-b/c',
      'a.b',
      'a/b',
      'a/b-c',
      'a/b/c',
      'a0',
      'library/node',
      'z/blobs/uploads',
      'z/tags/list',
    ]
    for (const name of [...names].reverse()) await pushImage(registry.repository(name), ['layer'])
    await registry.repository('blobs/only').blobs.put(bytes('layer'))
    expect(await collect(registry.repositories())).toEqual([...names].sort())
    for (const after of ['', ...names, 'a-', 'a/', 'a/b0', 'blobs/only', 'z/blobs/', 'zz']) {
      expect(await collect(registry.repositories({ after }))).toEqual([...names].sort().filter((name) => name > after))
    }
  })

  it('deletes a repository, and nothing that lies inside or beside it', async () => {
    const storage = (await create())()
    const registry = new Registry({ storage })
    const names = ['team', 'team-b', 'team/app', 'team/app/inner']
    for (const name of names) await pushImage(registry.repository(name), ['layer'], { tags: ['v1'] })
    const team = registry.repository('team')
    await team.blobs.startUpload()
    await team.delete()
    expect(await collect(registry.repositories())).toEqual(['team-b', 'team/app', 'team/app/inner'])
    await expect(team.tags.resolve('v1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    expect(await collect(team.blobs.list())).toEqual([])
    await expect(team.delete()).rejects.toMatchObject({ code: 'NAME_UNKNOWN', status: 404 })
    const { root } = new RepositoryLayout('team')
    const left = await collect(storage.list(root, { shallow: true }))
    expect(left.map(({ key }) => key)).toEqual([`${root}/app`])
    expect(await registry.repository('team/app').tags.resolve('v1')).toMatch(/^sha256:/)
  })

  it('forgets a repository with its last manifest', async () => {
    const registry = new Registry({ storage: (await create())() })
    const { digest } = await pushImage(registry.repository('team/app'), ['layer'], { tags: ['v1'] })
    await registry.repository('team/app').manifests.delete(digest)
    expect(await collect(registry.repositories())).toEqual([])
  })
})

describe('Registry.on', () => {
  it('tells everything that succeeds, and who did it, in the order it happened', async () => {
    await using registry = new Registry({ storage: memory() })
    const events: RegistryEvent[] = []
    const note = (event: RegistryEvent) => void events.push(event)
    registry.on('blob.pushed', note).on('blob.mounted', note).on('blob.deleted', note)
    registry.on('manifest.pushed', note).on('manifest.pulled', note).on('manifest.deleted', note)
    registry.on('tag.set', note).on('tag.deleted', note).on('repository.deleted', note)
    const app = registry.repository('team/app')
    const { digest, layers } = await pushImage(app, ['layer'], { tags: ['v1'] })
    const layer = layers[0]?.digest ?? digest
    await registry.repository('team/other').blobs.mount(layer, 'team/app')
    await app.manifests.get('v1')
    await app.tags.set('v2', digest, { actor: 'alice', requestId: 'r1' })
    await app.tags.delete('v2')
    await expect(app.tags.delete('v2')).rejects.toThrow()
    await app.manifests.delete(digest)
    await app.blobs.delete(layer)
    await app.delete()
    await new Promise((resolve) => setImmediate(resolve))
    expect(events.map(({ type, repository }) => `${type} ${repository}`)).toEqual([
      'blob.pushed team/app',
      'blob.pushed team/app',
      'manifest.pushed team/app',
      'blob.mounted team/other',
      'manifest.pulled team/app',
      'tag.set team/app',
      'tag.deleted team/app',
      'manifest.deleted team/app',
      'blob.deleted team/app',
      'repository.deleted team/app',
    ])
    expect(events[2]).toMatchObject({ manifest: { digest }, tags: ['v1'] })
    expect(events[3]).toMatchObject({ blob: { digest: layer }, from: 'team/app' })
    expect(events[5]).toMatchObject({ tag: 'v2', digest, actor: 'alice', requestId: 'r1' })
    expect(events[7]).toMatchObject({ digest, tags: ['v1'] })
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length)
  })

  it('fails no push when a listener throws or rejects, and tells the others', async () => {
    const logged: string[] = []
    const logger = { ...silentLogger, error: (_: object, message: string) => void logged.push(message) }
    await using registry = new Registry({ storage: memory(), logger })
    const told: string[] = []
    registry.on('blob.pushed', () => {
      throw new Error('at once')
    })
    registry.on('blob.pushed', () => Promise.reject(new Error('later')))
    registry.on('blob.pushed', ({ repository }) => void told.push(repository))
    await registry.repository('team/app').blobs.put(bytes('layer'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual(['team/app'])
    expect(logged).toEqual(['a listener failed'])
  })

  it('tells a listener that wants to know once, once', async () => {
    await using registry = new Registry({ storage: memory() })
    let told = 0
    registry.once('blob.pushed', () => void told++)
    for (const text of ['a', 'b', 'c']) await registry.repository('team/app').blobs.put(bytes(text))
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toBe(1)
  })

  it('wraps any other backend', async () => {
    const inner = new Registry({ storage: memory() })
    await using registry = new Registry({ backend: inner })
    const told: string[] = []
    registry.on('blob.pushed', ({ blob }) => void told.push(blob.digest))
    const { digest } = await registry.repository('team/app').blobs.put(bytes('layer'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual([digest])
    expect(await inner.repository('team/app').blobs.stat(digest)).toMatchObject({ size: 5 })
  })
})

describe('Registry.ping', () => {
  it('asks the driver, in the words of the registry', async () => {
    const driver = memory()
    const { signal } = new AbortController()
    const asked: unknown[] = []
    const failure = new StorageUnavailableError('the disk is gone')
    const pinging = (result: () => Promise<void>) =>
      new Registry({
        storage: Object.assign(Object.create(driver), {
          ping: (options: unknown) => {
            asked.push(options)
            return result()
          },
        }),
      })
    await pinging(() => Promise.resolve()).ping({ signal })
    expect(asked).toEqual([{ signal }])
    await expect(pinging(() => Promise.reject(failure)).ping()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      status: 503,
      // Not that it will pass: a root that is a file stays one.
      message:
        'the storage cannot be reached or refuses us, for a reason that stands in the log; what was acknowledged is safe',
      cause: failure,
    })
    const other = new Error('a mistake')
    await expect(pinging(() => Promise.reject(other)).ping()).rejects.toBe(other)
  })

  it('reads from a storage whose driver cannot be asked', async () => {
    await new Registry({ storage: memory() }).ping()
    const failing = Object.assign(memory(), {
      stat: () => Promise.reject(new StorageUnavailableError('no answer')),
    })
    await expect(new Registry({ storage: failing }).ping()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('asks a backend that can be asked, whatever decorators say', async () => {
    const failing = Object.assign(memory(), {
      stat: () => Promise.reject(new StorageUnavailableError('no answer')),
    })
    const inner = new Registry({ storage: failing })
    await expect(new Registry({ backend: inner, use: [readOnly()] }).ping()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
    await new Registry({ backend: new Registry({ storage: memory() }), use: [select([])] }).ping()
    const silent = readOnly()(inner)
    await expect(new Registry({ backend: silent }).ping()).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })
})

describe('new Registry', () => {
  it.each([
    [undefined, /"storage" must be a storage driver/],
    [{}, /"storage" must be a storage driver/],
    [{ storage: './data' }, /"storage" must be a storage driver/],
    [{ storage: memory }, /"storage" must be a storage driver/],
    [{ storage: memory(), use: readOnly() }, /"use" must be a list of decorators/],
    [{ storage: memory(), use: [{}] }, /"use" must be a list of decorators/],
  ])('says at once what is wrong with %o', (options, message) => {
    expect(() => new Registry(options as unknown as RegistryOptions)).toThrow(message)
  })
})
