import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CopyProgress } from '../../src/copy/progress.ts'
import { ProgressQueue } from '../../src/copy/progress-queue.ts'
import { copy } from '../../src/copy.ts'
import { RegistryError } from '../../src/errors.ts'
import { bytes, collect, descriptorOf, pushImage } from '../support/images.ts'
import { breaking, follow, noWaiting, testRegistry } from './support.ts'

describe('the progress of a copy', () => {
  it('tells each step, and how far the whole is', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const image = await pushImage(from.repository('a'), ['one', 'three'], { tags: ['v1'] })
    await to.repository('b').blobs.put(bytes('one'))
    const copying = copy(
      { backend: from, repository: 'a', reference: 'v1' },
      { backend: to, repository: 'b' },
      { concurrency: 1 },
    )
    const { events } = await follow(copying)
    const config = image.config.size
    const totals = { blobs: { done: 0, total: 3 }, manifests: { done: 0, total: 1 }, tags: { done: 0, total: 1 } }
    expect(events.slice(0, 5)).toMatchObject([
      { type: 'planned', repository: 'b', totals: { ...totals, bytes: { moved: 0, total: config + 5 } } },
      { type: 'blob.started', blob: { size: config }, bytes: 0 },
      { type: 'blob.done', blob: image.config, totals: { bytes: { moved: config } } },
      { type: 'blob.started', blob: { size: 5 }, bytes: 0 },
      { type: 'blob.done', blob: { size: 5 }, totals: { bytes: { moved: config + 5 } } },
    ])
    expect(events.slice(5)).toEqual([
      expect.objectContaining({ type: 'blob.skipped' }),
      expect.objectContaining({ type: 'manifest.done', skipped: false }),
      {
        type: 'tag.set',
        repository: 'b',
        tag: 'v1',
        digest: image.digest,
        skipped: false,
        totals: {
          bytes: { moved: config + 5, total: config + 5 },
          blobs: { done: 3, total: 3 },
          manifests: { done: 1, total: 1 },
          tags: { done: 1, total: 1 },
        },
      },
    ])
  })

  it('adds up to what was planned, whatever breaks on the way', async () => {
    const layers = fc.array(fc.string({ maxLength: 2_000 }), { maxLength: 6 })
    const cuts = fc.array(fc.integer({ min: 1, max: 1_000 }), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(layers, cuts, layers, async (contents, after, there) => {
        const { registry: from } = testRegistry()
        const { registry: to } = testRegistry()
        await pushImage(from.repository('a'), contents, { tags: ['v1'] })
        for (const content of there) await to.repository('a').blobs.put(bytes(content))
        const { backend } = breaking(from, after, () => new RegistryError('UNAVAILABLE'))
        const { events, result } = await follow(copy(backend, to, noWaiting()))
        const done = events.flatMap((event) => (event.type === 'blob.done' ? event.blob.size : []))
        const skipped = events.flatMap((event) => (event.type === 'blob.skipped' ? event.blob.size : []))
        expect(sum(done)).toBe(result.bytes.moved)
        expect(sum(skipped)).toBe(result.bytes.skipped)
        for (const { totals } of events) {
          expect(totals.bytes.moved).toBeGreaterThanOrEqual(0)
          expect(totals.bytes.moved).toBeLessThanOrEqual(totals.bytes.total)
        }
        const { bytes: counted, blobs } = events.at(-1)?.totals ?? { bytes: {}, blobs: {} }
        expect(counted).toEqual({ moved: result.bytes.moved, total: result.bytes.moved })
        expect(blobs).toEqual({ done: done.length + skipped.length, total: done.length + skipped.length })
      }),
      { numRuns: 50 },
    )
  })

  it('need not be read', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    await pushImage(from.repository('a'), ['one'], { tags: ['v1'] })
    expect((await copy(from, to)).blobs.moved).toBe(2)
  })

  it('ends with the error of the copy, which then need not be awaited', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const copying = copy({ backend: from, repository: 'a', reference: 'v1' }, to)
    await expect(collect(copying)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
  })

  it('goes on when a reader leaves', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    await pushImage(from.repository('a'), ['one'], { tags: ['v1'] })
    const copying = copy(from, to)
    for await (const _ of copying) break
    expect((await copying).tags).toEqual({ set: 1, skipped: 0 })
  })
})

describe('ProgressQueue', () => {
  const none = { done: 0, total: 0 }
  const totals = { bytes: { moved: 0, total: 0 }, blobs: none, manifests: none, tags: none }
  const advanced = (text: string, count: number): CopyProgress => ({
    type: 'blob.advanced',
    blob: descriptorOf(bytes(text)),
    bytes: count,
    totals,
  })

  it('keeps of how far a blob is only the last', async () => {
    const queue = new ProgressQueue()
    for (const event of [advanced('a', 1), advanced('b', 1), advanced('a', 2), advanced('a', 3)]) queue.push(event)
    queue.end({})
    expect(await collect(queue.read())).toEqual([advanced('b', 1), advanced('a', 3)])
  })

  it('lets the oldest go when nobody reads', async () => {
    const queue = new ProgressQueue()
    for (let i = 0; i < 1_500; i++) queue.push({ type: 'planned', repository: String(i), totals })
    queue.end({})
    const events = await collect(queue.read())
    expect(events).toHaveLength(1_000)
    expect(events[0]).toEqual({ type: 'planned', repository: '500', totals })
  })

  it('wakes who waits', async () => {
    const queue = new ProgressQueue()
    const reading = queue.read()
    const next = reading.next()
    queue.push(advanced('a', 1))
    expect((await next).value).toEqual(advanced('a', 1))
    const last = reading.next()
    queue.end({})
    expect(await last).toEqual({ done: true, value: undefined })
  })
})

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}
