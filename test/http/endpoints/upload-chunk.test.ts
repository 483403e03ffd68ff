import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { readBlob } from '../../support/images.ts'
import { client } from '../support.ts'
import { CONTENT, chunks, DIGEST, start, where } from './upload-support.ts'

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

  it.each([
    ['fewer', ['0123']],
    ['more', ['0123456789', '0123456789']],
  ])('does not believe a length that the body belies: %s', async (_, texts) => {
    const session = client()
    const location = await start(session)
    const headers = { 'content-range': '0-9', 'content-length': '10' }
    const answer = await session.send('PATCH', location, { body: chunks(...texts), headers })
    expect([answer.status, answer.error.code]).toEqual([400, 'SIZE_INVALID'])
  })

  it('leaves a request whose body it refuses half-way to be answered', async () => {
    const session = client()
    const location = await start(session)
    const body = Readable.from([Buffer.from('01234'), Buffer.from('56789')], { objectMode: false })
    const answer = await session.send('PATCH', location, { body, headers: { 'content-range': '0-6' } })
    expect([answer.status, body.destroyed]).toEqual([400, false])
    body.destroy()
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
