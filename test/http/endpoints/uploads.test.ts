import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Access, AccessController } from '../../../src/auth/access.ts'
import { memory } from '../../../src/drivers/memory.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { readBlob } from '../../support/images.ts'
import { type Answer, type Client, client, newRegistry } from '../support.ts'

const CONTENT = Buffer.from('0123456789'.repeat(10))
const DIGEST = digestOf(CONTENT)
const SHA512 = digestOf(CONTENT, 'sha512')
const OTHER = digestOf(Buffer.from('other'))
const UPLOADS = '/v2/team/app/blobs/uploads/'

async function start({ send }: Client, url: string = UPLOADS): Promise<string> {
  const { status, headers } = await send('POST', url)
  expect(status).toBe(202)
  return String(headers.location)
}

function where({ status, headers }: Answer): readonly unknown[] {
  return [status, headers.range]
}

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

/** Pushes with at most these rights. */
function mayOnly(...allowed: readonly string[]): AccessController {
  const allows = ({ name, action }: Access) => allowed.includes(`${name}:${action}`)
  return { authorize: async () => ({ subject: 'alice', allows }) }
}

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

describe('mountBlob', () => {
  async function withSource(access?: AccessController): Promise<Client> {
    const registry = newRegistry()
    await registry.repository('source').blobs.put(CONTENT)
    return client(access && { access }, registry)
  }

  const mountFrom = (from: string) => `${UPLOADS}?mount=${DIGEST}&from=${from}`

  it.each([mountFrom('source'), `${UPLOADS}?mount=${DIGEST}`])('mounts, moving no bytes: %s', async (url) => {
    const { send, get } = await withSource()
    const { status, headers } = await send('POST', url)
    expect([status, headers.location, headers['docker-content-digest'], headers['content-length']]).toEqual([
      201,
      `/v2/team/app/blobs/${DIGEST}`,
      DIGEST,
      '0',
    ])
    expect((await get(`/v2/team/app/blobs/${DIGEST}`)).body.equals(CONTENT)).toBe(true)
  })

  it.each([mountFrom('elsewhere'), `${UPLOADS}?mount=${OTHER}&from=source`, `${UPLOADS}?mount=${OTHER}`])(
    'starts an upload for what is not there: %s',
    async (url) => {
      const session = await withSource()
      const location = await start(session, url)
      expect((await session.send('PUT', `${location}?digest=${DIGEST}`, { body: CONTENT })).status).toBe(201)
    },
  )

  it('starts an upload where the caller may not pull from the source, as if it were not there', async () => {
    const push = ['team/app:pull', 'team/app:push']
    const url = mountFrom('source')
    const { status, headers } = await (await withSource(mayOnly(...push))).send('POST', url)
    expect([status, headers['docker-content-digest']]).toEqual([202, undefined])
    expect((await (await withSource(mayOnly(...push, 'source:pull'))).send('POST', url)).status).toBe(201)
  })

  it('looks without from only where the caller may pull', async () => {
    const push = ['team/app:pull', 'team/app:push']
    const url = `${UPLOADS}?mount=${DIGEST}`
    expect((await (await withSource(mayOnly(...push))).send('POST', url)).status).toBe(202)
    expect((await (await withSource(mayOnly(...push, 'source:pull'))).send('POST', url)).status).toBe(201)
  })

  it('asks a grant that can see pages for one page at a time', async () => {
    const registry = newRegistry()
    for (let i = 0; i < 250; i++) await registry.repository(`r${i}`).blobs.put(Buffer.from(`${i}`))
    await registry.repository('zz').blobs.put(CONTENT)
    const asked: number[] = []
    const grant = {
      subject: 'alice',
      allows: () => true,
      visible: (names: readonly string[]) => {
        asked.push(names.length)
        return names
      },
    }
    const { send } = client({ access: { authorize: async () => grant } }, registry)
    expect((await send('POST', `${UPLOADS}?mount=${DIGEST}`)).status).toBe(201)
    expect(asked).toEqual([100, 100, 51])
  })
})

describe('uploadChunk', () => {
  it('appends chunk after chunk, in order', async () => {
    const session = client()
    const { send, registry } = session
    const location = await start(session)
    const first = await send('PATCH', location, { body: CONTENT.subarray(0, 40), headers: { 'content-range': '0-39' } })
    expect([...where(first), first.headers.location, first.headers['content-length']]).toEqual([
      202,
      '0-39',
      location,
      '0',
    ])
    const second = await send('PATCH', location, { body: CONTENT.subarray(40), headers: { 'content-range': '40-99' } })
    expect(where(second)).toEqual([202, '0-99'])
    const { status, headers } = await send('PUT', `${location}?digest=${DIGEST}`)
    expect([status, headers.location, headers['docker-content-digest']]).toEqual([
      201,
      `/v2/team/app/blobs/${DIGEST}`,
      DIGEST,
    ])
    expect(await readBlob(registry.repository('team/app'), DIGEST)).toBe(CONTENT.toString())
  })

  it('appends a stream without a range or a length', async () => {
    const session = client()
    const location = await start(session)
    const answer = await session.send('PATCH', location, { body: chunks('0123', '45', '6789') })
    expect(where(answer)).toEqual([202, '0-9'])
  })

  it.each(['application/json', 'text/plain; charset=utf-8', 'not a type'])(
    'does not mind a content type: %s',
    async (type) => {
      const session = client()
      const location = await start(session)
      const answer = await session.send('PATCH', location, { body: CONTENT, headers: { 'content-type': type } })
      expect(where(answer)).toEqual([202, '0-99'])
    },
  )

  it.each(['bytes 0-99/*', 'bytes 0-99/100', 'Bytes 0-99/200', ' 0-99 ', '0000-0099'])(
    'reads a range as RFC 9110 writes it, too: %s',
    async (range) => {
      const session = client()
      const location = await start(session)
      const answer = await session.send('PATCH', location, { body: CONTENT, headers: { 'content-range': range } })
      expect(where(answer)).toEqual([202, '0-99'])
    },
  )

  it.each([
    ['skipping ahead', '50-149'],
    ['from the start', '0-99'],
    ['overlapping', '39-138'],
    ['far out', '9007199254740000-9007199254740099'],
  ])('answers 416 to a chunk out of order, with the place to continue at: %s', async (_, range) => {
    const session = client()
    const location = await start(session)
    await session.send('PATCH', location, { body: CONTENT.subarray(0, 40) })
    let read = false
    const body = (async function* () {
      read = true
      yield CONTENT
    })()
    const headers = { 'content-range': range, 'content-length': '100' }
    const answer = await session.send('PATCH', location, { body, headers })
    expect([...where(answer), answer.headers.location, answer.error.code, read]).toEqual([
      416,
      '0-39',
      location,
      'RANGE_INVALID',
      false,
    ])
    expect(where(await session.get(location))).toEqual([204, '0-39'])
  })

  it.each([
    '',
    '0',
    '-',
    '0-',
    '-99',
    'a-b',
    '99-0',
    '0-99-',
    '0 - 99',
    '0-99/100',
    'bytes 0-99',
    'bytes=0-99',
    'bytes */100',
    'bytes 0-99/50',
    'bytes 0-99/x',
    'items 0-99/*',
    '0x0-0x63',
    '+0-99',
    '0-9007199254740991',
    '0-99999999999999999999',
    '0-99, 0-99',
    '٠-٩',
  ])('answers 400 to a range that is none: "%s"', async (range) => {
    const session = client()
    const location = await start(session)
    const answer = await session.send('PATCH', location, { body: CONTENT, headers: { 'content-range': range } })
    expect([answer.status, answer.error.code]).toEqual([400, 'RANGE_INVALID'])
    expect(where(await session.get(location))).toEqual([204, '0-0'])
  })

  it('refuses a range that disagrees with the length, and takes no byte', async () => {
    const session = client()
    const location = await start(session)
    for (const range of ['0-98', '0-100']) {
      const answer = await session.send('PATCH', location, { body: CONTENT, headers: { 'content-range': range } })
      expect([answer.status, answer.error.code]).toEqual([400, 'SIZE_INVALID'])
    }
    expect(where(await session.get(location))).toEqual([204, '0-0'])
  })

  it.each([
    ['more', '0-4', ['012', '3456', '789'], '0-4'],
    ['more, by a whole chunk', '0-2', ['012', '345'], '0-2'],
    ['fewer', '0-19', ['012', '345'], '0-5'],
  ])('counts the bytes of a body without a length: %s than its range', async (_, range, texts, kept) => {
    const session = client()
    const location = await start(session)
    const answer = await session.send('PATCH', location, {
      body: chunks(...texts),
      headers: { 'content-range': range },
    })
    expect([answer.status, answer.error.code]).toEqual([400, 'SIZE_INVALID'])
    expect(where(await session.get(location))).toEqual([204, kept])
  })

  it('keeps the bytes of an interrupted request', async () => {
    const session = client()
    const location = await start(session)
    const gone = new AbortController()
    const body = (async function* () {
      yield CONTENT.subarray(0, 30)
      await setImmediate()
      gone.abort()
      throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
    })()
    const answer = await session.send('PATCH', location, { body, signal: gone.signal })
    expect([answer.status, answer.body.length]).toEqual([499, 0])
    expect(where(await session.get(location))).toEqual([204, '0-29'])
    const rest = { body: CONTENT.subarray(30), headers: { 'content-range': '30-99' } }
    expect((await session.send('PUT', `${location}?digest=${DIGEST}`, rest)).status).toBe(201)
  })

  it('answers 416 to a second writer, with where the upload stands', async () => {
    const session = client()
    const location = await start(session)
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const slow = (async function* () {
      yield CONTENT.subarray(0, 30)
      await released
      yield CONTENT.subarray(30)
    })()
    const first = session.send('PATCH', location, { body: slow })
    await setImmediate()
    const second = await session.send('PATCH', location, { body: CONTENT, headers: { 'content-range': '0-99' } })
    expect([second.status, second.error.code, second.headers.location]).toEqual([416, 'RANGE_INVALID', location])
    release()
    expect(where(await first)).toEqual([202, '0-99'])
  })

  it.each(['PATCH', 'GET', 'HEAD', 'DELETE'])('knows an upload in its own repository only: %s', async (method) => {
    const session = client()
    const location = await start(session)
    const elsewhere = location.replace('team/app', 'other')
    const { status } = await session.send(method, elsewhere, { body: method === 'PATCH' ? CONTENT : '' })
    expect(status).toBe(404)
    expect(where(await session.get(location))).toEqual([204, '0-0'])
  })

  it('leaves out what Distribution puts into its locations', async () => {
    const session = client()
    const location = await start(session)
    const answer = await session.send('PATCH', `${location}?_state=REPLAYED&x=y`, { body: CONTENT })
    expect([...where(answer), answer.headers.location]).toEqual([202, '0-99', location])
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
