import { createHash } from 'node:crypto'
import { readdir, readlink } from 'node:fs/promises'
import { Readable, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { BlobReader } from '../../../src/backend.ts'
import { memory } from '../../../src/drivers/memory.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import type { Digest } from '../../../src/spec/digest.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import type { DriverUpload } from '../../../src/storage/driver.ts'
import { wrapDriver } from '../../../src/storage/wrap-driver.ts'
import { recordingLogger } from '../../http/support.ts'
import { collect, readBlob } from '../../support/images.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'
import { expectRefusal } from '../support.ts'
import { type CacheOptions, content, DOWN, gate, heldBody, newCache, textOf, turns, until } from './support.ts'

const newDirectory = temporaryDirectories()

const LAYER = content(300_000)

async function withLayer(options: CacheOptions = {}, layer: Buffer = LAYER) {
  const spoolDirectory = await newDirectory()
  const cache = newCache({ spoolDirectory, ...options })
  const { digest } = await cache.upstream.registry.repository('app').blobs.put(layer)
  const isKept = async () => (await collect(cache.local.repository('hub/app').blobs.list())).length === 1
  return { ...cache, digest, layer, here: cache.backend.repository('hub/app'), spoolDirectory, isKept }
}

/** With an upstream that sends what the test writes to it. */
async function withHeldLayer(options: CacheOptions = {}, layer: Buffer = LAYER) {
  const cache = await withLayer(options, layer)
  const { stream, open } = heldBody()
  cache.upstream.body = open
  return { ...cache, sending: stream }
}

/** Reads exactly so many bytes off a stream that may not have more to give. */
async function take(stream: NodeJS.ReadableStream, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (let left = bytes; left > 0; ) {
    const chunk = stream.read() as Buffer | null
    if (chunk === null) {
      await new Promise((resolve) => stream.once('readable', resolve))
      continue
    }
    chunks.push(chunk.subarray(0, left))
    if (chunk.byteLength > left) stream.unshift(chunk.subarray(left))
    left -= Math.min(left, chunk.byteLength)
  }
  return Buffer.concat(chunks)
}

async function whole({ body }: BlobReader): Promise<Buffer> {
  await using owned = body
  return Buffer.concat(await collect<Buffer>(owned.stream()))
}

describe('a blob', () => {
  it('is fetched when it is first pulled, and served from here from then on', async () => {
    const { here, upstream, digest, layer, local, cache } = await withLayer()
    expect((await whole(await here.blobs.open(digest))).equals(layer)).toBe(true)
    await until(async () => (await collect(local.repository('hub/app').blobs.list())).includes(digest))
    upstream.failure = DOWN
    expect((await whole(await here.blobs.open(digest))).equals(layer)).toBe(true)
    expect(await here.blobs.stat(digest)).toMatchObject({ digest, size: layer.byteLength })
    expect((await local.repository('hub/app').blobs.stat(digest)).size).toBe(layer.byteLength)
    expect(upstream.asked).toEqual([`blobs.open app ${digest}`])
    expect(cache.stats().blob).toEqual({
      requests: 2,
      hits: 1,
      misses: 1,
      pulledBytes: layer.byteLength,
      pushedBytes: 2 * layer.byteLength,
    })
  })

  it('of no bytes is one, too', async () => {
    const { here, digest } = await withLayer({}, Buffer.alloc(0))
    expect(await whole(await here.blobs.open(digest))).toEqual(Buffer.alloc(0))
  })

  it('with a sha512 digest is one, too', async () => {
    const { here, upstream, layer, local } = await withLayer()
    const digest = digestOf(layer, 'sha512')
    await upstream.registry.repository('app').blobs.put(layer, { digest })
    expect((await whole(await here.blobs.open(digest))).equals(layer)).toBe(true)
    await until(async () => (await collect(local.repository('hub/app').blobs.list())).includes(digest))
    upstream.failure = DOWN
    expect((await whole(await here.blobs.open(digest))).equals(layer)).toBe(true)
  })

  it('is looked at without being fetched, and has no URL before it is here', async () => {
    const { here, upstream, digest, layer } = await withLayer()
    expect(await here.blobs.stat(digest)).toMatchObject({ digest, size: layer.byteLength })
    expect(await here.blobs.locate(digest, { method: 'GET' })).toBe(undefined)
    expect(upstream.asked).toEqual([`blobs.stat app ${digest}`])
  })

  it('that the upstream lacks is not found, and not asked for again for a while', async () => {
    const { here, upstream, clock } = await withLayer()
    const missing = digestOf(Buffer.from('missing'))
    await expectRefusal(here.blobs.open(missing), 'BLOB_UNKNOWN', 404)
    await expectRefusal(here.blobs.stat(missing), 'BLOB_UNKNOWN', 404)
    expect(upstream.asked).toHaveLength(1)
    clock.now += 5_000
    await expectRefusal(here.blobs.open(missing), 'BLOB_UNKNOWN', 404)
    expect(upstream.asked).toHaveLength(2)
  })

  it('is "cannot tell" while the upstream is down', async () => {
    const { here, upstream, digest } = await withLayer()
    upstream.failure = DOWN
    await expectRefusal(here.blobs.open(digest), 'UNAVAILABLE', 503)
    await expectRefusal(here.blobs.stat(digest), 'UNAVAILABLE', 503)
    upstream.failure = undefined
    expect(await readBlob(here, digest)).toHaveLength(LAYER.byteLength)
  })

  it('of one repository cannot be pulled by another one’s name', async () => {
    const { backend, here, digest, local } = await withLayer()
    await readBlob(here, digest)
    await until(async () => (await collect(local.repository('hub/app').blobs.list())).length === 1)
    await expectRefusal(backend.repository('hub/other').blobs.open(digest), 'BLOB_UNKNOWN')
  })
})

describe('P07: 100 who pull one blob that is not here', () => {
  it('are one request to the upstream', async () => {
    const { here, upstream, digest, layer, cache } = await withLayer()
    const { opened, open } = gate()
    upstream.gate = opened
    const pulls = Promise.all(Array.from({ length: 100 }, async () => whole(await here.blobs.open(digest))))
    await turns()
    open()
    for (const pulled of await pulls) expect(pulled.equals(layer)).toBe(true)
    expect(upstream.asked).toEqual([`blobs.open app ${digest}`])
    expect(cache.stats().blob).toMatchObject({ requests: 100, hits: 99, misses: 1, pulledBytes: layer.byteLength })
  })

  it('all learn when the upstream does not have it, from one answer', async () => {
    const { here, upstream } = await withLayer()
    const missing = digestOf(Buffer.from('missing'))
    const pulls = await Promise.allSettled(Array.from({ length: 100 }, () => here.blobs.open(missing)))
    expect(new Set(pulls.map((pull) => pull.status === 'rejected' && (pull.reason as { code: string }).code))).toEqual(
      new Set(['BLOB_UNKNOWN']),
    )
    expect(upstream.asked).toHaveLength(1)
  })

  it('are one request as well when they come one after the other while it is on its way', async () => {
    const { here, upstream, digest, layer, sending } = await withHeldLayer()
    const pulls: Promise<Buffer>[] = []
    for (let at = 0; at < layer.byteLength; at += 30_000) {
      const { body } = await here.blobs.open(digest)
      pulls.push(collect<Buffer>(body.stream()).then((chunks) => Buffer.concat(chunks)))
      sending.write(layer.subarray(at, at + 30_000))
      await turns(3)
    }
    sending.end()
    for (const pulled of await Promise.all(pulls)) expect(pulled.equals(layer)).toBe(true)
    expect(pulls).toHaveLength(10)
    expect(upstream.asked).toHaveLength(1)
  })
})

describe('who reads a blob that is on its way', () => {
  it('has what has arrived, before there is more', async () => {
    const { here, digest, layer, sending } = await withHeldLayer()
    const { body } = await here.blobs.open(digest)
    const stream = body.stream()
    sending.write(layer.subarray(0, 1000))
    expect(await take(stream, 1000)).toEqual(layer.subarray(0, 1000))
    sending.write(layer.subarray(1000, 5000))
    expect(await take(stream, 4000)).toEqual(layer.subarray(1000, 5000))
    sending.end(layer.subarray(5000))
    expect(Buffer.concat(await collect<Buffer>(stream)).equals(layer.subarray(5000))).toBe(true)
  })

  it('slows neither the upstream nor the others by being slow', async () => {
    const { here, digest, layer, sending, isKept } = await withHeldLayer({}, content(8_000_000))
    const slow = (await here.blobs.open(digest)).body.stream()
    const fast = here.blobs.open(digest).then(whole)
    sending.end(layer)
    expect((await fast).equals(layer)).toBe(true)
    await until(isKept)
    // No more was read ahead for it than it may have in hand.
    expect(slow.readableLength).toBeLessThanOrEqual(2 * 128 * 1024)
    expect(Buffer.concat(await collect<Buffer>(slow)).equals(layer)).toBe(true)
  })

  it('takes nothing from those who stay by leaving', async () => {
    const { here, digest, layer, sending, isKept } = await withHeldLayer({ abandonedFillMs: 0 })
    const leaving = (await here.blobs.open(digest)).body
    const staying = here.blobs.open(digest).then(whole)
    sending.write(layer.subarray(0, 1000))
    await take(leaving.stream(), 500)
    leaving.stream().destroy()
    await turns()
    sending.end(layer.subarray(1000))
    expect((await staying).equals(layer)).toBe(true)
    await until(isKept)
  })

  it('takes nothing from those who stay by leaving before it began', async () => {
    const { here, digest, layer, upstream } = await withLayer({ abandonedFillMs: 0 })
    const { opened, open } = gate()
    upstream.gate = opened
    const first = new AbortController()
    const leaving = here.blobs.open(digest, { signal: first.signal })
    const staying = here.blobs.open(digest).then(whole)
    await turns()
    first.abort(new Error('gone'))
    await expect(leaving).rejects.toThrow('gone')
    open()
    expect((await staying).equals(layer)).toBe(true)
    expect(upstream.asked).toHaveLength(1)
  })

  it('has all of it while the store takes its time to keep what has arrived', async () => {
    const { opened: kept, open } = gate()
    let isCommitting = false
    const inner = memory()
    const storage = wrapDriver(inner, {
      createUpload: async (...args) => {
        const upload = await inner.createUpload(...args)
        const commit = upload.commit.bind(upload)
        return Object.assign(upload, {
          commit: async (...target: Parameters<DriverUpload['commit']>) => {
            isCommitting = true
            await kept
            await commit(...target)
          },
        })
      },
    })
    const local = new Registry({ storage, sparse: 'all', logger: silentLogger })
    const { here, digest, layer, isKept, upstream, sending } = await withHeldLayer({ local })
    sending.end(layer)
    expect((await whole(await here.blobs.open(digest))).equals(layer)).toBe(true)
    await until(() => isCommitting)
    await turns()
    expect((await whole(await here.blobs.open(digest))).equals(layer)).toBe(true)
    const some = await here.blobs.open(digest, { range: { start: 5, end: 7 } })
    expect(await whole(some)).toEqual(layer.subarray(5, 7))
    open()
    await until(isKept)
    expect(upstream.asked).toHaveLength(1)
  })

  it('leaves it to arrive for the next one, for a while', async () => {
    const { here, digest, layer, sending, isKept, upstream } = await withHeldLayer({ abandonedFillMs: 60_000 })
    const { body } = await here.blobs.open(digest)
    await body[Symbol.asyncDispose]()
    sending.end(layer)
    await until(isKept)
    expect((await whole(await here.blobs.open(digest))).equals(layer)).toBe(true)
    expect(upstream.asked).toHaveLength(1)
  })

  it('ends it by leaving last, where nothing else was chosen', async () => {
    const { here, digest, layer, sending, isKept, upstream } = await withHeldLayer({ abandonedFillMs: 0 })
    const { body } = await here.blobs.open(digest)
    sending.write(layer.subarray(0, 1000))
    await body[Symbol.asyncDispose]()
    await until(() => sending.destroyed)
    expect(await isKept()).toBe(false)
    upstream.body = undefined
    expect((await whole(await here.blobs.open(digest))).equals(layer)).toBe(true)
    expect(upstream.asked).toHaveLength(2)
  })

  it('ends it after a while by leaving last', async () => {
    const { here, digest, sending } = await withHeldLayer({ abandonedFillMs: 1 })
    const { body } = await here.blobs.open(digest)
    await body[Symbol.asyncDispose]()
    await new Promise((resolve) => sending.once('close', resolve))
    expect(sending.destroyed).toBe(true)
  })
})

describe('a blob that does not arrive as it should', () => {
  /** What a reader got before it broke off. */
  async function breaking(reader: BlobReader): Promise<{ readonly received: number; readonly error: unknown }> {
    let received = 0
    try {
      for await (const chunk of reader.body.stream() as AsyncIterable<Buffer>) received += chunk.byteLength
    } catch (error) {
      return { received, error }
    }
    throw new Error('it did not break off')
  }

  const WRONG = Buffer.from(LAYER)
  WRONG[LAYER.byteLength - 10] = 0

  it.each([
    ['is other content', WRONG, 'DIGEST_INVALID'],
    ['ends too early', LAYER.subarray(0, -1), 'SIZE_INVALID'],
    ['does not end where it should', Buffer.concat([LAYER, LAYER]), 'SIZE_INVALID'],
    ['is empty', Buffer.alloc(0), 'SIZE_INVALID'],
  ])('breaks off for everybody when it %s, and is not kept', async (_, sent, code) => {
    const logger = recordingLogger()
    const { here, digest, layer, sending, isKept, upstream } = await withHeldLayer({ logger })
    const readers = [await here.blobs.open(digest), await here.blobs.open(digest)]
    sending.end(sent)
    for (const { received, error } of await Promise.all(readers.map(breaking))) {
      expect(error).toMatchObject({ code })
      // Nobody has all of it: whoever counts bytes knows.
      expect(received).toBeLessThan(layer.byteLength)
    }
    await until(() => logger.lines.length > 0)
    expect(await isKept()).toBe(false)
    expect(logger.lines.map(({ message }) => message)).toEqual(['an upstream did not deliver a blob'])
    upstream.body = undefined
    expect((await whole(await here.blobs.open(digest))).equals(layer)).toBe(true)
  })

  it('breaks off for everybody when the upstream goes away halfway, and is fetched anew by the next', async () => {
    const { here, digest, layer, sending, isKept, upstream, cache } = await withHeldLayer()
    const readers = [await here.blobs.open(digest), await here.blobs.open(digest)]
    const broken = Promise.all(readers.map(breaking))
    sending.write(layer.subarray(0, 150_000))
    await until(() => cache.stats().blob.pulledBytes === 150_000)
    sending.destroy(new Error('read ECONNRESET'))
    for (const { received, error } of await broken) {
      expect(error).toMatchObject({ message: 'read ECONNRESET' })
      expect(received).toBeLessThanOrEqual(150_000)
    }
    await turns()
    expect(await isKept()).toBe(false)
    upstream.body = undefined
    expect((await whole(await here.blobs.open(digest))).equals(layer)).toBe(true)
  })

  it('is served all the same where it cannot be kept', async () => {
    const logger = recordingLogger()
    const { here, digest, layer, local } = await withLayer({ logger })
    const repository = local.repository.bind(local)
    local.repository = (name) => {
      const { name: same, manifests, tags, blobs, delete: remove } = repository(name)
      const full = new Proxy(blobs, {
        get(target, key) {
          if (key === 'put') return () => Promise.reject(new Error('no space left on device'))
          const value: unknown = Reflect.get(target, key, target)
          return typeof value === 'function' ? (value.bind(target) as unknown) : value
        },
      })
      return { name: same, manifests, tags, blobs: full, delete: remove }
    }
    expect((await whole(await here.blobs.open(digest))).equals(layer)).toBe(true)
    await until(() => logger.lines.length > 0)
    expect(logger.lines.map(({ message }) => message)).toEqual(['cannot keep a blob that was pulled through'])
  })
})

describe('some bytes of a blob that is not here', () => {
  const opened = (asked: readonly string[]) => asked.filter((one) => one.startsWith('blobs.open')).length

  it('are asked of the upstream as they are, and nothing is kept', async () => {
    const { here, digest, layer, upstream, local, cache } = await withLayer()
    const range = { start: 1000, end: 3000 }
    const reader = await here.blobs.open(digest, { range })
    expect(reader.range).toEqual(range)
    expect(await whole(reader)).toEqual(layer.subarray(1000, 3000))
    await turns()
    expect(opened(upstream.asked)).toBe(1)
    expect(await collect(local.repository('hub/app').blobs.list())).toEqual([])
    expect(cache.stats().blob).toMatchObject({ misses: 1, pulledBytes: 2000, pushedBytes: 2000 })
  })

  it('are out of range where the upstream says so', async () => {
    const { here, digest } = await withLayer()
    await expectRefusal(here.blobs.open(digest, { range: { start: 300_000 } }), 'RANGE_INVALID', 416)
  })

  it('bring the whole with them where that was chosen', async () => {
    const { here, digest, layer, local } = await withLayer({ rangeMiss: 'fill' })
    expect(await whole(await here.blobs.open(digest, { range: { start: 10, end: 20 } }))).toEqual(
      layer.subarray(10, 20),
    )
    await until(async () => (await collect(local.repository('hub/app').blobs.list())).length === 1)
    expect((await local.repository('hub/app').blobs.stat(digest)).size).toBe(layer.byteLength)
  })

  it.each([[{ start: 0 }], [{ start: 0, end: 300_000 }]])(
    'are the whole, and kept, when they are all of it: %j',
    async (range) => {
      const { here, digest, layer, local } = await withLayer()
      await here.blobs.stat(digest) // as the endpoint does before it reads a range
      expect((await whole(await here.blobs.open(digest, { range }))).equals(layer)).toBe(true)
      await until(async () => (await collect(local.repository('hub/app').blobs.list())).length === 1)
    },
  )

  it('come from what is on its way when they have arrived, else from the upstream', async () => {
    const { here, digest, layer, sending, upstream, cache } = await withHeldLayer()
    const all = here.blobs.open(digest).then(whole)
    await turns()
    sending.write(layer.subarray(0, 100_000))
    await until(() => cache.stats().blob.pulledBytes === 100_000)
    const early = await here.blobs.open(digest, { range: { start: 50_000, end: 60_000 } })
    expect(await whole(early)).toEqual(layer.subarray(50_000, 60_000))
    expect(opened(upstream.asked)).toBe(1)
    // Begins in what is here: the rest of it is on its way already.
    const across = here.blobs.open(digest, { range: { start: 99_000, end: 101_000 } }).then(whole)
    await turns()
    upstream.body = undefined
    const late = await here.blobs.open(digest, { range: { start: 200_000, end: 200_100 } })
    expect(await whole(late)).toEqual(layer.subarray(200_000, 200_100))
    expect(opened(upstream.asked)).toBe(2)
    sending.end(layer.subarray(100_000))
    expect(await across).toEqual(layer.subarray(99_000, 101_000))
    expect((await all).equals(layer)).toBe(true)
  })

  it('are asked for when they are wanted, however long the upstream takes to begin with the whole', async () => {
    const { here, digest, layer, upstream } = await withLayer()
    const { opened: answered, open } = gate()
    upstream.gate = answered
    const all = here.blobs.open(digest).then(whole)
    await turns()
    upstream.gate = undefined
    const reader = await here.blobs.open(digest, { range: { start: 5, end: 7 } })
    expect(await whole(reader)).toEqual(layer.subarray(5, 7))
    open()
    expect((await all).equals(layer)).toBe(true)
  })

  it('are not to be had of what has no such bytes, while it is on its way', async () => {
    const { here, digest, layer, sending } = await withHeldLayer()
    const all = here.blobs.open(digest).then(whole)
    sending.end(layer)
    await all
    await expectRefusal(here.blobs.open(digest, { range: { start: 10, end: 10 } }), 'RANGE_INVALID', 416)
  })
})

describe('what a pull leaves behind', () => {
  /** Files that this process has open and that have no name any longer, as temporary ones of ours. */
  async function openSpools(directory: string): Promise<number> {
    const links = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
    )
    return links.filter((link) => link.startsWith(directory)).length
  }

  it.runIf(process.platform === 'linux')('is no file and no descriptor, however it ends', async () => {
    const { here, digest, layer, sending, upstream, spoolDirectory, cache, isKept } = await withHeldLayer({
      abandonedFillMs: 0,
    })
    const readers = await Promise.all(Array.from({ length: 5 }, () => here.blobs.open(digest)))
    sending.write(layer.subarray(0, 1000))
    await until(() => cache.stats().blob.pulledBytes === 1000)
    expect(await openSpools(spoolDirectory)).toBe(1)
    expect(await readdir(spoolDirectory)).toEqual([])
    for (const { body } of readers) await body[Symbol.asyncDispose]()
    await until(async () => (await openSpools(spoolDirectory)) === 0)

    upstream.body = undefined
    const unread = await here.blobs.open(digest)
    await until(isKept)
    expect(await openSpools(spoolDirectory)).toBe(1) // for the one who has not read yet
    expect((await whole(unread)).equals(layer)).toBe(true)
    await until(async () => (await openSpools(spoolDirectory)) === 0)
    await cache.close()
  })

  it.runIf(process.platform === 'linux').each([
    ['has left', (sink: Writable) => void sink.destroy()],
    ['leaves in the middle', () => {}],
  ])('is let go of by whoever sends it to a client that %s', async (_, before) => {
    const { here, digest, spoolDirectory, isKept } = await withLayer()
    const { body } = await here.blobs.open(digest)
    const sink = new Writable({ highWaterMark: 1, write: () => void sink.destroy() })
    before(sink)
    await expect(body.sendTo(sink)).rejects.toThrow()
    await until(isKept)
    await until(async () => (await openSpools(spoolDirectory)) === 0)
  })

  it('is nothing when the cache is closed: readers break off, and what arrives ends', async () => {
    const { here, digest, layer, sending, cache, isKept } = await withHeldLayer()
    const stream = (await here.blobs.open(digest)).body.stream()
    sending.write(layer.subarray(0, 1000))
    await take(stream, 1000)
    await cache.close()
    await expect(textOf(stream)).rejects.toThrow('the pull-through cache was closed')
    expect(sending.destroyed).toBe(true)
    expect(await isKept()).toBe(false)
  })
})

describe('what has arrived when the cache is closed', () => {
  it('is kept', async () => {
    const { here, digest, layer, cache, local } = await withLayer()
    expect((await whole(await here.blobs.open(digest))).equals(layer)).toBe(true)
    await cache.close()
    expect(await collect(local.repository('hub/app').blobs.list())).toEqual([digest])
  })
})

describe('a large blob', () => {
  it('takes no more memory than a small one', async () => {
    const size = 512 * 1024 * 1024
    const piece = content(1024 * 1024)
    const pieces = function* () {
      for (let at = 0; at < size; at += piece.byteLength) yield piece
    }
    const hash = createHash('sha256')
    for (const one of pieces()) hash.update(one)
    const digest: Digest = `sha256:${hash.digest('hex')}`
    const spoolDirectory = await newDirectory()
    // Too large to be kept, in memory of all places.
    const { backend, upstream } = newCache({ maxBytes: 0, spoolDirectory })
    upstream.blob = { size, open: () => Readable.from(pieces(), { objectMode: false }) }
    const before = process.memoryUsage().rss
    let peak = before
    let received = 0
    const slow = (await backend.repository('hub/app').blobs.open(digest)).body.stream()
    const { body } = await backend.repository('hub/app').blobs.open(digest)
    for await (const chunk of body.stream() as AsyncIterable<Buffer>) {
      received += chunk.byteLength
      peak = Math.max(peak, process.memoryUsage().rss)
    }
    expect(received).toBe(size)
    expect(upstream.count('blobs.open')).toBe(1)
    expect(peak - before).toBeLessThan(128 * 1024 * 1024)
    // All that was read ahead for the one who took nothing yet.
    expect(slow.readableLength).toBeLessThanOrEqual(2 * 128 * 1024)
    slow.destroy()
  })
})
