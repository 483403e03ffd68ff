import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Authorize } from '../../../src/auth/access.ts'
import { memory } from '../../../src/drivers/memory.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry, type RegistryOptions } from '../../../src/registry.ts'
import { keysUnder } from '../../support/keys.ts'
import { CONTENT, DIGEST, OTHER, start } from '../endpoints/upload-support.ts'
import { type Answer, type Client, client } from '../support.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

const believing: Authorize = ({ headers: { from } }) => ({
  subject: typeof from === 'string' ? from : undefined,
  allows: () => true,
})

const storage = () => memory()

function node(options: Partial<RegistryOptions> = {}, shared = storage()): Client {
  return client({ access: believing }, new Registry({ storage: shared, logger: silentLogger, ...options }))
}

const uploadsOf = (repository: string) => `/v2/${repository}/blobs/uploads/`

function begin({ send }: Client, repository = 'team/app', from?: string): Promise<Answer> {
  return send('POST', uploadsOf(repository), { headers: from === undefined ? {} : { from } })
}

async function refuses(answer: Promise<Answer>, who: string, limit: number): Promise<void> {
  const { status, headers, error } = await answer
  expect([status, headers['retry-after'], headers['content-type']]).toEqual([429, '10', 'application/json'])
  expect(error).toEqual({
    code: 'TOOMANYREQUESTS',
    message: `too many uploads are open: ${who} may have ${limit} at once`,
    detail: { limit },
  })
}

async function fill(session: Client, count: number, repository = 'team/app', from?: string): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: count }, () => begin(session, repository, from)))
  expect(answers.map(({ status }) => status)).toEqual(Array<number>(count).fill(202))
  return answers.map(({ headers }) => String(headers.location))
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'performance'] }))
afterEach(() => void vi.useRealTimers())

describe('maxUploadsPerRepository', () => {
  it('is 1000, for all who push to it together', async () => {
    const session = node()
    for (let i = 0; i < 10; i++) await fill(session, 100, 'team/app', `user${i}`)
    await refuses(begin(session, 'team/app', 'another'), 'this repository', 1000)
    await refuses(begin(session), 'this repository', 1000)
    expect((await begin(session, 'team/other')).status).toBe(202)
  })

  it('leaves nothing of what it refuses in the storage', async () => {
    const shared = storage()
    const session = node({ maxUploadsPerRepository: 0 }, shared)
    await refuses(begin(session), 'this repository', 0)
    expect(await keysUnder(shared, 'docker/registry/v2/repositories')).toEqual([])
  })

  it('does not count a blob in one POST', async () => {
    const session = node({ maxUploadsPerRepository: 0 })
    const { status } = await session.send('POST', `${uploadsOf('team/app')}?digest=${DIGEST}`, { body: CONTENT })
    expect(status).toBe(201)
  })

  it.each<[string, (session: Client, location: string) => Promise<Answer>, number]>([
    ['finished', ({ send }, location) => send('PUT', `${location}?digest=${DIGEST}`, { body: CONTENT }), 201],
    ['cancelled', ({ send }, location) => send('DELETE', location), 204],
    [
      'ended by a wrong digest',
      ({ send }, location) => send('PUT', `${location}?digest=${OTHER}`, { body: CONTENT }),
      400,
    ],
  ])('has a place again when an upload is %s', async (_, end, status) => {
    const session = node({ maxUploadsPerRepository: 3 })
    const [first = ''] = await fill(session, 3)
    await refuses(begin(session), 'this repository', 3)
    expect((await end(session, first)).status).toBe(status)
    await fill(session, 1)
    await refuses(begin(session), 'this repository', 3)
  })

  it('has places again when the repository is deleted', async () => {
    const session = node({ maxUploadsPerRepository: 3 })
    await fill(session, 3)
    await session.registry.repository('team/app').delete()
    await fill(session, 3)
  })

  it('looks for uploads that another node has ended before it refuses, once for all who ask', async () => {
    const shared = storage()
    const [one, two] = [node({ maxUploadsPerRepository: 40 }, shared), node({}, shared)]
    const locations = await fill(one, 40)
    for (const location of locations.slice(15)) expect((await two.send('DELETE', location)).status).toBe(204)
    await fill(one, 25)
    const stat = vi.spyOn(shared, 'stat')
    await Promise.all(Array.from({ length: 5 }, () => refuses(begin(one), 'this repository', 40)))
    expect(stat).toHaveBeenCalledTimes(40)
    await refuses(begin(one), 'this repository', 40)
    expect(stat).toHaveBeenCalledTimes(40)
    expect((await two.send('DELETE', String(locations[0]))).status).toBe(204)
    vi.advanceTimersByTime(5_000)
    await fill(one, 1)
  })

  it('cannot tell, and says so, where the storage fails', async () => {
    const shared = storage()
    const session = node({ maxUploadsPerRepository: 1 }, shared)
    await fill(session, 1)
    vi.spyOn(shared, 'stat').mockRejectedValue(new Error('no storage'))
    expect((await begin(session)).status).toBe(500)
  })

  it('does not count what nobody touched for an hour', async () => {
    const session = node({ maxUploadsPerRepository: 2 })
    const [first = ''] = await fill(session, 2)
    vi.advanceTimersByTime(HOUR_MS - 1)
    expect((await session.get(first)).status).toBe(204)
    await refuses(begin(session), 'this repository', 2)
    vi.advanceTimersByTime(1)
    await fill(session, 1)
    await refuses(begin(session), 'this repository', 2)
  })
})

describe('maxUploadsPerActor', () => {
  it('is 100, over all repositories', async () => {
    const session = node()
    await fill(session, 50, 'team/app', 'alice')
    await fill(session, 50, 'team/other', 'alice')
    await refuses(begin(session, 'team/third', 'alice'), 'you', 100)
    await fill(session, 100, 'team/third', 'bob')
    await fill(session, 101, 'team/third')
  })

  it('has a place again when an upload is finished', async () => {
    const session = node({ maxUploadsPerActor: 1 })
    const [first = ''] = await fill(session, 1, 'team/app', 'alice')
    await refuses(begin(session, 'team/other', 'alice'), 'you', 1)
    await session.send('PUT', `${first}?digest=${DIGEST}`, { body: CONTENT, headers: { from: 'alice' } })
    await fill(session, 1, 'team/other', 'alice')
  })
})

describe('R-ORPH: uploadLifetimeMs', () => {
  const attempts = (session: Client, location: string): Promise<Answer>[] => [
    session.get(location),
    session.send('PATCH', location, { body: CONTENT }),
    session.send('PUT', `${location}?digest=${DIGEST}`, { body: CONTENT }),
    session.send('DELETE', location),
  ]

  it.each([
    ['where it was begun', false],
    ['on another node', true],
  ])('is 7 days, after which an upload is unknown and gone, %s', async (_, elsewhere) => {
    for (const i of [0, 1, 2, 3]) {
      const shared = storage()
      const one = node({}, shared)
      const other = elsewhere ? node({}, shared) : one
      const location = await start(one, uploadsOf('team/app'))
      await one.send('PATCH', location, { body: CONTENT.subarray(0, 50) })
      vi.advanceTimersByTime(7 * DAY_MS)
      expect((await other.get(location)).status).toBe(204)
      vi.advanceTimersByTime(1)
      const answer = await attempts(other, location)[i]
      expect([answer?.status, answer?.error.code]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
      expect(await keysUnder(shared, 'docker/registry/v2/repositories')).toEqual([])
    }
  })

  it('can be set', async () => {
    const session = node({ uploadLifetimeMs: MINUTE_MS })
    const location = await start(session, uploadsOf('team/app'))
    vi.advanceTimersByTime(MINUTE_MS + 1)
    expect((await session.get(location)).status).toBe(404)
  })

  it('takes abandoned uploads away, a day later and a hundred at a time, when somebody uploads to the repository', async () => {
    const shared = storage()
    const folder = 'docker/registry/v2/repositories/team/app/_uploads'
    // As Distribution leaves them: it has a file for the state of the hash as well. The first hundred are younger.
    for (let i = 100; i < 350; i++) {
      const id = `7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9${i}`
      const startedAt = new Date(Date.now() + (i < 200 ? DAY_MS : 0))
      await shared.put(`${folder}/${id}/startedat`, Buffer.from(startedAt.toISOString()))
      await shared.put(`${folder}/${id}/hashstates/sha256/0`, Buffer.from('state'))
    }
    const session = client({}, new Registry({ storage: shared, logger: silentLogger }))
    const count = async () => new Set((await keysUnder(shared, folder)).map((key) => key.split('/')[7])).size
    const get = vi.spyOn(shared, 'get')
    vi.advanceTimersByTime(8 * DAY_MS + 1)
    const young = await start(session, uploadsOf('team/app'))
    await vi.waitFor(() => expect(get).toHaveBeenCalledTimes(100))
    await start(session, uploadsOf('team/app')) // not due
    await new Promise((resolve) => setImmediate(resolve))
    expect(get).toHaveBeenCalledTimes(100)
    vi.advanceTimersByTime(HOUR_MS)
    await start(session, uploadsOf('team/app'))
    await vi.waitFor(async () => expect([153, 154]).toContain(await count()))
    vi.advanceTimersByTime(HOUR_MS)
    await start(session, uploadsOf('team/app'))
    await vi.waitFor(async () => expect(await count()).toBe(104))
    expect((await session.get(young)).status).toBe(204)
  })

  it.each(['', 'yesterday'])('leaves alone what it cannot date: %j', async (text) => {
    const shared = storage()
    const id = '7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11'
    await shared.put(`docker/registry/v2/repositories/team/app/_uploads/${id}/startedat`, Buffer.from(text))
    const registry = new Registry({ storage: shared, logger: silentLogger })
    const session = client({}, registry)
    vi.advanceTimersByTime(30 * DAY_MS)
    await start(session, uploadsOf('team/app'))
    await registry.close()
    expect((await node({}, shared).get(`${uploadsOf('team/app')}${id}`)).status).toBe(204)
  })

  it('leaves alone what is a day too old at most: a request that came in time may be at work', async () => {
    const shared = storage()
    const registry = new Registry({ storage: shared, logger: silentLogger })
    const session = client({}, registry)
    await start(session, uploadsOf('team/app'))
    vi.advanceTimersByTime(8 * DAY_MS)
    await start(session, uploadsOf('team/app'))
    await registry.close() // waits for the sweep
    expect(await keysUnder(shared, 'docker/registry/v2/repositories')).toHaveLength(2)
  })

  it('goes on where it cannot', async () => {
    const shared = storage()
    const warnings: string[] = []
    const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) }
    await using registry = new Registry({ storage: shared, logger })
    vi.spyOn(shared, 'list').mockImplementation(() => {
      throw new Error('no listing')
    })
    vi.advanceTimersByTime(HOUR_MS)
    expect((await client({}, registry).send('POST', uploadsOf('team/app'))).status).toBe(202)
    await vi.waitFor(() => expect(warnings).toEqual(['could not look for uploads that are too old']))
  })
})
