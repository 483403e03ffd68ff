import { describe, expect, it } from 'vitest'
import { memory } from '../../../src/drivers/memory.ts'
import { RegistryError } from '../../../src/errors.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { recordingLogger } from '../../http/support.ts'
import { bytes, collect, pushImage } from '../../support/images.ts'
import { expectRefusal } from '../support.ts'
import { DOWN, gate, newCache, turns } from './support.ts'

const NEVER = digestOf(bytes('never pushed'))

async function withImage(...options: Parameters<typeof newCache>) {
  const cache = newCache(...options)
  const there = cache.upstream.registry.repository('app')
  const image = await pushImage(there, ['layer'], { tags: ['v1'] })
  return { ...cache, there, image, here: cache.backend.repository('hub/app') }
}

describe('a manifest by its digest', () => {
  it('is fetched once, kept byte for byte, and never asked for again', async () => {
    const { here, image, upstream, local } = await withImage()
    for (let i = 0; i < 3; i++) expect((await here.manifests.get(image.digest)).content).toEqual(image.content)
    expect((await here.manifests.stat(image.digest)).size).toBe(image.content.byteLength)
    expect(upstream.asked).toEqual([`manifests.get app ${image.digest}`])
    expect((await local.repository('hub/app').manifests.get(image.digest)).content).toEqual(image.content)
  })

  it('is fetched once for all who want it at the same time', async () => {
    const { here, image, upstream } = await withImage()
    const { opened, open } = gate()
    upstream.gate = opened
    const pulls = Promise.all(Array.from({ length: 50 }, () => here.manifests.get(image.digest)))
    await turns()
    open()
    expect(new Set((await pulls).map(({ descriptor }) => descriptor.digest))).toEqual(new Set([image.digest]))
    expect(upstream.count('manifests.get')).toBe(1)
  })

  it('goes on arriving for others when the one who asked first leaves', async () => {
    const { here, image, upstream } = await withImage()
    const { opened, open } = gate()
    upstream.gate = opened
    const first = new AbortController()
    const left = here.manifests.get(image.digest, { signal: first.signal })
    const stays = here.manifests.get(image.digest)
    await turns()
    first.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    open()
    expect((await stays).descriptor.digest).toBe(image.digest)
    expect(upstream.count('manifests.get')).toBe(1)
  })

  it('is not kept, and not served, when it is another', async () => {
    const { image, upstream, local, here } = await withImage()
    upstream.manifest = bytes('{"other":true}')
    await expectRefusal(here.manifests.get(image.digest), 'UNAVAILABLE', 503)
    await expectRefusal(here.manifests.get('v1'), 'UNAVAILABLE', 503)
    expect(await collect(local.repository('hub/app').manifests.list())).toEqual([])
  })

  it('is served where it cannot be kept, and the reason told', async () => {
    const logger = recordingLogger()
    const strict = new Registry({ storage: memory(), logger: silentLogger })
    const { here, image } = await withImage({ local: strict, logger })
    expect((await here.manifests.get('v1')).content).toEqual(image.content)
    expect(logger.lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'warn: cannot keep a manifest that was pulled through: the registry that keeps it needs the option sparse: "all"',
    ])
  })
})

describe('what the upstream does not have', () => {
  it('is not found, and not asked for again for a while', async () => {
    const { here, upstream, clock } = await withImage({ negativeTtlMs: 5_000 })
    for (const reference of [NEVER, 'v9']) {
      upstream.asked.length = 0
      await expectRefusal(here.manifests.get(reference), 'MANIFEST_UNKNOWN', 404)
      clock.now += 4_999
      await expectRefusal(here.manifests.get(reference), 'MANIFEST_UNKNOWN', 404)
      expect(upstream.asked).toHaveLength(1)
      clock.now += 1
      await expectRefusal(here.manifests.get(reference), 'MANIFEST_UNKNOWN', 404)
      expect(upstream.asked).toHaveLength(2)
    }
  })

  it('is found when it is there again', async () => {
    const { here, there, upstream, clock } = await withImage()
    await expectRefusal(here.manifests.get('v2'), 'MANIFEST_UNKNOWN')
    const image = await pushImage(there, ['second'], { tags: ['v2'] })
    clock.now += 5_000
    expect((await here.manifests.get('v2')).descriptor.digest).toBe(image.digest)
    expect(upstream.count('manifests.get')).toBe(2)
  })

  it.each(['', '../v1', '-x', 'a b', `${'x'.repeat(129)}`])(
    'is not asked for where it can be no tag: %j',
    async (tag) => {
      const { here, upstream } = await withImage()
      await expectRefusal(here.manifests.get(tag), 'MANIFEST_UNKNOWN')
      expect(upstream.asked).toEqual([])
    },
  )
})

describe('an upstream that cannot tell', () => {
  it.each([
    [DOWN, 'UNAVAILABLE', 503, 'the upstream hub cannot be asked now'],
    [new Error('socket hang up'), 'UNAVAILABLE', 503, 'the upstream hub cannot be asked now'],
    [new RegistryError('UNKNOWN', { status: 502 }), 'UNAVAILABLE', 503, 'the upstream hub cannot be asked now'],
    [new RegistryError('TOOMANYREQUESTS'), 'TOOMANYREQUESTS', 429, 'the upstream hub asks for fewer requests'],
    [new RegistryError('UNAUTHORIZED'), 'DENIED', 403, 'the upstream hub refuses us this'],
    [new RegistryError('DENIED'), 'DENIED', 403, 'the upstream hub refuses us this'],
  ])('is never "not found": %s', async (failure, code, status, message) => {
    const { here, image, upstream } = await withImage()
    upstream.failure = failure
    for (const reference of ['v1', image.digest]) {
      const pull = here.manifests.get(reference)
      await expect(pull).rejects.toMatchObject({ code, status, message })
    }
  })

  it('is not quoted: neither its words, nor its challenge, nor its headers reach a client', async () => {
    const { here, upstream } = await withImage()
    upstream.failure = new RegistryError('UNAUTHORIZED', {
      message: 'user ci:s3cr3t is not known at https://auth.example',
      detail: { token: 's3cr3t' },
      headers: { 'www-authenticate': 'Bearer realm="https://auth.example"', 'x-token': 's3cr3t' },
    })
    const error: unknown = await here.manifests.get('v1').catch((caught: unknown) => caught)
    if (!RegistryError.is(error)) throw error
    expect(error.headers).toEqual({})
    expect(JSON.stringify([error.message, error.detail])).not.toMatch(/s3cr3t|auth\.example/)
  })
})
