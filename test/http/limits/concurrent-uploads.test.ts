import { describe, expect, it } from 'vitest'
import type { Authorize } from '../../../src/auth/access.ts'
import { MEDIA_TYPES } from '../../../src/spec/media-types.ts'
import { CONTENT, DIGEST, start, UPLOADS } from '../endpoints/upload-support.ts'
import { type Answer, type Client, client } from '../support.ts'

const believing: Authorize = ({ headers: { from } }) => ({
  subject: typeof from === 'string' ? from : undefined,
  allows: () => true,
})

/** An upload that is being received until it is let go. */
async function receiving({ send }: Client, from?: string, remoteAddress = '192.0.2.1') {
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const body = (async function* () {
    begin()
    yield CONTENT.subarray(0, 50)
    await finished
    yield CONTENT.subarray(50)
  })()
  const headers = from === undefined ? {} : { from }
  const answer = send('POST', `${UPLOADS}?digest=${DIGEST}`, { body, headers, remoteAddress })
  await begun
  return { answer, finish }
}

const ways: Readonly<Record<string, (session: Client) => Promise<Answer>>> = {
  'POST of a blob': ({ send }) => send('POST', `${UPLOADS}?digest=${DIGEST}`, { body: CONTENT }),
  PATCH: async (session) => session.send('PATCH', await start(session), { body: CONTENT }),
  'PUT of a blob': async (session) =>
    session.send('PUT', `${await start(session)}?digest=${DIGEST}`, { body: CONTENT }),
  'PUT of a manifest': ({ send }) =>
    send('PUT', '/v2/team/app/manifests/v1', { body: '{}', headers: { 'content-type': MEDIA_TYPES.ociManifest } }),
}

describe('maxConcurrentUploads', () => {
  it.each(Object.entries(ways))('refuses a %s beyond it with 429, and takes it afterwards', async (_, upload) => {
    const session = client({ maxConcurrentUploads: 2 })
    const [first, second] = [await receiving(session), await receiving(session)]
    const { status, headers, error } = await upload(session)
    expect([status, headers['retry-after']]).toEqual([429, '5'])
    expect(error).toEqual({
      code: 'TOOMANYREQUESTS',
      message: 'too much is being uploaded here: 2 requests at once',
      detail: { limit: 2 },
    })
    first.finish()
    expect((await first.answer).status).toBe(201)
    expect((await upload(session)).status).not.toBe(429)
    second.finish()
    expect((await second.answer).status).toBe(201)
  })

  it('does not count what brings nothing', async () => {
    const session = client({ maxConcurrentUploads: 1 })
    const location = await start(session)
    await session.send('PATCH', location, { body: CONTENT })
    const { answer, finish } = await receiving(session)
    expect((await session.get('/v2/')).status).toBe(200)
    await start(session)
    expect((await session.send('PUT', `${location}?digest=${DIGEST}`)).status).toBe(201)
    finish()
    await answer
  })

  it('has a place again when an upload fails', async () => {
    const session = client({ maxConcurrentUploads: 1 })
    const body = (async function* (): AsyncGenerator<Uint8Array> {
      yield CONTENT
      throw new Error('gone')
    })()
    expect((await session.send('POST', `${UPLOADS}?digest=${DIGEST}`, { body })).status).toBe(500)
    expect((await session.send('POST', `${UPLOADS}?digest=${DIGEST}`, { body: CONTENT })).status).toBe(201)
  })
})

describe('maxConcurrentUploadsPerClient', () => {
  it('counts a principal wherever it is, and anonymous ones by address', async () => {
    const session = client({ access: believing, maxConcurrentUploadsPerClient: 1 })
    const running = [
      await receiving(session, 'alice'),
      await receiving(session, 'bob'),
      await receiving(session),
      await receiving(session, undefined, '192.0.2.2'),
    ]
    const blob = { body: CONTENT, headers: { from: 'alice' }, remoteAddress: '192.0.2.3' }
    const { status, headers, error } = await session.send('POST', `${UPLOADS}?digest=${DIGEST}`, blob)
    expect([status, headers['retry-after']]).toEqual([429, '5'])
    expect(error).toEqual({
      code: 'TOOMANYREQUESTS',
      message: 'too much is being uploaded by you: 1 requests at once',
      detail: { limit: 1 },
    })
    for (const { answer, finish } of running) {
      finish()
      expect((await answer).status).toBe(201)
    }
    expect((await session.send('POST', `${UPLOADS}?digest=${DIGEST}`, blob)).status).toBe(201)
  })

  it.each(['maxConcurrentUploads', 'maxConcurrentUploadsPerClient'])('%s must be a positive integer', (name) => {
    expect(() => client({ [name]: 0 })).toThrow(new TypeError(`the option "${name}" must be a positive integer`))
  })
})
