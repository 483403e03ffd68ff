import { describe, expect, it } from 'vitest'
import type { HandlerOptions } from '../../src/http/handler.ts'
import { client, type SendOptions } from './support.ts'

/** `Location` of a started upload, up to its id. */
async function location(options: Partial<HandlerOptions>, sending: SendOptions = {}): Promise<string> {
  const mount = sending.mountPath?.replace(/\/$/, '') ?? ''
  const { headers } = await client(options).send('POST', `${mount}/v2/a/blobs/uploads/`, sending)
  return String(headers.location).replace(String(headers['docker-upload-uuid']), '<id>')
}

const PROXY = { trustedProxies: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'] }

describe('Location', () => {
  it.each([undefined, '', '/', '/registry', '/registry/'])(
    'is path-absolute, with the mount path %s',
    async (mountPath) => {
      const path = mountPath === '/registry' || mountPath === '/registry/' ? '/registry' : ''
      expect(await location({}, { ...(mountPath !== undefined && { mountPath }) })).toBe(
        `${path}/v2/a/blobs/uploads/<id>`,
      )
    },
  )

  it.each([
    { host: 'evil.test' },
    { forwarded: 'host=evil.test;proto=https' },
    { 'x-forwarded-host': 'evil.test', 'x-forwarded-proto': 'https' },
  ])('takes no host from a client: %j', async (headers) => {
    expect(await location({}, { headers, remoteAddress: '10.0.0.1' })).toBe('/v2/a/blobs/uploads/<id>')
    expect(await location(PROXY, { headers, remoteAddress: '11.0.0.1' })).toBe('/v2/a/blobs/uploads/<id>')
    expect(await location(PROXY, { headers })).toBe('/v2/a/blobs/uploads/<id>')
  })

  it.each([
    ['https://hub.test', 'https://hub.test'],
    ['https://hub.test/', 'https://hub.test'],
    ['https://hub.test:8443/deep/path/', 'https://hub.test:8443/deep/path'],
    ['http://[::1]:5000', 'http://[::1]:5000'],
  ])('is absolute from a public URL, which says all there is: %s', async (publicUrl, base) => {
    const headers = { host: 'evil.test', 'x-forwarded-host': 'evil.test' }
    const sending = { headers, remoteAddress: '10.0.0.1', mountPath: '/inside' }
    expect(await location({ ...PROXY, publicUrl }, sending)).toBe(`${base}/v2/a/blobs/uploads/<id>`)
    expect(await location({ publicUrl: new URL(publicUrl) }, sending)).toBe(`${base}/v2/a/blobs/uploads/<id>`)
  })

  it.each([
    [{ 'x-forwarded-host': 'hub.test', 'x-forwarded-proto': 'https' }, 'https://hub.test'],
    [{ 'x-forwarded-host': 'evil.test, hub.test', 'x-forwarded-proto': 'http, https' }, 'https://hub.test'],
    [{ 'x-forwarded-proto': 'HTTPS' }, 'https://registry.test'],
    [{ 'x-forwarded-host': 'hub.test:8443' }, 'http://hub.test:8443'],
    [{ forwarded: 'for=192.0.2.60;proto=https;host=hub.test' }, 'https://hub.test'],
    [{ forwarded: 'For="[2001:db8::9]:4711"; Proto=https; Host="hub.test:1"' }, 'https://hub.test:1'],
    [{ forwarded: 'host=evil.test, host=hub.test;proto=https' }, 'https://hub.test'],
    [{ forwarded: 'host=hub.test', 'x-forwarded-host': 'evil.test' }, 'http://registry.test'],
    [{ forwarded: 'host=evil.test;proto=https', 'x-forwarded-for': '192.0.2.7' }, 'http://registry.test'],
    [{ forwarded: 'host=hub.test;proto=https', 'x-forwarded-host': 'hub.test' }, 'http://hub.test'],
    [{ 'x-forwarded-host': '[2001:db8::9]:5000' }, 'http://[2001:db8::9]:5000'],
    [{}, 'http://registry.test'],
    [{ 'x-forwarded-host': 'a b' }, 'http://registry.test'],
    [{ 'x-forwarded-host': 'user@evil.test' }, 'http://registry.test'],
    [{ 'x-forwarded-host': 'evil.test/path' }, 'http://registry.test'],
    [{ 'x-forwarded-host': 'hub.test:999999' }, 'http://registry.test'],
    [{ 'x-forwarded-proto': 'javascript' }, 'http://registry.test'],
    [{ host: 'evil.test/?' }, ''],
    [{ host: '' }, ''],
    [{ host: undefined }, ''],
  ])('is absolute by a trusted proxy: %j gives %s', async (headers, origin) => {
    for (const remoteAddress of ['10.1.2.3', '192.0.2.1', '2001:db8::1', '::ffff:10.0.0.1']) {
      expect(await location(PROXY, { headers, remoteAddress })).toBe(`${origin}/v2/a/blobs/uploads/<id>`)
    }
  })

  it('knows from the connection that it is encrypted', async () => {
    expect(await location(PROXY, { remoteAddress: '10.0.0.1', secure: true })).toBe(
      'https://registry.test/v2/a/blobs/uploads/<id>',
    )
  })

  it('carries the mount path behind a trusted proxy', async () => {
    const headers = { 'x-forwarded-host': 'hub.test' }
    expect(await location(PROXY, { headers, remoteAddress: '10.0.0.1', mountPath: '/x' })).toBe(
      'http://hub.test/x/v2/a/blobs/uploads/<id>',
    )
  })
})

describe('Link', () => {
  it('is path-absolute under the public URL', async () => {
    const { get, registry } = client({ publicUrl: 'https://hub.test/deep' })
    for (const name of ['a', 'b']) {
      await registry.repository(name).manifests.put(Buffer.from('{}'), { mediaType: 'application/x' })
    }
    expect((await get('/v2/_catalog?n=1')).headers.link).toBe('</deep/v2/_catalog?n=1&last=a>; rel="next"')
  })

  it('asks for the same registry as the request that it follows', async () => {
    const { get, send, registry } = client()
    await registry.repository('a').manifests.put(Buffer.from('{}'), { mediaType: 'application/x', tags: ['t', 'u'] })
    const { headers } = await get('/v2/a/tags/list?ns=localhost:5000&n=1')
    expect(headers.link).toBe('</v2/a/tags/list?n=1&last=t&ns=localhost%3A5000>; rel="next"')
    const upload = await send('POST', '/v2/a/blobs/uploads/?ns=docker.io')
    expect(upload.headers.location).toMatch(/^\/v2\/a\/blobs\/uploads\/[0-9a-f-]+\?ns=docker\.io$/)
    expect((await get('/v2/a/tags/list?n=1', { 'oci-namespace': 'docker.io' })).headers.link).toBe(
      '</v2/a/tags/list?n=1&last=t>; rel="next"',
    )
  })
})
