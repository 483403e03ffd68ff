import { describe, expect, it } from 'vitest'
import { memory } from '../../../src/drivers/memory.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { keysUnder } from '../../support/keys.ts'
import { CONTENT, DIGEST, start, UPLOADS } from '../endpoints/upload-support.ts'
import { type Client, client } from '../support.ts'

/** A registry that takes blobs of up to `maxBlobBytes`, and what lies in its storage. */
function limited(maxBlobBytes: number): Client & { readonly left: () => Promise<readonly string[]> } {
  const storage = memory()
  const session = client({ maxBlobBytes }, new Registry({ storage, logger: silentLogger }))
  return { ...session, left: () => keysUnder(storage, 'docker/registry/v2/repositories') }
}

const TOO_LARGE = {
  code: 'SIZE_INVALID',
  message: 'blob too large: at most 99 bytes',
  detail: { limit: 99 },
}

/** A body that notes whether anybody asked for it. */
function watched(...pieces: readonly Uint8Array[]) {
  const seen = { chunks: 0 }
  const body = (async function* () {
    for (const piece of pieces) {
      seen.chunks++
      yield piece
    }
  })()
  return { seen, body }
}

const THIRDS = [CONTENT.subarray(0, 30), CONTENT.subarray(30, 99), CONTENT.subarray(99)]

describe('maxBlobBytes', () => {
  it('takes a blob of exactly as many bytes, by each way to upload', async () => {
    const session = limited(100)
    expect((await session.send('POST', `${UPLOADS}?digest=${DIGEST}`, { body: CONTENT })).status).toBe(201)
    const put = await start(session)
    expect((await session.send('PUT', `${put}?digest=${DIGEST}`, { body: CONTENT })).status).toBe(201)
    const patched = await start(session)
    expect((await session.send('PATCH', patched, { body: watched(...THIRDS).body })).status).toBe(202)
    expect((await session.send('PUT', `${patched}?digest=${DIGEST}`)).status).toBe(201)
  })

  it.each<[string, Readonly<Record<string, string>>]>([
    ['Content-Length', { 'content-length': '100' }],
    ['Content-Range', { 'content-range': '0-99' }],
  ])('refuses what %s tells is larger with 413, and asks for none of it', async (_, headers) => {
    for (const method of ['POST', 'PATCH', 'PUT']) {
      const session = limited(99)
      const url = method === 'POST' ? UPLOADS : await start(session)
      const { seen, body } = watched(CONTENT)
      const target = method === 'PATCH' ? url : `${url}?digest=${DIGEST}`
      const { status, error, headers: answered } = await session.send(method, target, { body, headers })
      expect([method, status, error, seen.chunks]).toEqual([method, 413, TOO_LARGE, 0])
      expect(answered['content-type']).toBe('application/json')
      expect(await session.left()).toEqual([])
    }
  })

  it.each(['POST', 'PATCH', 'PUT'])(
    'stops a %s without a length at the first byte too much, and keeps nothing',
    async (method) => {
      const session = limited(99)
      const url = method === 'POST' ? UPLOADS : await start(session)
      const { seen, body } = watched(...THIRDS, CONTENT, CONTENT)
      const target =
        method === 'PATCH' ? url : `${url}?digest=${digestOf(Buffer.concat([...THIRDS, CONTENT, CONTENT]))}`
      const { status, error } = await session.send(method, target, { body })
      expect([status, error, seen.chunks]).toEqual([413, TOO_LARGE, 3])
      expect(await session.left()).toEqual([])
    },
  )

  it('counts what came before, and ends such an upload', async () => {
    const session = limited(99)
    const location = await start(session)
    expect((await session.send('PATCH', location, { body: CONTENT.subarray(0, 60) })).status).toBe(202)
    const { status, error } = await session.send('PATCH', location, { body: CONTENT.subarray(60) })
    expect([status, error]).toEqual([413, TOO_LARGE])
    expect((await session.get(location)).status).toBe(404)
    expect(await session.left()).toEqual([])
  })

  it('refuses to publish what another node, without the limit, has taken', async () => {
    const storage = memory()
    const [one, two] = [{}, { maxBlobBytes: 99 }].map((options) =>
      client(options, new Registry({ storage, logger: silentLogger })),
    ) as [Client, Client]
    const location = await start(one)
    await one.send('PATCH', location, { body: CONTENT })
    const { status, error } = await two.send('PUT', `${location}?digest=${DIGEST}`)
    expect([status, error]).toEqual([413, TOO_LARGE])
    expect(await keysUnder(storage, 'docker/registry/v2/blobs')).toEqual([])
  })

  it('answers a gap with where to go on, whatever would have come', async () => {
    const session = limited(99)
    const location = await start(session)
    const answer = await session.send('PATCH', location, { body: CONTENT, headers: { 'content-range': '50-149' } })
    expect([answer.status, answer.headers['upload-offset']]).toEqual([416, '0'])
    expect((await session.get(location)).status).toBe(204)
  })

  it('is no limit by default, and must be a positive integer', () => {
    for (const maxBlobBytes of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => client({ maxBlobBytes })).toThrow('the option "maxBlobBytes" must be a positive integer')
    }
  })
})
