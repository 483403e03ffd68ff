import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyone } from '../../src/auth/access.ts'
import { RegistryError } from '../../src/errors.ts'
import { createHandler, type HandlerOptions } from '../../src/http/handler.ts'
import type { HttpResponse } from '../../src/http/message.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { pushImage } from '../support/images.ts'
import { client, failing, newRegistry, read, requestOf } from './support.ts'

const DIGEST = digestOf(Buffer.from('x'))
const UUID = '7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11'

describe('createHandler', () => {
  it('passes on what is not for a registry, without asking anybody', async () => {
    const access = {
      authorize: () => {
        throw new Error('asked')
      },
    }
    const handler = createHandler(failing(new Error('reached')), { access })
    expect(await handler(requestOf('GET', '/healthz'))).toBeUndefined()
    expect(await handler(requestOf('DELETE', '/v2beta/x'))).toBeUndefined()
  })

  it.each(['GET', 'HEAD'])('answers the ping of %s', async (method) => {
    const { status, headers, text } = await client().send(method, '/v2/', { headers: { 'x-request-id': 'r1' } })
    expect([status, text]).toEqual([200, method === 'GET' ? '{}' : ''])
    expect(headers).toEqual({
      'docker-distribution-api-version': 'registry/2.0',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'r1',
      'content-type': 'application/json',
      'content-length': '2',
    })
  })

  it.each([undefined, {}, { access: undefined }, { access: {} }])('wants an access controller: %j', (options) => {
    expect(() => createHandler(newRegistry(), { ...options } as HandlerOptions)).toThrow(
      /"access" must be an access controller/,
    )
  })

  it.each([
    { maxPageSize: 0 },
    { maxPageSize: 1.5 },
    { maxManifestBytes: Number.NaN },
    { maxManifestBytes: -1 },
    { publicUrl: 'ftp://x' },
    { publicUrl: 'registry.test' },
    { publicUrl: 'https://u:p@x/' },
    { publicUrl: 'https://x/?q=1' },
    { trustedProxies: ['localhost'] },
    { trustedProxies: ['10.0.0.0/x'] },
    { trustedProxies: ['10.0.0.0/'] },
    { trustedProxies: ['10.0.0.0/8/8'] },
    { trustedProxies: ['10.0.0.0/33'] },
    { trustedProxies: ['10.0.0.0/0x8'] },
    { trustedProxies: ['10.0.0.0/ 8'] },
    { trustedProxies: ['fd00::/129'] },
    { accessTimeoutMs: 3e9 },
  ])('refuses options that make no sense: %j', (options) => {
    expect(() => createHandler(newRegistry(), { access: anyone(), ...options })).toThrow(TypeError)
  })
})

describe('a backend per request', () => {
  it('is chosen by the request, also later', async () => {
    const tenants = { one: newRegistry(), two: newRegistry() }
    await pushImage(tenants.one.repository('a'), ['x'], { tags: ['v1'] })
    const handler = createHandler(async ({ headers }) => (headers.host === 'one.test' ? tenants.one : tenants.two), {
      access: anyone(),
    })
    const ask = async (host: string) =>
      (await handler(requestOf('GET', '/v2/a/tags/list', { headers: { host } })))?.status
    expect([await ask('one.test'), await ask('two.test')]).toEqual([200, 404])
  })

  it('may refuse', async () => {
    const handler = createHandler(
      () => {
        throw new RegistryError('NAME_UNKNOWN', { message: 'no such tenant' })
      },
      { access: anyone() },
    )
    const response = await handler(requestOf('GET', '/v2/'))
    expect(response?.status).toBe(404)
  })
})

describe('any request', () => {
  it('gets an answer that Node can send, and never a 5xx for what a client wrote', async () => {
    const registry = newRegistry()
    await pushImage(registry.repository('a'), ['x'], { tags: ['v1'] })
    const { handler } = client({ cors: { origins: ['https://ui.test'] }, trustedProxies: ['10.0.0.1'] }, registry)
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary-ascii' }),
      fc.constantFrom('', '*', '0-1', '"x"', 'bytes=0-'),
    )
    const header = fc.constantFrom(
      'range',
      'if-range',
      'if-match',
      'if-none-match',
      'content-range',
      'content-length',
      'content-type',
      'content-encoding',
      'accept',
      'origin',
      'host',
      'forwarded',
      'x-forwarded-for',
      'x-forwarded-host',
      'x-forwarded-proto',
      'x-request-id',
      'user-agent',
      'access-control-request-method',
    )
    const url = fc.oneof(
      fc.constantFrom(
        '/v2/',
        '/v2/_catalog',
        '/v2/a/tags/list',
        '/v2/a/manifests/v1',
        '/v2/a/manifests/v2',
        `/v2/a/blobs/${digestOf(Buffer.from('x'))}`,
        '/v2/a/blobs/uploads/',
        `/v2/a/referrers/${DIGEST}`,
        `/v2/a/blobs/uploads/${UUID}?digest=${DIGEST}`,
        `/v2/a/blobs/uploads/?digest=${DIGEST}`,
      ),
      fc.string().map((rest) => `/v2/${rest}`),
      fc.string().map((query) => `/v2/a/tags/list?${query}`),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'),
        url,
        fc.dictionary(header, text, { maxKeys: 4 }),
        text,
        async (method, target, headers, body) => {
          // A proxy lets at most these through: no controls in headers, as Node's parser has it.
          const sane = Object.fromEntries(
            Object.entries(headers).map(([k, v]) => [k, v.replace(/[^\t\x20-\x7e]/g, '')]),
          )
          const request = requestOf(method, target, { headers: sane, body, remoteAddress: '10.0.0.1' })
          const response = await handler(request)
          if (response === undefined) return
          expect(response.status).toBeLessThan(500)
          assertSendable(response)
          await read(response)
        },
      ),
      { numRuns: 1500 },
    )
  })
})

/** What `ServerResponse.writeHead` would refuse: status, names, and characters of values. */
function assertSendable({ status, headers, body }: HttpResponse): void {
  expect(Number.isInteger(status) && status >= 200).toBe(true)
  for (const [name, value] of Object.entries(headers)) {
    expect(name).toMatch(/^[a-z0-9-]+$/)
    for (const one of typeof value === 'string' ? [value] : value) expect(one).toMatch(/^[\t\x20-\x7e]*$/)
  }
  if (typeof body === 'string') expect(headers['content-length']).toBe(String(Buffer.byteLength(body)))
}
