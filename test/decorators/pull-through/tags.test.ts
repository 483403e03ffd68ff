import { describe, expect, it } from 'vitest'
import { RegistryError } from '../../../src/errors.ts'
import { collect, pushImage } from '../../support/images.ts'
import { expectRefusal } from '../support.ts'
import { type CacheOptions, DOWN, gate, newCache, turns } from './support.ts'

const TTL = 60_000

/** With a tag that is kept, and questions not counted so far. */
async function withTag(options: CacheOptions = {}) {
  const cache = newCache({ tagTtlMs: TTL, ...options })
  const there = cache.upstream.registry.repository('app')
  const first = await pushImage(there, ['first'], { tags: ['v1'] })
  const here = cache.backend.repository('hub/app')
  await here.manifests.get('v1')
  cache.upstream.asked.length = 0
  const move = () => pushImage(there, ['second'], { tags: ['v1'] })
  return { ...cache, there, here, first, move }
}

describe('a tag', () => {
  it('is not looked up while it is fresh', async () => {
    const { here, first, upstream, clock, move } = await withTag()
    await move()
    clock.now += TTL - 1
    expect(await here.tags.resolve('v1')).toBe(first.digest)
    expect((await here.manifests.get('v1')).descriptor.digest).toBe(first.digest)
    expect(upstream.asked).toEqual([])
  })

  it('is looked up by HEAD when it is no longer, and fetched only when it has moved', async () => {
    const { here, first, upstream, clock, move, local } = await withTag()
    clock.now += TTL
    expect((await here.manifests.get('v1')).descriptor.digest).toBe(first.digest)
    expect(upstream.asked).toEqual(['manifests.stat app v1'])
    const second = await move()
    clock.now += TTL
    expect((await here.manifests.stat('v1')).digest).toBe(second.digest)
    expect(upstream.asked).toEqual([
      'manifests.stat app v1',
      'manifests.stat app v1',
      `manifests.get app ${second.digest}`,
    ])
    expect(await local.repository('hub/app').tags.resolve('v1')).toBe(second.digest)
  })

  it('is looked up once for all who want it at the same time', async () => {
    const { here, upstream, clock } = await withTag()
    clock.now += TTL
    await Promise.all(Array.from({ length: 50 }, () => here.manifests.get('v1')))
    expect(upstream.asked).toEqual(['manifests.stat app v1'])
  })

  it('that is gone is gone here, too, while its manifest stays', async () => {
    const { here, there, first, upstream, clock, local } = await withTag()
    await there.tags.delete('v1')
    clock.now += TTL
    await expectRefusal(here.manifests.get('v1'), 'MANIFEST_UNKNOWN', 404)
    await expectRefusal(local.repository('hub/app').tags.resolve('v1'), 'MANIFEST_UNKNOWN')
    upstream.failure = DOWN
    await expectRefusal(here.manifests.get('v1'), 'MANIFEST_UNKNOWN', 404)
    clock.now += TTL
    // Nothing is kept of it that could be an answer.
    await expectRefusal(here.manifests.get('v1'), 'UNAVAILABLE', 503)
    expect((await here.manifests.get(first.digest)).descriptor.digest).toBe(first.digest)
  })

  it('that moved to what is gone again when it is fetched is taken as it is then', async () => {
    const { here, there, upstream, clock, move } = await withTag()
    const second = await move()
    clock.now += TTL
    const third = { digest: second.digest }
    upstream.onAnswer = async (question) => {
      if (!question.startsWith('manifests.stat')) return
      await there.manifests.delete(second.digest)
      third.digest = (await pushImage(there, ['third'], { tags: ['v1'] })).digest
    }
    expect((await here.manifests.get('v1')).descriptor.digest).toBe(third.digest)
    expect(third.digest).not.toBe(second.digest)
  })
})

describe('a tag whose upstream cannot tell', () => {
  it.each([
    DOWN,
    new Error('getaddrinfo ENOTFOUND hub.example'),
    new RegistryError('UNKNOWN'),
    new RegistryError('UNKNOWN', { status: 502 }),
    new RegistryError('TOOMANYREQUESTS'),
  ])('is served as it was: %s', async (failure) => {
    const { here, first, upstream, clock, events, cache } = await withTag()
    upstream.failure = failure
    clock.now += 100 * TTL
    expect((await here.manifests.get('v1')).content).toEqual(first.content)
    expect(await here.tags.resolve('v1')).toBe(first.digest)
    expect(events).toContainEqual({ type: 'stale', upstream: 'hub', repository: 'hub/app', tag: 'v1' })
    expect(cache.stats().stale).toBe(1)
    // The second was not even looked up: an upstream in trouble is left alone for some seconds.
    expect(upstream.asked).toHaveLength(1)
  })

  it.each([['UNAUTHORIZED'], ['DENIED']] as const)('is not served when the upstream refuses us: %s', async (code) => {
    const { here, upstream, clock } = await withTag()
    upstream.failure = new RegistryError(code)
    clock.now += TTL
    await expectRefusal(here.manifests.get('v1'), 'DENIED', 403)
  })

  it('is looked up again when the upstream has recovered', async () => {
    const { here, upstream, clock, move } = await withTag()
    const second = await move()
    upstream.failure = DOWN
    clock.now += TTL
    await here.manifests.get('v1')
    upstream.failure = undefined
    clock.now += 5_000
    expect((await here.manifests.get('v1')).descriptor.digest).toBe(second.digest)
  })

  it('is served for so long and no longer where that was chosen', async () => {
    const { here, first, upstream, clock } = await withTag({ maxStaleMs: 2 * TTL })
    upstream.failure = DOWN
    clock.now += 2 * TTL
    expect(await here.tags.resolve('v1')).toBe(first.digest)
    clock.now += TTL
    await expectRefusal(here.manifests.get('v1'), 'UNAVAILABLE', 503)
    expect((await here.manifests.get(first.digest)).content).toEqual(first.content)
  })

  it('is served as it was when the upstream takes too long, and is what the upstream says afterwards', async () => {
    const { here, first, upstream, clock, move } = await withTag({ patienceMs: 1 })
    const second = await move()
    const { opened, open } = gate()
    upstream.gate = opened
    clock.now += TTL
    expect((await here.manifests.get('v1')).descriptor.digest).toBe(first.digest)
    open()
    await turns()
    expect((await here.manifests.get('v1')).descriptor.digest).toBe(second.digest)
  })

  it('is served after a restart, too, before the upstream was ever reached', async () => {
    const { local, first } = await withTag()
    const later = newCache({ local })
    later.upstream.failure = DOWN
    const here = later.backend.repository('hub/app')
    expect((await here.manifests.get('v1')).content).toEqual(first.content)
  })

  it('is the business of whoever asks when they leave: nothing is concluded of the upstream', async () => {
    const { here, upstream, clock, events } = await withTag()
    clock.now += TTL
    upstream.gate = new Promise(() => {})
    const leaving = new AbortController()
    const pull = here.manifests.get('v1', { signal: leaving.signal })
    await turns()
    leaving.abort(new Error('gone'))
    await expect(pull).rejects.toThrow('gone')
    expect(events.filter(({ type }) => type === 'stale')).toEqual([])
  })
})

describe('an upstream that asks us to wait', () => {
  const slowDown = (retryAfter: string) =>
    new RegistryError('TOOMANYREQUESTS', { headers: { 'retry-after': retryAfter, 'ratelimit-remaining': '0' } })

  it('is not asked before, and clients learn how long', async () => {
    const { here, first, upstream, clock, events } = await withTag()
    upstream.failure = slowDown('120')
    clock.now += TTL
    expect(await here.tags.resolve('v1')).toBe(first.digest)
    upstream.asked.length = 0
    clock.now += 60_500
    expect(await here.tags.resolve('v1')).toBe(first.digest)
    const cold = here.manifests.get('v2')
    await expect(cold).rejects.toMatchObject({ code: 'TOOMANYREQUESTS', status: 429, headers: { 'retry-after': '60' } })
    await expect(here.blobs.open(first.config.digest)).rejects.toMatchObject({ status: 429 })
    await expect(collect(here.tags.list())).resolves.toEqual(['v1'])
    expect(upstream.asked).toEqual([])
    expect(events).toContainEqual({ type: 'backed-off', upstream: 'hub', waitMs: 120_000 })
    upstream.failure = undefined
    clock.now += 59_500
    expect((await here.manifests.get('v1')).descriptor.digest).toBe(first.digest)
    expect(upstream.asked).toEqual(['manifests.stat app v1'])
  })

  it.each([
    ['a number of seconds', '30', 30_000],
    ['a date', new Date(1_000_000 + 30_000).toUTCString(), 30_000],
    ['seconds since 1970, as Docker Hub has them', '2000000000', 24 * 60 * 60 * 1000],
    ['more than a day', '864000', 24 * 60 * 60 * 1000],
  ])('may say so by %s', async (_, retryAfter, waitMs) => {
    const { backend, upstream, events, clock } = newCache()
    clock.now = 1_000_000
    upstream.failure = slowDown(retryAfter)
    await expectRefusal(backend.repository('hub/app').manifests.get('v1'), 'TOOMANYREQUESTS')
    expect(events).toEqual([{ type: 'backed-off', upstream: 'hub', waitMs }])
  })

  it.each(['soon', '-1', '0', ''])('and does not say when is asked again: %j', async (retryAfter) => {
    const { backend, upstream } = newCache()
    upstream.failure = slowDown(retryAfter)
    await expectRefusal(backend.repository('hub/app').manifests.get('v1'), 'TOOMANYREQUESTS')
    await expectRefusal(backend.repository('hub/app').manifests.get('v1'), 'TOOMANYREQUESTS')
    expect(upstream.asked).toHaveLength(2)
  })

  it('is one of several: the others are asked as before', async () => {
    const { here } = await withTag()
    const other = newCache()
    other.upstream.failure = slowDown('60')
    await expectRefusal(other.backend.repository('hub/app').manifests.get('v1'), 'TOOMANYREQUESTS')
    await here.manifests.get('v1')
  })

  it('with a 503 is left alone as well', async () => {
    const { backend, upstream } = newCache()
    upstream.failure = new RegistryError('UNAVAILABLE', { headers: { 'retry-after': '7' } })
    const { manifests } = backend.repository('hub/app')
    await expectRefusal(manifests.get('v1'), 'UNAVAILABLE', 503)
    await expect(manifests.get('v1')).rejects.toMatchObject({ status: 503, headers: { 'retry-after': '7' } })
    expect(upstream.asked).toHaveLength(1)
  })
})
