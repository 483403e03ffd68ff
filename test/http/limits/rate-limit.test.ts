import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AccessController } from '../../../src/auth/access.ts'
import { RegistryError } from '../../../src/errors.ts'
import { clientKey } from '../../../src/http/limits/client-key.ts'
import { type Answer, type Client, client } from '../support.ts'

/** `from: mallory` sends credentials that are wrong, anybody else is who they say. */
function checking() {
  const asked: unknown[] = []
  const access: AccessController = {
    authorize: ({ headers: { from } }) => {
      asked.push(from)
      if (from === 'mallory') throw new RegistryError('UNAUTHORIZED', { headers: { 'www-authenticate': 'Basic' } })
      return { subject: typeof from === 'string' ? from : undefined, allows: () => true }
    },
    token: async ({ headers: { from } }, { note }) => {
      asked.push(from)
      if (from !== undefined) note({ subject: from })
      return { status: from === 'mallory' ? 403 : 200, headers: {}, body: '{}' }
    },
  }
  return { access, asked }
}

interface From {
  readonly from?: string
  readonly address?: string
  readonly url?: string
}

function ask({ send }: Client, { from, address = '192.0.2.1', url = '/v2/' }: From = {}): Promise<Answer> {
  return send('GET', url, { headers: from === undefined ? {} : { from }, remoteAddress: address })
}

async function statuses(session: Client, count: number, from?: From): Promise<number[]> {
  const answers: number[] = []
  for (let i = 0; i < count; i++) answers.push((await ask(session, from)).status)
  return answers
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

describe('rateLimit', () => {
  it('answers 429 with when to come back, and lets in what has come up by then', async () => {
    const session = client({ access: checking().access, rateLimit: { perSecond: 0.5, burst: 3 } })
    expect(await statuses(session, 3, { from: 'alice' })).toEqual([200, 200, 200])
    const { status, headers, text } = await ask(session, { from: 'alice' })
    expect([status, headers['retry-after'], headers['cache-control']]).toEqual([429, '2', 'no-store'])
    expect(JSON.parse(text)).toEqual({
      errors: [{ code: 'TOOMANYREQUESTS', message: 'too many requests', detail: { perSecond: 0.5 } }],
    })
    vi.advanceTimersByTime(1_001)
    expect((await ask(session, { from: 'alice' })).headers['retry-after']).toBe('1')
    vi.advanceTimersByTime(1_000)
    expect(await statuses(session, 2, { from: 'alice' })).toEqual([200, 429])
    vi.advanceTimersByTime(3_600_000)
    expect(await statuses(session, 4, { from: 'alice' })).toEqual([200, 200, 200, 429])
  })

  it('counts a principal wherever it is, and no other with it', async () => {
    const session = client({ access: checking().access, rateLimit: { perSecond: 1, burst: 2 } })
    expect(await statuses(session, 1, { from: 'alice', address: '192.0.2.1' })).toEqual([200])
    expect(await statuses(session, 2, { from: 'alice', address: '192.0.2.2' })).toEqual([200, 429])
    expect(await statuses(session, 2, { from: 'bob', address: '192.0.2.2' })).toEqual([200, 200])
    // What was refused counts for the address.
    expect(await statuses(session, 2, { address: '192.0.2.2' })).toEqual([200, 429])
  })

  it.each(['/v2/', '/v2/_wharfage/token'])('stops somebody before access control who goes on at %s', async (url) => {
    const { access, asked } = checking()
    const session = client({ access, rateLimit: { perSecond: 0.001, burst: 5 } })
    const answers = await statuses(session, 50, { from: 'alice', url })
    expect(answers).toEqual([...Array(5).fill(200), ...Array(45).fill(429)])
    expect(asked.length).toBe(10)
  })

  it('counts anonymous requests by address', async () => {
    const session = client({ access: checking().access, rateLimit: { perSecond: 1, burst: 2 } })
    expect(await statuses(session, 3)).toEqual([200, 200, 429])
    expect(await statuses(session, 2, { address: '192.0.2.2' })).toEqual([200, 200])
  })

  it('stops a flood of wrong credentials before access control looks at them', async () => {
    const { access, asked } = checking()
    const session = client({ access, rateLimit: { perSecond: 1, burst: 5 } })
    const flood = await Promise.all(Array.from({ length: 50 }, () => ask(session, { from: 'mallory' })))
    expect(flood.map(({ status }) => status).sort()).toEqual([...Array(5).fill(401), ...Array(45).fill(429)])
    expect(asked).toHaveLength(5)
    expect((await ask(session, { from: 'alice', address: '192.0.2.2' })).status).toBe(200)
  })

  it('counts a request for a token for whom it is given, else for its address', async () => {
    const session = client({ access: checking().access, rateLimit: { perSecond: 1, burst: 2 } })
    const url = '/v2/_wharfage/token?service=registry.test'
    expect(await statuses(session, 3, { from: 'alice', url })).toEqual([200, 200, 429])
    expect(await statuses(session, 1, { from: 'alice', address: '192.0.2.2' })).toEqual([429])
    expect(await statuses(session, 2, { from: 'bob', url })).toEqual([200, 200])
    expect(await statuses(session, 3, { from: 'mallory', url, address: '192.0.2.3' })).toEqual([403, 403, 429])
    expect(await statuses(session, 3, { url, address: '192.0.2.4' })).toEqual([200, 200, 429])
  })

  it('believes a trusted proxy of the address, and nobody else', async () => {
    const session = client({
      access: checking().access,
      rateLimit: { perSecond: 1, burst: 1 },
      trustedProxies: ['192.0.2.1'],
    })
    const through = (remoteAddress: string, client: string) =>
      session.send('GET', '/v2/', { headers: { 'x-forwarded-for': client }, remoteAddress })
    expect((await through('192.0.2.1', '198.51.100.1')).status).toBe(200)
    expect((await through('192.0.2.1', '198.51.100.2')).status).toBe(200)
    expect((await through('192.0.2.1', '198.51.100.2')).status).toBe(429)
    expect((await through('192.0.2.9', '198.51.100.3')).status).toBe(200)
    expect((await through('192.0.2.9', '198.51.100.4')).status).toBe(429)
  })

  it('has a burst of ten seconds by default, and is off by default', async () => {
    const session = client({ access: checking().access, rateLimit: { perSecond: 2 } })
    const answered = await statuses(session, 21, { from: 'alice' })
    expect(answered.slice(-2)).toEqual([200, 429])
    expect(await statuses(client({ access: checking().access }), 200)).not.toContain(429)
  })

  it('does not answer a preflight with it', async () => {
    const cors = { origins: ['https://ui.example'] }
    const session = client({ access: checking().access, cors, rateLimit: { perSecond: 1, burst: 1 } })
    const preflight = () =>
      session.send('OPTIONS', '/v2/', {
        headers: { origin: 'https://ui.example', 'access-control-request-method': 'GET' },
      })
    expect([(await preflight()).status, (await preflight()).status]).toEqual([204, 204])
  })

  it.each([
    [{ perSecond: 0 }, 'the option "rateLimit.perSecond" must be a number above 0, not the number 0'],
    [{ perSecond: Number.NaN }, 'the option "rateLimit.perSecond" must be a number above 0, not the number NaN'],
    [{ perSecond: 1, burst: 0.5 }, 'the option "rateLimit.burst" must be a number, 1 or more, not the number 0.5'],
    [{}, 'the option "rateLimit.perSecond" must be a number above 0, not undefined'],
    [{ perSeconds: 1 }, '"rateLimit" has no option "perSeconds": did you mean "perSecond"?'],
  ])('refuses %j', (rateLimit, message) => {
    expect(() => client({ rateLimit: rateLimit as { perSecond: number } })).toThrow(new TypeError(message))
  })
})

describe('clientKey', () => {
  it.each([
    ['alice', '192.0.2.1', 'subject alice'],
    ['address 192.0.2.1', undefined, 'subject address 192.0.2.1'],
    [undefined, undefined, 'address unknown'],
    [undefined, '192.0.2.1', 'address 192.0.2.1'],
    [undefined, '2001:db8::1', 'address 2001:db8:0:0::/64'],
  ])('of %s at %s is %s', (subject, address, key) => {
    expect(clientKey(subject, address)).toBe(key)
  })
})
