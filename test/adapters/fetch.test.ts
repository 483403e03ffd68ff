import { type Context, Hono } from 'hono'
import { getConnInfo } from 'hono/cloudflare-workers'
import { describe, expect, it } from 'vitest'
import { registryFetch, registryMiddleware } from '../../src/adapters/fetch.ts'
import { anyone } from '../../src/auth/access.ts'
import { memory } from '../../src/drivers/memory.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'

const PING = 'http://registry.test/v2/'

function registry() {
  const seen: (string | undefined)[] = []
  return {
    seen,
    registry: new Registry({ storage: memory(), logger: silentLogger }),
    options: {
      ...{ access: anyone(), logger: silentLogger, rateLimit: { perSecond: 0.001, burst: 1 } },
      audit: ({ address }: { readonly address?: string }) => void seen.push(address),
    },
  }
}

describe('whoever sent a request', () => {
  it('is who the server says', async () => {
    const { seen, registry: backend, options } = registry()
    const handle = registryFetch(backend, options)
    const ping = async (remoteAddress?: string) => (await handle(new Request(PING), { remoteAddress }))?.status
    expect([await ping('192.0.2.1'), await ping('192.0.2.1')]).toEqual([200, 429])
    expect([await ping('192.0.2.2'), await ping()]).toEqual([200, 200])
    expect((await handle(new Request(PING)))?.status).toBe(429)
    expect(seen).toEqual(['192.0.2.1', '192.0.2.2', undefined])
  })

  it('is known as a proxy that is trusted', async () => {
    const { seen, registry: backend, options } = registry()
    const handle = registryFetch(backend, { ...options, trustedProxies: ['10.0.0.0/8'] })
    const headers = { 'x-forwarded-for': '198.51.100.7' }
    await handle(new Request(PING, { headers }), { remoteAddress: '10.1.2.3' })
    await handle(new Request(PING, { headers }), { remoteAddress: '192.0.2.1' })
    expect(seen).toEqual(['198.51.100.7', '192.0.2.1'])
  })

  it('is who Hono is told, where it does not run on Node', async () => {
    const { seen, registry: backend, options } = registry()
    const remoteAddress = (c: Context) => getConnInfo(c).remote.address
    const app = new Hono().use(registryMiddleware(backend, { ...options, remoteAddress }))
    const ping = async (address?: string) => {
      const headers = address === undefined ? {} : { 'cf-connecting-ip': address }
      return (await app.request(PING, { headers })).status
    }
    expect([await ping('192.0.2.1'), await ping('192.0.2.1'), await ping('192.0.2.2')]).toEqual([200, 429, 200])
    expect(await ping()).toBe(200)
    expect(seen).toEqual(['192.0.2.1', '192.0.2.2', undefined])
  })

  it('is told to Hono by a function', () => {
    const { registry: backend, options } = registry()
    const wrong = { ...options, remoteAddress: '192.0.2.1' as never }
    expect(() => registryMiddleware(backend, wrong)).toThrow(
      new TypeError('the option "remoteAddress" must be a function of Hono\'s context, not the string "192.0.2.1"'),
    )
  })
})
