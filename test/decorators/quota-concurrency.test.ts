import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Backend, decorate, type Upload } from '../../src/backend.ts'
import { expose } from '../../src/decorators/expose.ts'
import { quota } from '../../src/decorators/quota.ts'
import { memory } from '../../src/drivers/memory.ts'
import { RegistryError } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { client, newRegistry } from '../http/support.ts'
import { collect } from '../support/images.ts'
import { withResolvers } from '../support/with-resolvers.ts'
import { blob, held, INDEX, limited, manifest } from './quota-support.ts'
import { expectRefusal } from './support.ts'

const HOUR_MS = 60 * 60 * 1000

/** Content whose second half comes when it is let through; `begun` once the first half was taken. */
function halved(content: Uint8Array) {
  const { promise: released, resolve: release } = withResolvers()
  const { promise: begun, resolve: begin } = withResolvers()
  const half = content.byteLength / 2
  async function* halves() {
    yield content.subarray(0, half)
    begin()
    await released
    yield content.subarray(half)
  }
  return { source: halves(), begun, release }
}

/** Whether exactly so many bytes still go in. */
async function expectRoom(app: ReturnType<typeof limited>['app'], bytes: number): Promise<void> {
  await expectRefusal(app.blobs.put(blob('probe', bytes + 1)), 'DENIED', 403)
  const { digest } = await app.blobs.put(blob('probe', bytes))
  await app.blobs.delete(digest)
}

/** The manifests and blobs of a backend are listed when they may be. */
function gated(backend: Backend) {
  let listing: Promise<void> | undefined
  let listed = 0
  return {
    backend: decorate(backend, {
      blobs: (blobs) =>
        expose(blobs, ['stat', 'open', 'locate', 'put', 'mount', 'delete', 'startUpload', 'resumeUpload'], {
          async *list(options) {
            listed++
            await listing
            yield* blobs.list(options)
          },
        }),
    }),
    hold: () => {
      let go: () => void = () => {}
      listing = new Promise((resolve) => {
        go = resolve
      })
      return () => {
        listing = undefined
        go()
      }
    },
    fail: (error: unknown) => {
      listing = error === undefined ? undefined : Promise.reject(error)
      listing?.catch(() => {})
    },
    listed: () => listed,
  }
}

describe('quota while an upload runs', () => {
  it.each(['cancelled', 'gone with its repository'])('has all its room again where it is %s meanwhile', async (how) => {
    const { app } = limited()
    const { id } = await app.blobs.startUpload()
    const { source, begun, release } = halved(blob('a', 600))
    const running = expectRefusal((await app.blobs.resumeUpload(id)).append(source), 'BLOB_UPLOAD_UNKNOWN')
    await begun
    if (how === 'cancelled') await (await app.blobs.resumeUpload(id)).cancel()
    else await app.delete()
    release()
    await running
    await expectRoom(app, 1000)
  })

  it('gives its room back where its repository is deleted', async () => {
    const { app } = limited()
    const upload = await app.blobs.startUpload({ size: 900 })
    await app.delete()
    await expectRoom(app, 1000)
    await expectRefusal(upload.append(blob('a', 900)), 'BLOB_UPLOAD_UNKNOWN')
    await expectRoom(app, 1000)
  })

  it('keeps its room for longer than an hour, and once', async () => {
    const { app, pass } = limited()
    const content = blob('a', 600)
    const { id } = await app.blobs.startUpload()
    const { source, begun, release } = halved(content)
    const running = (await app.blobs.resumeUpload(id)).append(source)
    await begun
    pass(2 * HOUR_MS)
    await app.blobs.put(blob('b', 100))
    release()
    await running
    await (await app.blobs.resumeUpload(id)).commit(digestOf(content))
    await expectRoom(app, 300)
  })

  it.each(['append', 'commit'])('has no room left for what a broken-off %s did not bring', async (step) => {
    const { app } = limited()
    const content = blob('a', 600)
    const upload = await app.blobs.startUpload()
    await upload.append(content.subarray(0, 10))
    async function* broken() {
      yield content.subarray(10, 20)
      throw new Error('the connection broke')
    }
    const size = 590
    const running =
      step === 'append' ? upload.append(broken(), { size }) : upload.commit(digestOf(content), { last: broken(), size })
    await expect(running).rejects.toThrow('the connection broke')
    await expectRoom(app, 1000 - upload.offset)
  })

  it('lets a client that was broken off push the whole once more', async () => {
    const { send } = client(
      {},
      new Registry({ backend: newRegistry(), use: [quota({ limits: [{ repository: 'app', maxBytes: 1000 }] })] }),
    )
    const content = blob('a', 600)
    async function* broken() {
      yield content.subarray(0, 10)
      throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
    }
    const push = async (body: AsyncIterable<Uint8Array> | Uint8Array) => {
      const { headers } = await send('POST', '/v2/app/blobs/uploads/')
      const target = new URL(String(headers.location), 'http://registry.test')
      target.searchParams.set('digest', digestOf(content))
      return send('PUT', target.pathname + target.search, { headers: { 'content-length': '600' }, body })
    }
    expect((await push(broken())).status).not.toBe(201)
    expect((await push(content)).status).toBe(201)
  })

  it('has no room left for a second request that was refused', async () => {
    const { app } = limited()
    const { id } = await app.blobs.startUpload()
    const { source, begun, release } = halved(blob('a', 20))
    const running = (await app.blobs.resumeUpload(id)).append(source)
    await begun
    await expectRefusal(
      (await app.blobs.resumeUpload(id)).append(chunks(blob('b', 800)), { size: 800 }),
      'RANGE_INVALID',
    )
    release()
    await running
    await expectRoom(app, 980)
  })

  it('keeps the room that was announced from request to request', async () => {
    const { app } = limited()
    const { id } = await app.blobs.startUpload({ size: 900 })
    await (await app.blobs.resumeUpload(id)).append(blob('a', 20))
    await expectRoom(app, 100)
  })

  it('publishes what fits exactly, although nobody says that no more comes', async () => {
    const { app } = limited()
    const content = blob('a', 1000)
    const upload = await app.blobs.startUpload()
    await upload.append(content)
    await upload.commit(digestOf(content), { last: chunks() })
    expect(await held(app)).toBe(1000)
  })

  it('leaves it alone where a second request of it does not fit', async () => {
    const { app } = limited()
    const content = blob('a', 600)
    const { id } = await app.blobs.startUpload()
    const { source, begun, release } = halved(content)
    const running = (await app.blobs.resumeUpload(id)).append(source)
    await begun
    await expectRefusal((await app.blobs.resumeUpload(id)).append(blob('b', 1001)), 'DENIED')
    release()
    await running
    await (await app.blobs.resumeUpload(id)).commit(digestOf(content))
    await expectRoom(app, 400)
  })

  it('says of bytes for another place what is wrong with them, and keeps the upload', async () => {
    const { app } = limited()
    const upload = await app.blobs.startUpload()
    await expectRefusal(upload.append(blob('a', 1900), { at: 5 }), 'RANGE_INVALID')
    await upload.append(blob('a', 100))
    await expectRoom(app, 900)
  })
})

describe('quota of what is pushed again', () => {
  it('holds however much is deleted while it is', async () => {
    const { app } = limited()
    const content = blob('a', 1000)
    const { digest } = await app.blobs.put(content)
    const { source, begun, release } = halved(content)
    const again = app.blobs.put(source, { digest, size: 1000 })
    await begun
    await app.blobs.delete(digest)
    await expectRefusal(app.blobs.put(blob('b', 1000)), 'DENIED')
    release()
    await again
    expect(await held(app)).toBe(1000)
    await expectRefusal(app.blobs.put(blob('b', 1)), 'DENIED')
  })

  it.each([undefined, 100_000])('takes no more of it than there is, where %s bytes are announced', async (size) => {
    const { app } = limited()
    const { digest } = await app.blobs.put(blob('a', 1000))
    let sent = 0
    async function* endless() {
      for (;;) {
        sent += 500
        yield blob('b', 500)
      }
    }
    await expectRefusal(app.blobs.put(endless(), { digest, ...(size !== undefined && { size }) }), 'DENIED')
    expect(sent).toBe(size === undefined ? 1500 : 0)
  })

  it('lets it in whole, although nobody says what it is', async () => {
    const { app } = limited()
    const content = blob('a', 1000)
    await app.blobs.put(content)
    expect(await app.blobs.put(content)).toMatchObject({ digest: digestOf(content) })
    await expectRefusal(app.blobs.put(chunks(content)), 'DENIED')
  })

  it('counts what a push has stored that failed all the same', async () => {
    const { app } = limited()
    const race = (round: number) =>
      Promise.allSettled(
        ['a', 'b', 'c', 'd'].map((name) =>
          app.manifests.put(manifest(`${name}${round}`), { ...INDEX, tags: [`v${round}`], expected: null }),
        ),
      )
    for (let round = 0; round < 5; round++) await race(round)
    expect(await held(app)).toBeLessThanOrEqual(1000)
  })
})

describe('a count of quota', () => {
  it('that is due keeps nobody waiting, and refuses nobody where it fails', async () => {
    const { backend, hold, fail, listed } = gated(newRegistry())
    let now = 0
    const decorated = quota({ limits: [{ repository: 'app', maxBytes: 1000 }], recountMs: 1000, now: () => now })(
      backend,
    )
    const app = decorated.repository('app')
    await app.blobs.put(blob('a', 100))
    now = 1000
    const go = hold()
    await app.blobs.put(blob('b', 100))
    go()
    now = 1999
    fail(new RegistryError('UNAVAILABLE'))
    await app.blobs.put(blob('c', 100))
    expect(listed()).toBeGreaterThanOrEqual(2)
    now = 10_000
    await expectRefusal(app.blobs.put(blob('d', 100)), 'UNAVAILABLE')
    fail(undefined)
    await app.blobs.put(blob('d', 100))
  })

  it('does not refuse what fits, whatever is pushed while it runs', async () => {
    const { backend, hold, listed } = gated(newRegistry())
    const app = quota({ limits: [{ repository: 'app', maxBytes: 1500 }] })(backend).repository('app')
    const again = blob('a', 500)
    await app.blobs.put(again)
    await app.blobs.put(again)
    const before = listed()
    const go = hold()
    const waiting = app.blobs.put(blob('b', 700))
    while (listed() === before) await Promise.resolve()
    await app.blobs.put(blob('c', 200))
    go()
    await waiting
    expect(await held(app)).toBe(1400)
  })

  it('is not taken for what no count would find room for', async () => {
    const { backend, listed } = gated(newRegistry())
    const app = quota({ limits: [{ repository: 'app', maxBytes: 1000 }], now: () => 0 })(backend).repository('app')
    await app.blobs.put(blob('a', 900))
    const before = listed()
    const one = blob('b', 1)
    await app.blobs.put(one)
    for (let i = 0; i < 10; i++) {
      await app.blobs.put(one)
      await expectRefusal(app.blobs.put(blob('c', 1001)), 'DENIED')
    }
    expect(listed()).toBe(before)
  })

  it('goes past a manifest that is damaged, which can be pushed again', async () => {
    const driver = memory()
    const stored = new Registry({ storage: driver, logger: silentLogger })
    const content = manifest('x')
    const { digest } = await stored.repository('team/old').manifests.put(content, INDEX)
    const [, hex = ''] = digest.split(':')
    const data = `docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`
    await driver.put(data, Buffer.from('damaged'))
    const backend = quota({ limits: [{ prefix: 'team/', maxBytes: 1000 }] })(
      new Registry({ storage: driver, logger: silentLogger }),
    )
    await backend.repository('team/new').blobs.put(blob('a', 800))
    await backend.repository('team/old').manifests.put(content, INDEX)
    expect((await backend.repository('team/old').manifests.get(digest)).content).toEqual(Buffer.from(content))
    await expectRefusal(backend.repository('team/new').blobs.put(blob('b', 1)), 'DENIED')
  })

  it('says whose mistake it is where nothing can be listed', async () => {
    const unlisted = decorate(newRegistry(), {
      manifests: (manifests) =>
        expose(manifests, ['stat', 'get', 'put', 'delete', 'referrers'], {
          // biome-ignore lint/correctness/useYield: it fails before it lists anything
          async *list() {
            throw new RegistryError('UNSUPPORTED')
          },
        }),
    })
    const app = quota({ limits: [{ repository: 'app', maxBytes: 1000 }] })(unlisted).repository('app')
    await expect(app.blobs.put(blob('a', 1))).rejects.toThrow(
      new Error('quota() cannot count the repository app: it needs a backend that lists blobs and manifests'),
    )
    expect(await collect(app.blobs.list())).toEqual([])
  })
})

describe('quota as a property of whatever happens at once', () => {
  const uploads = fc.constantFrom(0, 1, 2)
  const size = fc.integer({ min: 1, max: 700 })
  const operation = fc.oneof(
    fc.record({ kind: fc.constantFrom('append', 'broken append', 'commit', 'broken commit'), upload: uploads, size }),
    fc.record({ kind: fc.constantFrom('cancel', 'wrong commit', 'delete repository'), upload: uploads, size }),
    fc.record({ kind: fc.constantFrom('put', 'broken put', 'delete'), upload: uploads, size }),
    fc.record({ kind: fc.constant('wait'), upload: uploads, size }),
  )

  it('never holds more than it may, and has all the rest when nothing goes on any more', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 30 }), async (operations) => {
        const { plain, app, pass } = limited()
        const begun: Promise<Upload>[] = []
        const running: Promise<unknown>[] = []
        const resumed = async (place: number) => {
          begun[place] ??= app.blobs.startUpload()
          return app.blobs.resumeUpload((await begun[place]).id)
        }
        async function* broken(content: Uint8Array) {
          yield content.subarray(0, content.byteLength / 2)
          await nextTurn()
          throw new Error('the connection broke')
        }
        const steps: Record<string, (place: number, content: Uint8Array) => Promise<unknown>> = {
          append: async (place, content) => (await resumed(place)).append(chunks(content)),
          'broken append': async (place, content) =>
            (await resumed(place)).append(broken(content), { size: content.byteLength }),
          commit: async (place, last) => (await resumed(place)).commit(digestOf(last), { last, size: last.byteLength }),
          'broken commit': async (place, content) =>
            (await resumed(place)).commit(digestOf(content), { last: broken(content), size: content.byteLength }),
          'wrong commit': async (place) => (await resumed(place)).commit(digestOf(blob('wrong', 1))),
          cancel: async (place) => (await resumed(place)).cancel(),
          'delete repository': () => app.delete(),
          put: (_, content) => app.blobs.put(chunks(content)),
          'broken put': (_, content) => app.blobs.put(broken(content), { size: content.byteLength }),
          delete: async () => {
            const [first] = await collect(app.blobs.list())
            if (first !== undefined) await app.blobs.delete(first)
          },
          wait: async () => pass(40 * 60 * 1000),
        }
        for (const [i, { kind, upload, size }] of operations.entries()) {
          // What fails is up to what else goes on; what counts is what is left.
          running.push((steps[kind] as (typeof steps)[string])(upload, blob(`${i}`, size)).catch(() => {}))
          if (size % 2 === 0) await nextTurn()
          expect(await held(plain.repository('app'))).toBeLessThanOrEqual(1000)
        }
        await Promise.all(running)
        for (const upload of begun) {
          // Some have ended, and some could not begin.
          await upload
            ?.then(({ id }) => app.blobs.resumeUpload(id))
            .then((it) => it.cancel())
            .catch(() => {})
        }
        const left = 1000 - (await held(plain.repository('app')))
        expect(left).toBeGreaterThanOrEqual(0)
        if (left > 0) await app.blobs.put(blob('rest', left))
        await expectRefusal(app.blobs.put(blob('more', 1)), 'DENIED', 403)
      }),
      { numRuns: 200 },
    )
  })
})

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function* chunks(...all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* all
}
