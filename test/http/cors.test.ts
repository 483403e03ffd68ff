import { describe, expect, it } from 'vitest'
import { RegistryError } from '../../src/errors.ts'
import { client } from './support.ts'

const PREFLIGHT = { origin: 'https://ui.test', 'access-control-request-method': 'GET' }
const LISTED = { origins: ['https://ui.test', 'https://other.test'] }

describe('CORS', () => {
  it('answers a preflight before anybody is asked who it is', async () => {
    const access = { authorize: () => Promise.reject(new RegistryError('UNAUTHORIZED')) }
    const { send } = client({ access, cors: LISTED })
    const { status, headers, body } = await send('OPTIONS', '/v2/a/tags/list', {
      headers: { ...PREFLIGHT, 'x-request-id': 'r1' },
    })
    expect([status, body.length]).toEqual([204, 0])
    expect(headers).toMatchObject({
      vary: 'origin',
      'access-control-allow-origin': 'https://ui.test',
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-max-age': '600',
    })
    expect(String(headers['access-control-allow-headers']).split(', ')).toContain('authorization')
  })

  it('keeps the answer for as long as it is told', async () => {
    const { send } = client({ cors: { ...LISTED, maxAgeSeconds: 5 } })
    const { headers } = await send('OPTIONS', '/v2/', { headers: PREFLIGHT })
    expect(headers['access-control-max-age']).toBe('5')
  })

  it('lets a browser read answers, errors as well', async () => {
    const { get } = client({ cors: LISTED })
    for (const url of ['/v2/', '/v2/nobody/tags/list']) {
      const { headers } = await get(url, { origin: 'https://other.test' })
      expect(headers['access-control-allow-origin']).toBe('https://other.test')
      expect(String(headers['access-control-expose-headers']).split(', ')).toEqual(
        expect.arrayContaining(['docker-content-digest', 'link', 'location', 'www-authenticate']),
      )
    }
  })

  it.each(['https://evil.test', 'https://ui.test.evil.test', 'http://ui.test', 'null', '*', ''])(
    'gives other origins nothing: %s',
    async (origin) => {
      const { get, send } = client({ cors: LISTED })
      for (const answer of [
        await get('/v2/', { origin }),
        await send('OPTIONS', '/v2/', { headers: { ...PREFLIGHT, origin } }),
      ]) {
        const names = Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'))
        expect([names, answer.headers.vary]).toEqual([[], 'origin'])
      }
    },
  )

  it('opens to any origin without credentials', async () => {
    const { get } = client({ cors: { origins: '*' } })
    const { headers } = await get('/v2/', { origin: 'https://anywhere.test' })
    expect([headers['access-control-allow-origin'], headers['access-control-allow-credentials'], headers.vary]).toEqual(
      ['*', undefined, undefined],
    )
  })

  it('tells caches that answers depend on the origin, where there is none too', async () => {
    expect((await client({ cors: LISTED }).get('/v2/')).headers.vary).toBe('origin')
    expect((await client({ cors: { origins: '*' } }).get('/v2/')).headers.vary).toBeUndefined()
  })

  it('is off by default', async () => {
    const { get, send } = client()
    for (const { headers } of [
      await get('/v2/', { origin: 'https://ui.test' }),
      await send('OPTIONS', '/v2/', { headers: PREFLIGHT }),
    ]) {
      expect(Object.keys(headers).some((name) => name.startsWith('access-control-'))).toBe(false)
    }
  })

  it('answers OPTIONS that is no preflight with the methods', async () => {
    const { status, headers } = await client({ cors: LISTED }).send('OPTIONS', '/v2/a/manifests/x')
    expect([status, headers.allow]).toEqual([204, 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'])
  })
})
