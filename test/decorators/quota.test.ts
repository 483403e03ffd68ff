import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decorate, type Repository } from '../../src/backend.ts'
import { type QuotaOptions, quota } from '../../src/decorators/quota.ts'
import { RegistryError } from '../../src/errors.ts'
import { Registry } from '../../src/registry.ts'
import { type Digest, digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { client, newRegistry } from '../http/support.ts'
import { bytes, collect, descriptorOf, readBlob } from '../support/images.ts'
import { blob, held, INDEX, limited, manifest } from './quota-support.ts'
import { expectRefusal } from './support.ts'

const ALPHABET = [...'abcdefghijklmnop']

async function* chunks(...all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* all
}

describe('quota', () => {
  it('refuses a blob that does not fit, and says by how much', async () => {
    const { app, other } = limited()
    await app.blobs.put(blob('a', 900))
    await expect(app.blobs.put(blob('b', 101))).rejects.toMatchObject({
      code: 'DENIED',
      status: 403,
      message: 'quota exceeded: the repository app may hold 1000 bytes, holds 900, and was sent 101',
      detail: { limit: 1000, used: 900, requested: 101 },
    })
    await app.blobs.put(blob('b', 100))
    await other.blobs.put(blob('b', 10_000))
    expect(await held(app)).toBe(1000)
  })

  it('counts manifests, what is there before it, and each digest once', async () => {
    const { plain, app } = limited()
    await plain.repository('app').blobs.put(blob('a', 600))
    await plain.repository('app').manifests.put(manifest('x'), INDEX)
    await app.manifests.put(manifest('y'), INDEX)
    await expectRefusal(app.manifests.put(manifest('z'), INDEX), 'DENIED', 403)
    expect(await held(app)).toBe(1000)
  })

  it('lets in what is there already, also where nothing is left', async () => {
    const { app, other } = limited()
    const content = manifest('x')
    const a = blob('a', 1000 - content.byteLength)
    await app.blobs.put(a)
    const { digest } = await app.manifests.put(content, INDEX)
    await other.blobs.put(a)
    expect(await app.blobs.put(a, { digest: digestOf(a), size: a.byteLength })).toMatchObject({ size: a.byteLength })
    expect(await app.blobs.mount(digestOf(a), 'other')).toMatchObject({ digest: digestOf(a) })
    await app.manifests.put(content, { ...INDEX, tags: ['v1'] })
    await app.tags.set('v2', digest)
    expect(await collect(app.tags.list())).toEqual(['v1', 'v2'])
    expect(await readBlob(app, digestOf(a))).toHaveLength(a.byteLength)
  })

  it.each(['one', 'any'])('counts what is mounted from %s repository', async (from) => {
    const { app, other } = limited()
    const a = await other.blobs.put(blob('a', 600))
    const b = await other.blobs.put(blob('b', 600))
    const source = () => (from === 'one' ? 'other' : names('nothing/here', 'other'))
    await app.blobs.mount(a.digest, source())
    await expectRefusal(app.blobs.mount(b.digest, source()), 'DENIED', 403)
    await expectRefusal(app.blobs.mount(digestOf(bytes('c')), source()), 'BLOB_UNKNOWN')
    expect(await collect(app.blobs.list())).toEqual([a.digest])
  })

  it.each<[string, (app: Repository, digest: Digest, manifest: Digest) => Promise<unknown>, number]>([
    ['a blob', ({ blobs }, digest) => blobs.delete(digest), 500],
    ['a manifest', ({ manifests }, _, digest) => manifests.delete(digest), 200],
    ['the repository', (app) => app.delete(), 1000],
  ])('has room again where %s was deleted', async (_, remove, room) => {
    const { app } = limited()
    const a = await app.blobs.put(blob('a', 500))
    await app.blobs.put(blob('b', 300))
    const { digest } = await app.manifests.put(manifest('x'), INDEX)
    await expectRefusal(app.blobs.put(blob('c', 1)), 'DENIED')
    await remove(app, a.digest, digest)
    await expectRefusal(app.blobs.put(blob('d', room + 1)), 'DENIED')
    await app.blobs.put(blob('d', room))
  })

  it('limits what lies below a prefix together, and nothing beside it', async () => {
    const { backend } = limited({ limits: [{ prefix: 'team/', maxBytes: 1000 }] })
    const put = (name: string, size: number) => backend.repository(name).blobs.put(blob(name, size))
    await put('team/a', 400)
    await put('team/b/c', 400)
    await put('team-x/a', 5000)
    await put('team', 5000)
    await put('teams/a', 5000)
    await expect(put('team/d', 201)).rejects.toMatchObject({
      message: 'quota exceeded: what lies below team/ may hold 1000 bytes, holds 800, and was sent 201',
    })
    await put('team/d', 200)
  })

  it('holds a repository to all limits that match it', async () => {
    const { backend } = limited({
      limits: [
        { prefix: 'team/', maxBytes: 1000 },
        { repository: ['team/*', 'x'], maxBytes: 600 },
        { repository: (name) => name === 'team/small', maxBytes: 100 },
      ],
    })
    const put = (name: string, size: number) => backend.repository(name).blobs.put(blob(name, size))
    await expectRefusal(put('team/small', 101), 'DENIED')
    await expectRefusal(put('team/a', 601), 'DENIED')
    await put('team/a', 600)
    await expectRefusal(put('team/b', 401), 'DENIED')
    await put('team/b', 400)
    await expectRefusal(put('team/small', 1), 'DENIED')
  })

  it('counts an upload once, however many limits are for its repository', async () => {
    const limits = [1000, 400, 600].map((maxBytes) => ({ repository: 'app', maxBytes }))
    const { app } = limited({ limits })
    const content = blob('a', 400)
    const upload = await app.blobs.startUpload()
    await upload.append(content.subarray(0, 200))
    await upload.append(content.subarray(200))
    await upload.commit(digestOf(content))
    await expectRefusal(app.blobs.put(blob('b', 1)), 'DENIED')
    expect(await held(app)).toBe(400)
  })

  it('asks a function, with who it is that pushes', async () => {
    const asked: unknown[] = []
    const { app } = limited({
      limits: async (repository, { actor }) => {
        asked.push([repository, actor])
        return [{ repository: '**', maxBytes: actor === 'alice' ? 1000 : 10 }]
      },
    })
    await app.blobs.put(blob('a', 500), { actor: 'alice' })
    await expectRefusal(app.blobs.put(blob('b', 5), { actor: 'bob' }), 'DENIED')
    expect(asked).toEqual([
      ['app', 'alice'],
      ['app', 'bob'],
    ])
  })

  it('stores nothing where limits cannot be told', async () => {
    const { app } = limited({ limits: () => Promise.reject(new Error('the database is down')) })
    await expect(app.blobs.put(bytes('a'))).rejects.toThrow('the database is down')
    await expect(app.blobs.startUpload()).rejects.toThrow('the database is down')
    expect(await collect(app.blobs.list())).toEqual([])
  })

  it('stores nothing where it cannot count, and serves what is there', async () => {
    const plain = newRegistry()
    const { digest } = await plain.repository('app').blobs.put(bytes('a'))
    const uncountable = decorate(plain, {
      blobs: (inner) =>
        new Proxy(inner, {
          get: (target, key) => {
            if (key === 'list') return () => failing(new RegistryError('UNAVAILABLE'))
            const value: unknown = Reflect.get(target, key, target)
            return typeof value === 'function' ? value.bind(target) : value
          },
        }),
    })
    const app = quota({ limits: [{ repository: '**', maxBytes: 1000 }] })(uncountable).repository('app')
    await expectRefusal(app.blobs.put(bytes('b')), 'UNAVAILABLE')
    await expectRefusal(app.blobs.mount(digest, 'other'), 'UNAVAILABLE')
    await expectRefusal(app.blobs.startUpload(), 'UNAVAILABLE')
    await expectRefusal(app.manifests.put(manifest('x'), INDEX), 'UNAVAILABLE')
    expect(await readBlob(app, digest)).toBe('a')
  })
})

describe('quota of uploads', () => {
  it('refuses to begin one where nothing is left, or less than is announced', async () => {
    const { app } = limited()
    await app.blobs.put(blob('a', 900))
    await expectRefusal(app.blobs.startUpload({ size: 101 }), 'DENIED', 403)
    const upload = await app.blobs.startUpload({ size: 100 })
    await expectRefusal(app.blobs.startUpload(), 'DENIED', 403)
    await upload.cancel()
    await (await app.blobs.startUpload()).cancel()
  })

  it('ends one that does not fit, before it is read where its size is known', async () => {
    const { app } = limited()
    const upload = await app.blobs.startUpload()
    await upload.append(blob('a', 600))
    let isRead = false
    async function* more() {
      isRead = true
      yield blob('b', 401)
    }
    await expect(upload.append(more(), { size: 401 })).rejects.toMatchObject({
      detail: { limit: 1000, used: 0, requested: 1001 },
    })
    expect(isRead).toBe(false)
    await expectRefusal(app.blobs.resumeUpload(upload.id), 'BLOB_UPLOAD_UNKNOWN')
    await app.blobs.put(blob('c', 1000))
  })

  it.each(['append', 'commit', 'put'])('reads no further than there is room for with %s', async (step) => {
    const { app } = limited()
    let sent = 0
    async function* endless() {
      for (;;) {
        sent += 300
        yield blob('a', 300)
      }
    }
    const digest = digestOf(bytes('x'))
    if (step === 'put') await expectRefusal(app.blobs.put(endless()), 'DENIED')
    else {
      const upload = await app.blobs.startUpload()
      await expectRefusal(
        step === 'append' ? upload.append(endless()) : upload.commit(digest, { last: endless() }),
        'DENIED',
      )
      await expectRefusal(app.blobs.resumeUpload(upload.id), 'BLOB_UPLOAD_UNKNOWN')
    }
    expect(sent).toBe(1200)
    await app.blobs.put(blob('c', 1000))
  })

  it('counts one across its requests, and not after it has ended', async () => {
    const { app } = limited()
    const content = blob('a', 900)
    const { id } = await app.blobs.startUpload()
    await (await app.blobs.resumeUpload(id)).append(content.subarray(0, 500))
    await (await app.blobs.resumeUpload(id)).append(content.subarray(500))
    await expectRefusal(app.blobs.put(blob('b', 101)), 'DENIED')
    await (await app.blobs.resumeUpload(id)).commit(digestOf(content))
    await app.blobs.put(blob('b', 100))
    expect(await held(app)).toBe(1000)
  })

  it.each(['a wrong digest', 'cancelling'])('has its room again after %s', async (how) => {
    const { app } = limited()
    const upload = await app.blobs.startUpload()
    await upload.append(blob('a', 900))
    if (how === 'cancelling') await upload.cancel()
    else await expectRefusal(upload.commit(digestOf(bytes('another'))), 'DIGEST_INVALID')
    await app.blobs.put(blob('b', 1000))
  })

  it('has its room again after an hour in which nobody came', async () => {
    const { app, pass } = limited()
    const { id } = await app.blobs.startUpload({ size: 900 })
    pass(60 * 60 * 1000)
    const late = await app.blobs.startUpload({ size: 1000 })
    await expectRefusal((await app.blobs.resumeUpload(id)).append(blob('a', 900)), 'DENIED')
    await late.commit(digestOf(blob('b', 1000)), { last: blob('b', 1000) })
  })

  it('holds an upload of another process to it as well, when it is published', async () => {
    const { plain, app } = limited()
    const content = blob('a', 1001)
    const { id } = await plain.repository('app').blobs.startUpload()
    await (await plain.repository('app').blobs.resumeUpload(id)).append(content)
    await expectRefusal((await app.blobs.resumeUpload(id)).commit(digestOf(content)), 'DENIED', 403)
    expect(await collect(app.blobs.list())).toEqual([])
  })

  it('lets as many through at once as fit, where their sizes are known', async () => {
    const { app } = limited()
    const results = await Promise.allSettled(ALPHABET.map((name) => app.blobs.put(blob(name, 150))))
    const refused = results.filter((result) => result.status === 'rejected')
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'DENIED', status: 403 })
    expect(results.length - refused.length).toBe(6)
    expect(await held(app)).toBe(900)
  })

  it('lets no more through at once than fit, where nobody knows how much will come', async () => {
    const { app } = limited()
    const push = async (name: string) => {
      const content = blob(name, 150)
      const upload = await app.blobs.startUpload()
      await upload.append(chunks(content.subarray(0, 75), content.subarray(75)))
      await upload.commit(digestOf(content))
    }
    const results = await Promise.allSettled(ALPHABET.map(push))
    const refused = results.filter((result) => result.status === 'rejected')
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'DENIED', status: 403 })
    expect(await held(app)).toBe(150 * (results.length - refused.length))
    expect(await held(app)).toBeLessThanOrEqual(1000)
    await app.blobs.put(blob('z', 1000 - (await held(app))))
  })
})

describe('quota and other processes', () => {
  it('sees what they push at the next count', async () => {
    const { plain, app, pass } = limited({ recountMs: 1000 })
    await app.blobs.put(blob('a', 100))
    await plain.repository('app').blobs.put(blob('b', 800))
    pass(999)
    await app.blobs.put(blob('c', 200))
    pass(1001)
    await expectRefusal(app.blobs.put(blob('d', 1)), 'DENIED')
  })

  it('counts again before it refuses, as they may have deleted something', async () => {
    const { plain, app } = limited()
    const { digest } = await app.blobs.put(blob('a', 1000))
    await plain.repository('app').blobs.delete(digest)
    await app.blobs.put(blob('b', 1000))
    await expectRefusal(app.blobs.put(blob('c', 1)), 'DENIED')
  })
})

describe('quota over HTTP', () => {
  const registry = () => {
    const inner = newRegistry()
    const backend = quota({ limits: [{ repository: 'app', maxBytes: 1000 }] })
    return client({}, new Registry({ backend: inner, use: [backend] }))
  }
  const error = (used: number, requested: number) => ({
    code: 'DENIED',
    message: `quota exceeded: the repository app may hold 1000 bytes, holds ${used}, and was sent ${requested}`,
    detail: { limit: 1000, used, requested },
  })

  it('answers a blob in one request without reading it', async () => {
    const { send } = registry()
    let isRead = false
    async function* body() {
      isRead = true
      yield blob('a', 1001)
    }
    const digest = digestOf(blob('a', 1001))
    const headers = { 'content-length': '1001' }
    const answer = await send('POST', `/v2/app/blobs/uploads/?digest=${digest}`, { headers, body: body() })
    expect([answer.status, answer.error]).toEqual([403, error(0, 1001)])
    expect(isRead).toBe(false)
    expect((await send('HEAD', `/v2/app/blobs/${digest}`)).status).toBe(404)
  })

  it('ends an upload whose next chunk does not fit', async () => {
    const { send } = registry()
    const { status, headers } = await send('POST', '/v2/app/blobs/uploads/')
    expect(status).toBe(202)
    const location = String(headers.location)
    expect((await send('PATCH', location, { body: blob('a', 600) })).status).toBe(202)
    const answer = await send('PATCH', location, { body: blob('b', 500) })
    expect([answer.status, answer.error]).toEqual([403, error(0, 1100)])
    expect((await send('GET', location)).status).toBe(404)
    const fits = blob('c', 1000)
    expect((await send('POST', `/v2/app/blobs/uploads/?digest=${digestOf(fits)}`, { body: fits })).status).toBe(201)
    const full = await send('POST', '/v2/app/blobs/uploads/')
    expect([full.status, full.error]).toEqual([403, error(1000, 1)])
    const put = await send('PUT', '/v2/app/manifests/v1', {
      headers: { 'content-type': MEDIA_TYPES.ociIndex },
      body: manifest('x'),
    })
    expect([put.status, put.error]).toEqual([403, error(1000, 200)])
  })
})

describe('quota as a property', () => {
  const size = fc.integer({ min: 1, max: 400 })
  const name = fc.constantFrom('a', 'b', 'c')
  const operation = fc.oneof(
    fc.record({ kind: fc.constantFrom('put', 'stream', 'upload', 'mount'), name, size }),
    fc.record({ kind: fc.constantFrom('delete', 'manifest', 'deleteManifest'), name, size: fc.constant(0) }),
  )

  it('holds at any time what a model holds, and never more than it may', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 25 }), async (operations) => {
        const { plain, app } = limited()
        const model = new Map<Digest, number>()
        const total = () => [...model.values()].reduce((sum, bytes) => sum + bytes, 0)
        const known: Digest[] = []
        for (const { kind, name, size } of operations) {
          const isManifest = kind.endsWith('anifest')
          const content = isManifest ? manifest(name) : blob(name, size)
          const { digest } = descriptorOf(content)
          const fits = total() + content.byteLength <= 1000
          let expected = fits || model.has(digest)
          let push: (() => Promise<unknown>) | undefined
          if (kind === 'put') push = () => app.blobs.put(content, { digest })
          else if (kind === 'manifest') push = () => app.manifests.put(content, INDEX)
          else if (kind === 'mount') {
            await plain.repository('other').blobs.put(content)
            push = () => app.blobs.mount(digest, 'other')
          } else if (kind === 'stream' || kind === 'upload') {
            expected = fits && total() < 1000
            push =
              kind === 'stream'
                ? () => app.blobs.put(chunks(content))
                : async () => {
                    const upload = await app.blobs.startUpload()
                    await upload.append(content)
                    await upload.commit(digest)
                  }
          }
          if (push !== undefined) {
            const result = await push().then(
              () => 'stored',
              (reason: RegistryError) => reason.code,
            )
            expect([kind, result]).toEqual([kind, expected ? 'stored' : 'DENIED'])
            if (expected) model.set(digest, content.byteLength)
            if (expected && !isManifest) known.push(digest)
          } else if (kind === 'delete') {
            const gone = known.pop()
            if (gone !== undefined && model.delete(gone)) await app.blobs.delete(gone)
          } else if (model.delete(digest)) await app.manifests.delete(digest)
          expect(await held(app)).toBe(total())
          expect(total()).toBeLessThanOrEqual(1000)
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe('quota()', () => {
  it.each<[object, string]>([
    [{}, "quota() needs limits, [{ repository: 'team/*', maxBytes: 10e9 }] say, not undefined"],
    [{ limits: [], recount: 1 }, 'quota() has no option "recount": did you mean "recountMs"?'],
    [{ limits: [], recountMs: -1 }, 'the option "recountMs"'],
    [{ limits: [{ maxBytes: 1 }] }, 'a limit of quota() is for a "repository" or for a "prefix", and not for both'],
    [
      { limits: [{ repository: 'a', prefix: 'a/', maxBytes: 1 }] },
      'a limit of quota() is for a "repository" or for a "prefix", and not for both',
    ],
    [{ limits: [{ repository: 'a' }] }, 'the "maxBytes" of a limit must be a number of bytes, 10e9 say, not undefined'],
    [{ limits: [{ repository: 'a', maxBytes: '10G' }] }, 'the "maxBytes" of a limit must be a number of bytes'],
    [{ limits: [{ prefix: 'team', maxBytes: 1 }] }, 'the "prefix" of a limit must be the beginning of names'],
    [{ limits: [{ prefix: 'team/*/', maxBytes: 1 }] }, 'and no pattern'],
    [{ limits: [{ prefix: 'Team/', maxBytes: 1 }] }, 'and no pattern'],
    [{ limits: [{ prefix: 'team//', maxBytes: 1 }] }, 'and no pattern'],
    [{ limits: [{ repo: 'a', maxBytes: 1 }] }, 'a limit of quota() has no option "repo"'],
    [{ limits: [{ repository: 1, maxBytes: 1 }] }, "expected a pattern such as 'v*'"],
  ])('refuses %j', (options, message) => {
    expect(() => quota(options as QuotaOptions)).toThrow(TypeError)
    expect(() => quota(options as QuotaOptions)).toThrow(message)
  })
})

async function* names(...all: readonly string[]): AsyncGenerator<string> {
  yield* all
}

// biome-ignore lint/correctness/useYield: it fails before it lists anything
async function* failing(error: unknown): AsyncGenerator<never> {
  throw error
}
