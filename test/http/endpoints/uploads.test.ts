import { describe, expect, it } from 'vitest'
import { memory } from '../../../src/drivers/memory.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { readBlob } from '../../support/images.ts'
import { client } from '../support.ts'
import { CONTENT, chunks, DIGEST, OTHER, SHA512, start, UPLOADS, where } from './upload-support.ts'

describe('startUpload', () => {
  it('answers 202 with everything that clients go on with', async () => {
    const { send } = client()
    const { status, headers, body } = await send('POST', UPLOADS, { headers: { 'x-request-id': 'r1' } })
    const id = String(headers['docker-upload-uuid'])
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/)
    expect([status, body.length]).toEqual([202, 0])
    expect(headers).toEqual({
      'docker-distribution-api-version': 'registry/2.0',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'r1',
      'docker-upload-uuid': id,
      location: `${UPLOADS}${id}`,
      range: '0-0',
      'upload-offset': '0',
      'content-length': '0',
    })
  })

  it('tells the smallest chunk where the storage has one', async () => {
    const storage = memory()
    const registry = new Registry({ storage: Object.assign(storage, { minChunkBytes: 5_242_880 }) })
    const { headers } = await client({}, registry).send('POST', UPLOADS)
    expect(headers['oci-chunk-min-length']).toBe('5242880')
  })

  it('puts the mount path into the location', async () => {
    const { send } = client()
    const { headers } = await send('POST', '/deep/down/v2/a/blobs/uploads/', { mountPath: '/deep/down' })
    expect(headers.location).toBe(`/deep/down/v2/a/blobs/uploads/${headers['docker-upload-uuid']}`)
  })

  it('takes sha512 for an announced algorithm, finished under its digest', async () => {
    const session = client()
    const location = await start(session, `${UPLOADS}?digest-algorithm=sha512`)
    await session.send('PATCH', location, { body: CONTENT })
    const { status, headers } = await session.send('PUT', `${location}?digest=${SHA512}`)
    expect([status, headers['docker-content-digest'], headers.location]).toEqual([
      201,
      SHA512,
      `/v2/team/app/blobs/${SHA512}`,
    ])
  })
})

describe('uploadBlob', () => {
  it.each([DIGEST, SHA512])('stores a blob in one POST: %s', async (digest) => {
    const { registry, send } = client()
    const { status, headers, body } = await send('POST', `${UPLOADS}?digest=${digest}`, {
      body: CONTENT,
      headers: { 'x-request-id': 'r1' },
    })
    expect([status, body.length]).toEqual([201, 0])
    expect(headers).toEqual({
      'docker-distribution-api-version': 'registry/2.0',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'r1',
      location: `/v2/team/app/blobs/${digest}`,
      'docker-content-digest': digest,
      'content-length': '0',
    })
    expect(await readBlob(registry.repository('team/app'), digest)).toBe(CONTENT.toString())
  })

  it('stores the empty blob', async () => {
    const { send, get } = client()
    const digest = digestOf(Buffer.alloc(0))
    expect((await send('POST', `${UPLOADS}?digest=${digest}`)).status).toBe(201)
    const { status, headers } = await get(`/v2/team/app/blobs/${digest}`)
    expect([status, headers['content-length']]).toEqual([200, '0'])
  })

  it('refuses what has another digest, and keeps nothing of it', async () => {
    const { send, get } = client()
    const { status, error } = await send('POST', `${UPLOADS}?digest=${OTHER}`, { body: CONTENT })
    expect([status, error.code]).toEqual([400, 'DIGEST_INVALID'])
    expect((await get(`/v2/team/app/blobs/${OTHER}`)).status).toBe(404)
    expect((await get(`/v2/team/app/blobs/${DIGEST}`)).status).toBe(404)
  })

  it('refuses encoded content without reading it', async () => {
    const { send } = client()
    let read = false
    const body = (async function* () {
      read = true
      yield CONTENT
    })()
    const headers = { 'content-encoding': 'gzip' }
    const { status, error, headers: answered } = await send('POST', `${UPLOADS}?digest=${DIGEST}`, { body, headers })
    expect([status, error.code, answered['accept-encoding'], read]).toEqual([415, 'UNSUPPORTED', 'identity', false])
  })

  it('takes the identity for no encoding', async () => {
    const { send } = client()
    const headers = { 'content-encoding': 'Identity' }
    expect((await send('POST', `${UPLOADS}?digest=${DIGEST}`, { body: CONTENT, headers })).status).toBe(201)
  })
})

describe('uploadStatus', () => {
  it('answers 204 with where the upload stands', async () => {
    const session = client()
    const location = await start(session)
    await session.send('PATCH', location, { body: CONTENT.subarray(0, 1) })
    const one = await session.get(location, { 'x-request-id': 'r1' })
    expect([one.status, one.body.length]).toEqual([204, 0])
    expect(one.headers).toEqual({
      'docker-distribution-api-version': 'registry/2.0',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'r1',
      location,
      range: '0-0',
      'upload-offset': '1',
      'docker-upload-uuid': location.slice(UPLOADS.length),
    })
  })

  it('answers 404 to an upload that is finished, cancelled, or never was', async () => {
    const session = client()
    const finished = await start(session)
    await session.send('PUT', `${finished}?digest=${DIGEST}`, { body: CONTENT })
    const cancelled = await start(session)
    await session.send('DELETE', cancelled)
    for (const location of [finished, cancelled, `${UPLOADS}7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11`]) {
      const { status, error } = await session.get(location)
      expect([status, error.code]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
    }
  })
})

describe('finishUpload', () => {
  it.each([DIGEST, SHA512])('takes the whole blob in the PUT: %s', async (digest) => {
    const session = client()
    const location = await start(session)
    const { status, headers } = await session.send('PUT', `${location}?digest=${digest}`, { body: CONTENT })
    expect([status, headers.location]).toEqual([201, `/v2/team/app/blobs/${digest}`])
    expect((await session.get(String(headers.location))).body.equals(CONTENT)).toBe(true)
  })

  it('takes the last chunk in the PUT', async () => {
    const session = client()
    const location = await start(session)
    await session.send('PATCH', location, { body: CONTENT.subarray(0, 60), headers: { 'content-range': '0-59' } })
    const last = { body: CONTENT.subarray(60), headers: { 'content-range': '60-99' } }
    expect((await session.send('PUT', `${location}?digest=${DIGEST}`, last)).status).toBe(201)
    expect((await session.get(`/v2/team/app/blobs/${DIGEST}`)).body.equals(CONTENT)).toBe(true)
  })

  it('answers 416 to a last chunk out of order, and goes on afterwards', async () => {
    const session = client()
    const location = await start(session)
    await session.send('PATCH', location, { body: CONTENT.subarray(0, 60) })
    const gap = { body: CONTENT.subarray(60), headers: { 'content-range': '0-39' } }
    const answer = await session.send('PUT', `${location}?digest=${DIGEST}`, gap)
    expect([...where(answer), answer.headers.location]).toEqual([416, '0-59', location])
    const last = { body: CONTENT.subarray(60), headers: { 'content-range': '60-99' } }
    expect((await session.send('PUT', `${location}?digest=${DIGEST}`, last)).status).toBe(201)
  })

  it.each([
    ['where it ended', '0-99', 201],
    ['where it would go on', '100-199', 201],
    ['something else', '5-9', 416],
  ])('reads a range without a body as %s: %s gives %i', async (_, range, status) => {
    const session = client()
    const location = await start(session)
    await session.send('PATCH', location, { body: CONTENT })
    const answer = await session.send('PUT', `${location}?digest=${DIGEST}`, { headers: { 'content-range': range } })
    expect(answer.status).toBe(status)
  })

  it('counts a last chunk without a length, and keeps the upload', async () => {
    const session = client()
    const location = await start(session)
    const short = { body: chunks('0123456789'), headers: { 'content-range': '0-99' } }
    const answer = await session.send('PUT', `${location}?digest=${DIGEST}`, short)
    expect([answer.status, answer.error.code]).toEqual([400, 'SIZE_INVALID'])
    expect(where(await session.get(location))).toEqual([204, '0-9'])
  })

  it('answers 201 again when the first one was lost', async () => {
    const session = client()
    const location = await start(session)
    const finish = () => session.send('PUT', `${location}?digest=${DIGEST}`, { body: CONTENT })
    const [first, second] = [await finish(), await finish()]
    expect([first.status, second.status]).toEqual([201, 201])
    expect(second.headers.location).toBe(`/v2/team/app/blobs/${DIGEST}`)
    const other = await session.send('PUT', `${location}?digest=${OTHER}`, { body: CONTENT })
    expect([other.status, other.error.code]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
  })

  it('ends the upload over a wrong digest', async () => {
    const session = client()
    const location = await start(session)
    const answer = await session.send('PUT', `${location}?digest=${OTHER}`, { body: CONTENT })
    expect([answer.status, answer.error.code]).toEqual([400, 'DIGEST_INVALID'])
    expect((await session.get(location)).status).toBe(404)
  })

  it('continues in another process over the same storage', async () => {
    const storage = memory()
    const one = client({}, new Registry({ storage, logger: silentLogger }))
    const two = client({}, new Registry({ storage, logger: silentLogger }))
    const location = await start(one)
    await one.send('PATCH', location, { body: CONTENT.subarray(0, 60) })
    expect(where(await two.get(location))).toEqual([204, '0-59'])
    await two.send('PATCH', location, { body: CONTENT.subarray(60), headers: { 'content-range': '60-99' } })
    expect((await one.send('PUT', `${location}?digest=${DIGEST}`)).status).toBe(201)
  })
})

describe('cancelUpload', () => {
  it('answers 204 and forgets the upload', async () => {
    const session = client()
    const location = await start(session)
    const { status, headers, body } = await session.send('DELETE', location)
    expect([status, body.length, headers['docker-upload-uuid']]).toEqual([204, 0, location.slice(UPLOADS.length)])
    expect((await session.send('DELETE', location)).status).toBe(404)
  })
})
