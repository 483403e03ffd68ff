import { describe, expect, it } from 'vitest'
import type { Authorize } from '../../../src/auth/access.ts'
import { memory } from '../../../src/drivers/memory.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { keysUnder } from '../../support/keys.ts'
import { CONTENT, DIGEST, UPLOADS, where } from '../endpoints/upload-support.ts'
import { type Answer, type Client, client } from '../support.ts'

/** Believes whoever says a name; what they may do is looked up with each request. */
const believing =
  (denied: ReadonlySet<string> = new Set()): Authorize =>
  ({ headers: { from } }) => ({
    subject: typeof from === 'string' ? from : undefined,
    allows: ({ action }) => !denied.has(`${from} ${action}`),
  })

const as = (from: string | undefined) => ({ headers: from === undefined ? {} : { from } })

/** Begun by `from`, with half of the content in it. */
async function begun({ send }: Client, from: string | undefined): Promise<string> {
  const location = String((await send('POST', UPLOADS, as(from))).headers.location)
  expect((await send('PATCH', location, { ...as(from), body: CONTENT.subarray(0, 50) })).status).toBe(202)
  return location
}

/** Everything that can be done to an upload. */
function attempts({ send }: Client, location: string, from: string | undefined): Promise<Answer>[] {
  return [
    send('GET', location, as(from)),
    send('PATCH', location, { ...as(from), body: CONTENT.subarray(50) }),
    send('PUT', `${location}?digest=${DIGEST}`, { ...as(from), body: CONTENT.subarray(50) }),
    send('DELETE', location, as(from)),
  ]
}

const idOf = (location: string) => location.slice(location.lastIndexOf('/') + 1)

describe('A09, CVE-2026-32589: the upload of somebody', () => {
  // At Quay, an id was all that it took, whoever sent it and for whichever repository.
  it.each([
    ['another principal', 'bob', UPLOADS],
    ['nobody in particular', undefined, UPLOADS],
    ['another principal in another repository', 'bob', '/v2/team/other/blobs/uploads/'],
    ['its own principal in another repository', 'alice', '/v2/team/other/blobs/uploads/'],
    ['its own principal in a repository within', 'alice', '/v2/team/app/blobs/blobs/uploads/'],
    ['its own principal in a repository around', 'alice', '/v2/team/blobs/uploads/'],
  ])('is unknown to %s, like one that never was, and stays as it is', async (_, from, uploads) => {
    const session = client({ access: believing() })
    const location = await begun(session, 'alice')
    const never = String((await session.send('POST', UPLOADS, as('carol'))).headers.location)
    await session.send('DELETE', never, as('carol'))
    const answers = await Promise.all(attempts(session, uploads + idOf(location), from))
    const unknown = await Promise.all(attempts(session, uploads + idOf(never), from))
    for (const [i, { status, text, error }] of answers.entries()) {
      expect([status, error.code]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
      expect(text.replaceAll(idOf(location), 'ID')).toBe(unknown[i]?.text.replaceAll(idOf(never), 'ID'))
    }
    expect(where(await session.get(location, { from: 'alice' }))).toEqual([204, '0-49'])
  })

  it('goes on for whoever began it, on another node as well', async () => {
    const storage = memory()
    const [one, two] = [1, 2].map(() =>
      client({ access: believing() }, new Registry({ storage, logger: silentLogger })),
    ) as [Client, Client]
    const location = await begun(one, 'alice')
    const last = { ...as('alice'), body: CONTENT.subarray(50) }
    expect((await two.send('PUT', `${location}?digest=${DIGEST}`, last)).status).toBe(201)
    expect(await keysUnder(storage, 'docker/registry/v2/repositories/team/app/_uploads')).toEqual([])
  })

  it('cannot be had by an id that somebody else computes for themselves', async () => {
    const session = client({ access: believing() })
    const location = await begun(session, 'alice')
    const own = idOf(await begun(session, 'bob'))
    // All that is public of the scheme: the first half of the one, the second half for bob.
    for (const id of [idOf(location).slice(0, 18) + own.slice(18), own.slice(0, 18) + idOf(location).slice(18)]) {
      expect((await session.get(UPLOADS + id, { from: 'bob' })).status).toBe(404)
    }
  })
})

describe('an upload that is bound to nobody', () => {
  it('goes on for whoever knows its id, where it was begun anonymously', async () => {
    const session = client({ access: believing() })
    const location = await begun(session, undefined)
    const last = { ...as('alice'), body: CONTENT.subarray(50) }
    expect((await session.send('PUT', `${location}?digest=${DIGEST}`, last)).status).toBe(201)
  })

  it('goes on where Distribution began it', async () => {
    const storage = memory()
    const id = '7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11'
    const started = Buffer.from(new Date().toISOString())
    await storage.put(`docker/registry/v2/repositories/team/app/_uploads/${id}/startedat`, started)
    const session = client({ access: believing() }, new Registry({ storage, logger: silentLogger }))
    const put = await session.send('PUT', `${UPLOADS}${id}?digest=${DIGEST}`, { ...as('alice'), body: CONTENT })
    expect(put.status).toBe(201)
  })
})

describe('a permission that is taken away during an upload', () => {
  it.each(['push', 'pull'])('denies everything that comes after, where it was to %s', async (action) => {
    const denied = new Set<string>()
    const session = client({ access: believing(denied) })
    const location = await begun(session, 'alice')
    denied.add(`alice ${action}`)
    for (const { status, error } of await Promise.all(attempts(session, location, 'alice'))) {
      expect([status, error.code]).toEqual([403, 'DENIED'])
    }
    denied.clear()
    expect(where(await session.get(location, { from: 'alice' }))).toEqual([204, '0-49'])
    expect((await session.get(`/v2/team/app/blobs/${DIGEST}`, { from: 'alice' })).status).toBe(404)
  })
})
