import { describe, expect, it } from 'vitest'
import { anyone } from '../../../src/auth/access.ts'
import type { Backend, Blobs } from '../../../src/backend.ts'
import { decorate } from '../../../src/backend.ts'
import { createHandler } from '../../../src/http/handler.ts'
import type { HttpRequest } from '../../../src/http/message.ts'
import { silentLogger } from '../../../src/logger.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { type Client, client, newRegistry, read, requestOf } from '../support.ts'

const CONTENT = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251))
const DIGEST = digestOf(CONTENT)
const SHA512 = digestOf(CONTENT, 'sha512')
const MISSING = digestOf(Buffer.from('missing'))
const URL_OF_BLOB = `/v2/team/app/blobs/${DIGEST}`

async function withBlob(options: Parameters<typeof client>[0] = {}): Promise<Client> {
  const registry = newRegistry()
  await registry.repository('team/app').blobs.put(CONTENT)
  return client(options, registry)
}

const HEADERS = {
  'docker-distribution-api-version': 'registry/2.0',
  'x-content-type-options': 'nosniff',
  'content-type': 'application/octet-stream',
  'docker-content-digest': DIGEST,
  etag: `"${DIGEST}"`,
  'cache-control': 'max-age=31536000, immutable, no-transform',
  'accept-ranges': 'bytes',
  'content-security-policy': "default-src 'none'; sandbox",
}

/** Calls to the blob store of every repository, by name. */
function recording(inner: Backend, calls: string[]): Backend {
  return decorate(inner, {
    blobs: (blobs) =>
      new Proxy(blobs, {
        get: (target, property: keyof Blobs) => {
          const value = Reflect.get(target, property, target)
          if (typeof value !== 'function') return value
          return (...args: unknown[]) => {
            calls.push(property)
            return Reflect.apply(value, target, args)
          }
        },
      }),
  })
}

describe('getBlob', () => {
  it('answers the bytes with every header that clients and caches look for', async () => {
    const { get } = await withBlob()
    const { status, headers, body } = await get(URL_OF_BLOB, { 'x-request-id': 'r1' })
    expect(status).toBe(200)
    expect(headers).toEqual({ ...HEADERS, 'content-length': '1000', 'x-request-id': 'r1' })
    expect(body.equals(CONTENT)).toBe(true)
  })

  it('answers a sha512 blob by the digest it was asked for', async () => {
    const { registry, get } = client()
    await registry.repository('a').blobs.put(CONTENT, { digest: SHA512 })
    const { headers, body } = await get(`/v2/a/blobs/${SHA512}`)
    expect([headers['docker-content-digest'], headers.etag]).toEqual([SHA512, `"${SHA512}"`])
    expect(body.equals(CONTENT)).toBe(true)
  })

  it('answers 404 for a blob that is only in another repository', async () => {
    const { get } = await withBlob()
    const { status, error, headers } = await get(`/v2/other/blobs/${DIGEST}`)
    expect([status, error.code, headers['content-type']]).toEqual([404, 'BLOB_UNKNOWN', 'application/json'])
  })

  it('keeps what an authenticated user got out of shared caches', async () => {
    const grant = { subject: 'alice', allows: () => true }
    const { get } = await withBlob({ access: { authorize: async () => grant } })
    expect((await get(URL_OF_BLOB)).headers['cache-control']).toBe('private, max-age=31536000, immutable, no-transform')
  })

  it('makes one call to the backend', async () => {
    const { registry } = await withBlob()
    const calls: string[] = []
    const { get } = client({ redirect: false }, registry)
    const handler = createHandler(recording(registry, calls), { access: anyone(), redirect: false })
    const response = await handler(requestOf('GET', URL_OF_BLOB))
    expect(response && (await read(response)).status).toBe(200)
    expect((await get(URL_OF_BLOB)).status).toBe(200)
    expect(calls).toEqual(['open'])
  })

  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=0-', 0, 1000],
    ['bytes=500-', 500, 1000],
    ['bytes=500-599', 500, 600],
    ['bytes=-1', 999, 1000],
    ['bytes=-500', 500, 1000],
    ['bytes=-5000', 0, 1000],
    ['bytes=900-5000', 900, 1000],
    ['BYTES = 10-19', 10, 20],
    ['bytes=0-99,50-149', 0, 150],
    ['bytes=100-199,0-99', 0, 200],
    ['bytes=0-9, 5000-6000', 0, 10],
    ['bytes=00-009', 0, 10],
  ])('answers one range with 206: %s', async (range, start, end) => {
    const { get } = await withBlob()
    const { status, headers, body } = await get(URL_OF_BLOB, { range })
    expect(status).toBe(206)
    expect(headers).toMatchObject({
      ...HEADERS,
      'content-range': `bytes ${start}-${end - 1}/1000`,
      'content-length': String(end - start),
    })
    expect(body.equals(CONTENT.subarray(start, end))).toBe(true)
  })

  it.each(['bytes=0-9,100-109', 'bytes=-10,0-9', 'bytes=0-0,999-999,500-500'])(
    'answers several ranges with multipart/byteranges, and its exact length: %s',
    async (range) => {
      const { get } = await withBlob()
      const { status, headers, body } = await get(URL_OF_BLOB, { range })
      expect(status).toBe(206)
      expect(headers['content-length']).toBe(String(body.length))
      expect(headers['content-range']).toBeUndefined()
      const boundary = String(headers['content-type']).replace('multipart/byteranges; boundary=', '')
      const text = body.toString('latin1')
      expect(text.startsWith(`--${boundary}\r\n`) && text.endsWith(`\r\n--${boundary}--\r\n`)).toBe(true)
      const parts = text.slice(0, text.indexOf(`\r\n--${boundary}--`)).split(new RegExp(`(?:\r\n)?--${boundary}\r\n`))
      const expected = range.split('=')[1]?.split(',').length
      expect(parts.slice(1)).toHaveLength(expected ?? 0)
      for (const part of parts.slice(1)) {
        const [head = '', content] = part.split('\r\n\r\n')
        const [, start, last] = /content-range: bytes (\d+)-(\d+)\/1000$/.exec(head) ?? []
        expect(head.startsWith('content-type: application/octet-stream\r\n')).toBe(true)
        expect(content).toBe(CONTENT.subarray(Number(start), Number(last) + 1).toString('latin1'))
      }
    },
  )

  it.each([
    'bytes=1000-',
    'bytes=1000-2000',
    'bytes=500-0',
    'bytes=-0',
    'bytes=5000-6000,7000-',
    'bytes=9007199254740993-',
    'bytes=99999999999999999999-99999999999999999999',
  ])('answers 416 with the size: %s', async (range) => {
    const { get } = await withBlob()
    const { status, headers, error } = await get(URL_OF_BLOB, { range })
    expect([status, headers['content-range'], error.code]).toEqual([416, 'bytes */1000', 'RANGE_INVALID'])
  })

  it.each([
    'items=0-9',
    'bytes',
    'bytes=',
    'bytes=a-b',
    'bytes=-',
    'bytes=1-2-3',
    'bytes=0x0-0x9',
    'bytes=0-9;',
    'bytes= ',
    'bytes=-1 0',
    `bytes=${'0-0,'.repeat(1000)}`,
    'bytes=0-,0-,0-',
  ])('ignores a range that is none, or too much: %s', async (range) => {
    const { get } = await withBlob()
    const { status, headers, body } = await get(URL_OF_BLOB, { range })
    expect([status, headers['content-range'], body.length]).toEqual([200, undefined, 1000])
  })

  it.each([
    ['its entity tag', `"${DIGEST}"`, 206],
    ['another entity tag', `"${MISSING}"`, 200],
    ['a weak entity tag', `W/"${DIGEST}"`, 200],
    ['a date', 'Wed, 21 Oct 2015 07:28:00 GMT', 200],
  ])('applies a range under If-Range with %s: %s gives %i', async (_, condition, status) => {
    const { get } = await withBlob()
    expect((await get(URL_OF_BLOB, { range: 'bytes=0-9', 'if-range': condition })).status).toBe(status)
  })

  it.each([
    ['if-none-match', `"${DIGEST}"`, 304],
    ['if-none-match', DIGEST, 304],
    ['if-none-match', `W/"${DIGEST}"`, 304],
    ['if-none-match', `"x", "${DIGEST}"`, 304],
    ['if-none-match', '*', 304],
    ['if-none-match', `"${MISSING}"`, 200],
    ['if-match', `"${DIGEST}"`, 200],
    ['if-match', '*', 200],
    ['if-match', `"${MISSING}"`, 412],
    ['if-match', `W/"${DIGEST}"`, 412],
    ['if-match', '', 412],
  ])('obeys %s: %s with %i, for GET as for HEAD', async (name, value, status) => {
    const { send } = await withBlob()
    for (const method of ['GET', 'HEAD']) {
      const answer = await send(method, URL_OF_BLOB, { headers: { [name]: value } })
      expect(answer.status).toBe(status)
      if (status !== 304) continue
      expect(answer.body).toHaveLength(0)
      expect(answer.headers).toMatchObject({ etag: `"${DIGEST}"`, 'docker-content-digest': DIGEST })
      expect(answer.headers['content-length']).toBeUndefined()
    }
  })

  it('answers 404, not 304, for a blob that is not here', async () => {
    const { get } = await withBlob()
    expect((await get(`/v2/team/app/blobs/${MISSING}`, { 'if-none-match': '*' })).status).toBe(404)
  })

  it('redirects where the backend knows a URL, keeping the digest', async () => {
    const { registry } = await withBlob()
    const backend = decorate(registry, {
      blobs: (blobs) => located(blobs, new URL('https://bucket.test/signed?x=1')),
    })
    const ask = async (redirect?: boolean) => {
      const handler = createHandler(backend, { access: anyone(), ...(redirect !== undefined && { redirect }) })
      const response = await handler(requestOf('GET', URL_OF_BLOB))
      return response && read(response)
    }
    const answer = await ask()
    expect([answer?.status, answer?.headers.location, answer?.headers['docker-content-digest']]).toEqual([
      307,
      'https://bucket.test/signed?x=1',
      DIGEST,
    ])
    expect(answer?.headers['content-length']).toBe('0')
    expect((await ask(false))?.status).toBe(200)
  })

  it('redirects the requests that a function chooses', async () => {
    const { registry } = await withBlob()
    const backend = decorate(registry, { blobs: (blobs) => located(blobs, new URL('https://bucket.test/signed')) })
    const redirect = ({ headers }: HttpRequest) => headers['x-from'] === 'outside'
    const handler = createHandler(backend, { access: anyone(), redirect })
    for (const [from, status] of [
      ['outside', 307],
      ['inside', 200],
    ] as const) {
      const response = await handler(requestOf('GET', URL_OF_BLOB, { headers: { 'x-from': from } }))
      expect(response && (await read(response)).status).toBe(status)
    }
  })

  it.each([
    ['bytes=0-9', 307],
    ['bytes=9-', 307],
    ['bytes=-10', 206],
    ['bytes=0-1,5-6', 206],
    ['bytes=9-0', 416],
    ['items=0-1', 200],
  ])('redirects the range %s only if every store serves it: %i', async (range, status) => {
    const { registry } = await withBlob()
    const backend = decorate(registry, { blobs: (blobs) => located(blobs, new URL('https://bucket.test/signed')) })
    const handler = createHandler(backend, { access: anyone() })
    const response = await handler(requestOf('GET', URL_OF_BLOB, { headers: { range } }))
    expect(response && (await read(response)).status).toBe(status)
  })
})

describe('headBlob', () => {
  it('answers the headers of a GET without opening anything', async () => {
    const { registry } = await withBlob()
    const calls: string[] = []
    const handler = createHandler(recording(registry, calls), { access: anyone(), logger: silentLogger })
    const response = await handler(requestOf('HEAD', URL_OF_BLOB, { headers: { range: 'bytes=0-9' } }))
    expect(response).toMatchObject({ status: 200, headers: { ...HEADERS, 'content-length': '1000' }, body: null })
    expect(calls).toEqual(['stat'])
  })

  it('has no body for a blob that is not here either', async () => {
    const { send } = await withBlob()
    const { status, body, headers } = await send('HEAD', `/v2/team/app/blobs/${MISSING}`)
    expect([status, body.length, headers['content-type']]).toEqual([404, 0, 'application/json'])
  })

  it.each([true, false])('tells the backend whether the caller may push, and so relies on it: %s', async (mayPush) => {
    const { registry } = await withBlob()
    const told: unknown[] = []
    const backend = decorate(registry, {
      blobs: (blobs) =>
        new Proxy(blobs, {
          get: (target, property) =>
            property === 'stat'
              ? (...[digest, options]: Parameters<Blobs['stat']>) => {
                  told.push(options?.reliedUpon)
                  return target.stat(digest, options)
                }
              : Reflect.get(target, property, target),
        }),
    })
    const grant = { subject: 'x', allows: ({ action }: { action: string }) => action === 'pull' || mayPush }
    const handler = createHandler(backend, { access: { authorize: async () => grant } })
    expect((await handler(requestOf('HEAD', URL_OF_BLOB)))?.status).toBe(200)
    expect(told).toEqual([mayPush])
  })
})

describe('deleteBlob', () => {
  it('takes the blob out of this repository, and says so once', async () => {
    const { send, get } = await withBlob()
    const { status, headers, body } = await send('DELETE', URL_OF_BLOB)
    expect([status, headers['content-length'], body.length]).toEqual([202, '0', 0])
    expect((await get(URL_OF_BLOB)).status).toBe(404)
    const again = await send('DELETE', URL_OF_BLOB)
    expect([again.status, again.error.code]).toEqual([404, 'BLOB_UNKNOWN'])
  })
})

function located(blobs: Blobs, url: URL): Blobs {
  return new Proxy(blobs, {
    get: (target, property) => {
      if (property === 'locate') return () => Promise.resolve(url)
      const value = Reflect.get(target, property, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
