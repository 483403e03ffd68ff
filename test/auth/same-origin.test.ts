import { describe, expect, it } from 'vitest'
import { identityAccess, type SameOriginOptions, sameOrigin } from '../../src/auth/index.ts'
import { client } from '../http/support.ts'

const bySession = sameOrigin(({ headers }) => (headers.cookie === 'session=1' ? { subject: 'alice' } : undefined), {
  origins: ['https://console.test'],
})

const ask = async (method: string, headers: Record<string, string>) => {
  const { send } = client({ access: identityAccess({ authenticate: bySession }), publicUrl: 'https://registry.test/r' })
  const url = method === 'GET' ? '/v2/a/tags/list' : '/v2/a/blobs/uploads/'
  return (await send(method, url, { headers: { cookie: 'session=1', ...headers } })).status
}

describe('sameOrigin', () => {
  it.each([
    ['POST', {}, 202],
    ['POST', { origin: 'https://registry.test' }, 202],
    ['POST', { 'sec-fetch-site': 'same-origin', origin: 'https://registry.test' }, 202],
    ['POST', { 'sec-fetch-site': 'none' }, 202],
    ['POST', { origin: 'https://console.test' }, 202],
    ['POST', { 'sec-fetch-site': 'same-site', origin: 'https://console.test' }, 202],
    ['POST', { 'sec-fetch-site': 'cross-site' }, 403],
    ['POST', { 'sec-fetch-site': 'same-site', origin: 'https://other.registry.test' }, 403],
    ['POST', { 'sec-fetch-site': 'cross-site', origin: 'https://registry.test' }, 403],
    ['POST', { origin: 'https://evil.test' }, 403],
    ['POST', { origin: 'http://registry.test' }, 403],
    ['POST', { origin: 'https://registry.test.evil.test' }, 403],
    ['POST', { origin: 'https://registry.test:444' }, 403],
    ['POST', { origin: 'null' }, 403],
    ['POST', { cookie: 'session=2' }, 403],
    ['GET', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.test' }, 404],
  ])('answers %s with %j: %d', async (method, headers, status) => {
    expect(await ask(method, headers)).toBe(status)
  })

  it.each([
    [['console.test'], 'an origin is a scheme, a host and perhaps a port'],
    [['https://console.test/'], 'an origin is a scheme, a host and perhaps a port'],
    [['*'], 'an origin is a scheme, a host and perhaps a port'],
  ])('refuses the origins %j', (origins, message) => {
    expect(() => sameOrigin(() => undefined, { origins })).toThrow(message)
    expect(() => sameOrigin(undefined as never)).toThrow('sameOrigin() takes a function that finds out who asks')
    expect(() => sameOrigin(() => undefined, { origin: '' } as SameOriginOptions)).toThrow('did you mean "origins"?')
  })
})
