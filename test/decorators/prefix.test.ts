import { describe, expect, it } from 'vitest'
import { type Backend, decorate } from '../../src/backend.ts'
import { prefix } from '../../src/decorators/prefix.ts'
import { select } from '../../src/decorators/select.ts'
import { type ErrorCode, RegistryError } from '../../src/errors.ts'
import type { RegistryEvent } from '../../src/events.ts'
import { Registry } from '../../src/registry.ts'
import { digestOf } from '../../src/spec/digest.ts'
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

  it('says how long a name may be, and names it as it was given', () => {
    const { backend } = decorated(prefix('team/'))
    const name = 'a'.repeat(251)
    expect(() => backend.repository(name)).toThrow(
      expect.objectContaining({ message: 'not a repository name: at most 250 characters here', detail: { name } }),
    )
  })

  it('names repositories as the caller does, in events', async () => {
    const { plain } = decorated(prefix('team/'))
    await using registry = new Registry({ backend: plain, use: [prefix('team/')] })
    const events: RegistryEvent[] = []
    registry
      .on('blob.pushed', (event) => void events.push(event))
      .on('blob.mounted', (event) => void events.push(event))
    const { digest } = await registry.repository('app').blobs.put(bytes('x'))
    await registry.repository('other').blobs.mount(digest, 'app')
    await new Promise((resolve) => setImmediate(resolve))
    expect(events).toMatchObject([{ repository: 'app' }, { repository: 'other', from: 'app' }])
  })

  it('does not tell the prefix in an error', async () => {
    const { backend } = decorated(prefix('team/'))
    const { tags, ...app } = backend.repository('app')
    await expect(collect(tags.list())).rejects.toMatchObject({ code: 'NAME_UNKNOWN', detail: { name: 'app' } })
    await expect(app.delete()).rejects.toMatchObject({ code: 'NAME_UNKNOWN', detail: { name: 'app' } })
  })

  it('does not tell the prefix in a refusal of what it wraps', async () => {
    const { plain } = decorated(prefix('team/'))
    const { blobs } = prefix('team/')(select('other/**')(plain)).repository('app')
    await expect(blobs.startUpload()).rejects.toMatchObject({ code: 'DENIED', detail: { name: 'app' } })
  })

  describe('over a backend that names repositories in its errors', () => {
    /** Every operation fails, or every upload that it starts. */
    function failing(message: string, detail: unknown, code: ErrorCode = 'DENIED'): Backend {
      const fail = () =>
        Promise.reject<never>(new RegistryError(code, { status: 418, message, detail, headers: { a: 'b' } }))
      const list = async function* (): AsyncGenerator<never> {
        yield await fail()
      }
      const { plain } = decorated(prefix('team/'))
      return decorate(plain, {
        repository: (repository) => ({ ...repository, delete: fail }),
        manifests: () => ({ stat: fail, get: fail, put: fail, delete: fail, list, referrers: list }),
        tags: () => ({ resolve: fail, set: fail, delete: fail, list }),
        blobs: (blobs) => ({
          stat: fail,
          open: fail,
          resumeUpload: fail,
          delete: fail,
          locate: fail,
          mount: fail,
          put: fail,
          list,
          startUpload: async () => {
            const { id, offset, startedAt, cancel } = await blobs.startUpload()
            return { id, offset, startedAt, cancel, append: fail, commit: fail, [Symbol.asyncDispose]: () => cancel() }
          },
        }),
      })
    }

    const digest = digestOf(bytes('x'))

    it.each([
      ['repository.delete', (app) => app.delete()],
      ['blobs.stat', ({ blobs }) => blobs.stat(digest)],
      ['blobs.put', ({ blobs }) => blobs.put(bytes('x'))],
      ['blobs.mount', ({ blobs }) => blobs.mount(digest, 'other')],
      ['blobs.mount of any', ({ blobs }) => blobs.mount(digest, names('other'))],
      ['blobs.list', ({ blobs }) => collect(blobs.list())],
      ['upload.append', async ({ blobs }) => (await blobs.startUpload()).append(bytes('x'))],
      ['upload.commit', async ({ blobs }) => (await blobs.startUpload()).commit(digest)],
      ['manifests.get', ({ manifests }) => manifests.get('v1')],
      ['manifests.put', ({ manifests }) => manifests.put(bytes('x'), { mediaType: 'a/b' })],
      ['manifests.referrers', ({ manifests }) => collect(manifests.referrers(digest))],
      ['tags.set', ({ tags }) => tags.set('v1', digest)],
      ['tags.list', ({ tags }) => collect(tags.list())],
    ] satisfies [string, (app: ReturnType<Backend['repository']>) => Promise<unknown>][])(
      'names them as the caller does: %s',
      async (_, operation) => {
        const inner = failing('no team/app here', { name: 'team/app', more: [{ of: 'team/app' }, 1], tag: 'app' })
        await expect(operation(prefix('team/')(inner).repository('app'))).rejects.toMatchObject({
          code: 'DENIED',
          status: 418,
          message: 'no app here',
          detail: { name: 'app', more: [{ of: 'app' }, 1], tag: 'app' },
          headers: { a: 'b' },
        })
      },
    )

    it('names the source of a mount as the caller does', async () => {
      const { blobs } = prefix('team/')(failing('team/other is closed', { from: 'team/other' })).repository('app')
      await expect(blobs.mount(digest, 'other')).rejects.toMatchObject({
        message: 'other is closed',
        detail: { from: 'other' },
      })
    })

    it.each([
      ['team/app: closed', 'app: closed'],
      ['it is team/app.', 'it is app.'],
      ['"team/app" and team/app', '"app" and app'],
      ['team/apple, team/app.b and team/app/b', 'team/apple, team/app.b and team/app/b'],
      ['https://example.com/team/app', 'https://example.com/team/app'],
      ['a-team/app', 'a-team/app'],
    ])('reads %j as %j', async (message, expected) => {
      const { tags } = prefix('team/')(failing(message, undefined)).repository('app')
      await expect(tags.resolve('v1')).rejects.toMatchObject({ message: expected })
    })

    it('translates what is thrown for the name itself', () => {
      const { plain } = decorated(prefix('team/'))
      const inner: Backend = {
        repository: (name) => {
          throw new RegistryError('NAME_INVALID', { message: `not here: ${name}`, detail: { name } })
        },
        repositories: (options) => plain.repositories(options),
      }
      expect(() => prefix('team/')(inner).repository('app')).toThrow(
        expect.objectContaining({ code: 'NAME_INVALID', message: 'not here: app', detail: { name: 'app' } }),
      )
    })

    it('leaves other errors as they are', async () => {
      const error = new Error('team/app')
      const { plain } = decorated(prefix('team/'))
      const inner = decorate(plain, {
        repository: (repository) => ({ ...repository, delete: () => Promise.reject(error) }),
      })
      await expect(prefix('team/')(inner).repository('app').delete()).rejects.toBe(error)
    })
  })
})
