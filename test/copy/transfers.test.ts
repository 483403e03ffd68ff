import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { streamBody } from '../../src/bytes.ts'
import { copy } from '../../src/copy.ts'
import { filesystem } from '../../src/drivers/filesystem.ts'
import { type ErrorCode, RegistryError } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { bytes, pushImage } from '../support/images.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'
import { withResolvers } from '../support/with-resolvers.ts'
import {
  breaking,
  contentsOf,
  follow,
  holdings,
  noWaiting,
  overlay,
  pushLayer,
  testRegistry,
  withBlobs,
} from './support.ts'

const directory = temporaryDirectories()

const MIB = 1024 * 1024
/** Large enough to be moved in an upload that can be gone on with. */
const LARGE = 'large'.repeat(MIB)

function dropped(): Error {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
}

async function largeImage() {
  const { registry } = testRegistry()
  await pushLayer(registry.repository('a'), LARGE)
  return { registry, layer: digestOf(bytes(LARGE)) }
}

describe('copy, when a stream breaks', () => {
  it.each([
    ['a dropped connection', dropped],
    ['an outage', () => new RegistryError('UNAVAILABLE')],
  ])('goes on where the upload stands, after %s', async (_, error) => {
    const { registry, layer } = await largeImage()
    const { registry: to } = testRegistry()
    const { backend, starts } = breaking(registry, [3 * MIB, MIB], error)
    const { events, result } = await follow(copy(backend, to, { concurrency: 1, ...noWaiting() }))
    // The layer three times, then the config.
    expect(starts).toEqual([0, 3 * MIB, 4 * MIB, 0])
    expect(result.blobs.moved).toBe(2)
    expect((await to.repository('a').blobs.stat(layer)).size).toBe(LARGE.length)
    expect(events.filter(({ type }) => type === 'blob.retried')).toHaveLength(2)
    const begun = events.flatMap((event) => (event.type === 'blob.started' ? event.bytes : []))
    expect(begun).toEqual([0, 3 * MIB, 4 * MIB, 0])
  })

  it('goes on in a directory as well', async () => {
    const { registry, layer } = await largeImage()
    await using to = new Registry({ storage: filesystem(await directory(), { durability: 'none' }) })
    const { backend, starts } = breaking(registry, [3 * MIB], dropped)
    await copy(backend, to, { concurrency: 1, ...noWaiting() })
    expect(starts).toEqual([0, 3 * MIB, 0])
    expect((await to.repository('a').blobs.stat(layer)).size).toBe(LARGE.length)
  })

  it('begins a small blob again', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    await pushLayer(from.repository('a'), 'a small layer')
    const { backend, starts } = breaking(from, [3], dropped)
    await copy(backend, to, { concurrency: 1, ...noWaiting() })
    expect(starts).toEqual([0, 0, 0])
  })

  it('begins again where the target knows nothing of the upload any more', async () => {
    const { registry, layer } = await largeImage()
    const { registry: to } = testRegistry()
    const target = withBlobs((blobs) => ({
      resumeUpload: async (id) => {
        await (await blobs.resumeUpload(id)).cancel()
        return blobs.resumeUpload(id)
      },
    }))(to)
    const { backend, starts } = breaking(registry, [3 * MIB], dropped)
    await copy(backend, target, { concurrency: 1, ...noWaiting() })
    expect(starts).toEqual([0, 0, 0])
    expect((await to.repository('a').blobs.stat(layer)).size).toBe(LARGE.length)
  })

  it('finds the blob published when only the answer was lost', async () => {
    const { registry } = await largeImage()
    const { registry: to } = testRegistry()
    const target = withBlobs((blobs) => ({
      startUpload: async (options) => {
        const upload = await blobs.startUpload(options)
        return overlay(upload, {
          commit: async (...args) => {
            await upload.commit(...args)
            throw new RegistryError('UNAVAILABLE', { message: 'no answer' })
          },
        })
      },
    }))(to)
    const { backend, starts } = breaking(registry, [], dropped)
    const { blobs } = await copy(backend, target, { concurrency: 1, ...noWaiting() })
    expect(starts).toEqual([0, 0])
    expect(blobs.moved).toBe(2)
  })

  it('puts whole blobs where the target has no uploads to go on with', async () => {
    const { registry } = await largeImage()
    const { registry: to } = testRegistry()
    const target = withBlobs(() => ({ startUpload: () => Promise.reject(new RegistryError('UNSUPPORTED')) }))(to)
    const { backend, starts } = breaking(registry, [3 * MIB], dropped)
    await copy(backend, target, { concurrency: 1, ...noWaiting() })
    expect(starts).toEqual([0, 0, 0])
  })

  it('gives up after as many attempts as it was given, and leaves no upload', async () => {
    const { registry, layer } = await largeImage()
    const { registry: to, driver } = testRegistry()
    const { backend, starts } = breaking(registry, [MIB, MIB, MIB], dropped)
    const waits: number[] = []
    await expect(copy(backend, to, { concurrency: 1, attempts: 3, ...noWaiting(waits) })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: `blob ${layer} of a:v1: aborted`,
      detail: { digest: layer, image: 'a:v1' },
      cause: { code: 'ECONNRESET' },
    })
    expect(starts).toEqual([0, MIB, 2 * MIB])
    expect(waits).toHaveLength(2)
    expect(waits[0]).toBeLessThanOrEqual(500)
    expect(waits[1]).toBeLessThanOrEqual(1_000)
    expect(await contentsOf(driver)).toEqual(new Map())
  })

  it('counts no attempt that got on by 8 MiB', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    await pushLayer(from.repository('a'), 'l'.repeat(30 * MIB))
    const { backend, starts } = breaking(from, [8 * MIB, 8 * MIB, 8 * MIB], dropped)
    await copy(backend, to, { concurrency: 1, attempts: 2, ...noWaiting() })
    expect(starts).toEqual([0, 8 * MIB, 16 * MIB, 24 * MIB, 0])
  })

  it('waits as long as it is asked to', async () => {
    const { registry } = await largeImage()
    const { registry: to } = testRegistry()
    const busy = () => new RegistryError('TOOMANYREQUESTS', { headers: { 'retry-after': '7' } })
    const { backend } = breaking(registry, [MIB], busy)
    const waits: number[] = []
    await copy(backend, to, { concurrency: 1, ...noWaiting(waits) })
    expect(waits).toEqual([7_000])
  })

  it.each<ErrorCode>(['DENIED', 'UNAUTHORIZED', 'DIGEST_INVALID', 'SIZE_INVALID', 'UNSUPPORTED', 'BLOB_UNKNOWN'])(
    'does not try again after %s',
    async (code) => {
      const { registry, layer } = await largeImage()
      const { registry: to, driver } = testRegistry()
      const { backend, starts } = breaking(
        registry,
        [MIB],
        () => new RegistryError(code, { message: 'no', status: 418 }),
      )
      await expect(copy(backend, to, { concurrency: 1, ...noWaiting() })).rejects.toMatchObject({
        code,
        status: 418,
        message: `blob ${layer} of a:v1: no`,
      })
      expect(starts).toEqual([0])
      expect(await contentsOf(driver)).toEqual(new Map())
    },
  )
})

describe('copy, aborted', () => {
  /** A source whose large layer begins to come and then stalls. */
  async function stalling() {
    const { registry } = await largeImage()
    const streams: Readable[] = []
    const { promise: stalled, resolve: begun } = withResolvers()
    const backend = withBlobs((blobs) => ({
      open: async (digest, options) => {
        const reader = await blobs.open(digest, options)
        if (reader.descriptor.size < LARGE.length) return reader
        const stream = new Readable({ read() {} })
        stream.push(bytes('larg'))
        streams.push(stream)
        stream.on('data', () => setImmediate(begun))
        return { ...reader, body: streamBody(stream, LARGE.length) }
      },
    }))(registry)
    return { backend, stalled, streams }
  }

  it('rejects with the reason, ends the source, cancels the upload, and leaves neither manifest nor tag', async () => {
    const { backend, stalled, streams } = await stalling()
    const { registry: to, driver } = testRegistry()
    const abort = new AbortController()
    const copying = copy(backend, to, { signal: abort.signal })
    await stalled
    const reason = new Error('enough')
    abort.abort(reason)
    await expect(copying).rejects.toBe(reason)
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([true])
    expect([...(await contentsOf(driver)).keys()].filter((key) => /_uploads|_manifests/.test(key))).toEqual([])
  })

  it('does nothing at all when it is aborted already', async () => {
    const { registry } = await largeImage()
    const { registry: to, driver } = testRegistry()
    const reason = new Error('never')
    await expect(copy(registry, to, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(await contentsOf(driver)).toEqual(new Map())
  })

  it('does not wait out a pause', async () => {
    const { registry } = await largeImage()
    const { registry: to, driver } = testRegistry()
    const { backend } = breaking(
      registry,
      [MIB],
      () => new RegistryError('UNAVAILABLE', { headers: { 'retry-after': '60' } }),
    )
    const abort = new AbortController()
    const copying = copy(backend, to, { concurrency: 1, signal: abort.signal })
    const reason = new Error('enough')
    const events: string[] = []
    const reading = (async () => {
      for await (const { type } of copying) {
        events.push(type)
        if (type === 'blob.retried') abort.abort(reason)
      }
    })()
    await expect(reading).rejects.toBe(reason)
    await expect(copying).rejects.toBe(reason)
    expect(events).toContain('blob.retried')
    expect([...(await contentsOf(driver)).keys()].filter((key) => /_uploads|_manifests/.test(key))).toEqual([])
  })

  it('ends the other transfers when one fails', async () => {
    const { backend, stalled, streams } = await stalling()
    const { registry: to, driver } = testRegistry()
    const source = withBlobs((blobs) => ({
      open: async (digest, options) => {
        const reader = await blobs.open(digest, options)
        if (reader.descriptor.size >= LARGE.length) return reader
        await reader.body[Symbol.asyncDispose]()
        await stalled
        throw new RegistryError('DENIED', { message: 'not this one' })
      },
    }))(backend)
    await expect(copy(source, to)).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringMatching(/^blob sha256:\w+ of a:v1: not this one$/),
    })
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([true])
    expect(await contentsOf(driver)).toEqual(new Map())
  })
})

describe('copy, at a time', () => {
  it.each([1, 3, undefined])('moves no more than %s blobs, the largest first, and each once', async (concurrency) => {
    const { registry: from } = testRegistry()
    const layers = Array.from({ length: 12 }, (_, i) => 'l'.repeat(i + 100))
    await pushImage(from.repository('a'), layers, { tags: ['v1'] })
    await pushImage(from.repository('a'), [...layers].reverse(), { tags: ['v2'] })
    let running = 0
    let most = 0
    const sizes: number[] = []
    const to = new Registry({
      backend: withBlobs((blobs) => ({
        put: async (content, options) => {
          most = Math.max(most, ++running)
          sizes.push(options?.size ?? 0)
          try {
            return await blobs.put(content, options)
          } finally {
            running--
          }
        },
      }))(testRegistry().registry),
      logger: silentLogger,
    })
    await copy(from, to, concurrency === undefined ? {} : { concurrency })
    expect(most).toBe(concurrency ?? 4)
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a))
    expect(sizes).toHaveLength(14)
    expect((await holdings(to.repository('a'))).tags).toEqual(['v1', 'v2'])
  })
})
