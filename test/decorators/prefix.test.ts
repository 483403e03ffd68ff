import { describe, expect, it } from 'vitest'
import { prefix } from '../../src/decorators/prefix.ts'
import { bytes, collect, pushImage } from '../support/images.ts'
import { decorated, expectRefusal } from './support.ts'

async function* names(...all: string[]): AsyncGenerator<string> {
  yield* all
}

describe('prefix', () => {
  it('keeps under the prefix what is pushed without', async () => {
    const { plain, backend } = decorated(prefix('team/'))
    const app = backend.repository('a/b')
    expect(app.name).toBe('a/b')
    const { digest } = await pushImage(app, ['one'], { tags: ['v1'] })
    expect(await plain.repository('team/a/b').tags.resolve('v1')).toBe(digest)
    expect(await collect(app.tags.list())).toEqual(['v1'])
    await app.delete()
    expect(await collect(plain.repositories())).toEqual([])
  })

  it.each(['team', 'team/', 'a/b', 'a/b/'])('takes %j', async (path) => {
    const { plain, backend } = decorated(prefix(path))
    await pushImage(backend.repository('app'), [])
    expect(await collect(plain.repositories())).toEqual([`${path.replace(/\/$/, '')}/app`])
  })

  it.each(['', '/', '//', 'Team/', 'team//', '/team', '../', 'a/../b/'])('refuses the prefix %j', (path) => {
    expect(() => prefix(path)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }))
  })

  it.each(['', '/', '/app', 'app/', '../app', '..', 'a/../../b', 'App', '-app'])('refuses the name %j', (name) => {
    const { backend } = decorated(prefix('team/'))
    expect(() => backend.repository(name)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }))
  })

  it('refuses a name that is too long with the prefix', () => {
    const { backend } = decorated(prefix('team/'))
    expect(backend.repository('a'.repeat(250)).name).toHaveLength(250)
    expect(() => backend.repository('a'.repeat(251))).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }))
  })

  it('lists what lies under the prefix, in order and from where it is asked to', async () => {
    const { plain, backend } = decorated(prefix('team/'))
    const all = [
      'a',
      'tea',
      'team',
      'team-x',
      'team-x/a',
      'team.x',
      'team/a',
      'team/a-b',
      'team/a/b',
      'team/z',
      'team0',
      'z',
    ]
    for (const name of all) await pushImage(plain.repository(name), [])
    expect(await collect(backend.repositories())).toEqual(['a', 'a-b', 'a/b', 'z'])
    expect(await collect(backend.repositories({ after: 'a' }))).toEqual(['a-b', 'a/b', 'z'])
    expect(await collect(backend.repositories({ after: 'a/b' }))).toEqual(['z'])
    expect(await collect(backend.repositories({ after: 'z' }))).toEqual([])
    expect(await collect(backend.repositories({ after: 'zz' }))).toEqual([])
  })

  it('lists repositories that hold blobs only where it is asked for them', async () => {
    const { backend } = decorated(prefix('team/'))
    await backend.repository('blobs').blobs.put(bytes('x'))
    expect(await collect(backend.repositories())).toEqual([])
    expect(await collect(backend.repositories({ withBlobsOnly: true }))).toEqual(['blobs'])
  })

  it('mounts from under the prefix only', async () => {
    const { plain, backend } = decorated(prefix('team/'))
    const outside = await plain.repository('other').blobs.put(bytes('outside'))
    const inside = await plain.repository('team/other').blobs.put(bytes('inside'))
    const { blobs } = backend.repository('app')
    for (const from of ['other', '../other', '/other', '', 'team/other']) {
      await expectRefusal(blobs.mount(outside.digest, from), 'BLOB_UNKNOWN')
      await expectRefusal(blobs.mount(outside.digest, names(from)), 'BLOB_UNKNOWN')
    }
    expect((await blobs.mount(inside.digest, 'other')).digest).toBe(inside.digest)
    expect((await blobs.mount(inside.digest, names('nothing', 'other'))).digest).toBe(inside.digest)
  })

  it('does not tell the prefix in an error', async () => {
    const { backend } = decorated(prefix('team/'))
    const { tags, ...app } = backend.repository('app')
    await expect(collect(tags.list())).rejects.toMatchObject({ code: 'NAME_UNKNOWN', detail: { name: 'app' } })
    await expect(app.delete()).rejects.toMatchObject({ code: 'NAME_UNKNOWN', detail: { name: 'app' } })
  })
})
