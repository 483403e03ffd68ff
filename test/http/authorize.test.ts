import { describe, expect, it, vi } from 'vitest'
import type { AccessContext, AccessController, Authorize, Grant } from '../../src/auth/access.ts'
import { RegistryError } from '../../src/errors.ts'
import type { AccessDecision } from '../../src/http/audit.ts'
import { answerOf, client, failing, newRegistry, recordingLogger, requestOf } from './support.ts'

const alice: Grant = { subject: 'alice', allows: () => true }
const reached = failing(new Error('reached'))

describe('the access option', () => {
  it('may be the function alone', async () => {
    expect((await client({ access: () => alice }).get('/v2/')).status).toBe(200)
  })

  it.each([false, undefined, 'yes', {}])(
    'denies what the grant answers %j of, whoever forgot to look',
    async (answer) => {
      const access: Authorize = () => ({ subject: 'alice', allows: () => answer as unknown as boolean })
      const { status, error } = await answerOf(reached, requestOf('GET', '/v2/a/tags/list'), { access })
      expect([status, error.code]).toEqual([403, 'DENIED'])
    },
  )

  it('denies when a grant fails', async () => {
    const access: Authorize = () => ({ subject: 'alice', allows: () => Promise.reject(new Error('down')) })
    expect((await answerOf(reached, requestOf('GET', '/v2/a/tags/list'), { access })).status).toBe(500)
  })

  it.each([
    ['a controller', () => new Promise<Grant>(() => {})],
    ['a grant', () => ({ subject: 'alice', allows: () => new Promise<boolean>(() => {}) })],
  ])('denies when %s never answers, and says so to it', async (_, authorize) => {
    const signals: AbortSignal[] = []
    const access: Authorize = (_request, _required, { signal }) => {
      signals.push(signal)
      return authorize()
    }
    const answer = await answerOf(reached, requestOf('GET', '/v2/a/tags/list'), { access, accessTimeoutMs: 1 })
    expect([answer.status, answer.error.code]).toEqual([503, 'UNAVAILABLE'])
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
  })
})

describe('what a controller is told', () => {
  const told = async (options: object, request: object = {}): Promise<AccessContext> => {
    let context: AccessContext | undefined
    const access: Authorize = (_request, _required, given) => {
      context = given
      return alice
    }
    await answerOf(newRegistry(), requestOf('GET', '/v2/', request), { ...options, access })
    return context ?? expect.unreachable()
  }

  it.each([
    ['by the host that the client named', {}, {}, 'http://registry.test'],
    ['encrypted', {}, { secure: true }, 'https://registry.test'],
    ['below a mount', {}, { url: '/r/v2/', mountPath: '/r' }, 'http://registry.test/r'],
    ['by its public URL', { publicUrl: 'https://public.test/r/' }, {}, 'https://public.test/r'],
    [
      'by a trusted proxy',
      { trustedProxies: ['192.0.2.9'] },
      { remoteAddress: '192.0.2.9', headers: { 'x-forwarded-host': 'proxy.test', 'x-forwarded-proto': 'https' } },
      'https://proxy.test',
    ],
    [
      'not by anybody else',
      { trustedProxies: ['192.0.2.9'] },
      { remoteAddress: '192.0.2.8', headers: { host: 'registry.test', 'x-forwarded-host': 'evil.test' } },
      'http://registry.test',
    ],
  ])('is where the registry is, %s', async (_, options, request, baseUrl) => {
    expect((await told(options, request)).baseUrl).toBe(baseUrl)
  })

  it('is the address of the client', async () => {
    const forwarded = { remoteAddress: '192.0.2.9', headers: { 'x-forwarded-for': '198.51.100.7' } }
    expect((await told({}, forwarded)).address).toBe('192.0.2.9')
    expect((await told({ trustedProxies: ['192.0.2.0/24'] }, forwarded)).address).toBe('198.51.100.7')
  })

  it('is no URL of a host that cannot be one', async () => {
    const context = await told({}, { headers: { host: 'evil.test/"><script>' } })
    expect(() => context.baseUrl).toThrow(/Host header/)
  })
})

describe('the token endpoint', () => {
  const token: AccessController['token'] = async (request, { baseUrl, note }) => {
    note({ username: 'alice' })
    return { status: request.method === 'GET' ? 200 : 400, headers: {}, body: baseUrl }
  }

  it('is the controller’s, before anybody is asked who they are', async () => {
    const authorize = vi.fn()
    const decisions: AccessDecision[] = []
    const options = { access: { authorize, token }, audit: (decision: AccessDecision) => void decisions.push(decision) }
    const { send } = client(options)
    expect((await send('GET', '/v2/_wharfage/token?service=x')).text).toBe('http://registry.test')
    expect((await send('POST', '/v2/_wharfage/token')).status).toBe(400)
    expect(authorize).not.toHaveBeenCalled()
    expect(decisions.map(({ route, outcome, details }) => [route, outcome, details])).toEqual([
      ['token', 'allowed', { username: 'alice' }],
      ['token', 'denied', { username: 'alice' }],
    ])
  })

  it('is not there where none gives tokens out', async () => {
    const { status, error } = await client().send('GET', '/v2/_wharfage/token')
    expect([status, error.code]).toEqual([404, 'NAME_UNKNOWN'])
  })

  it.each(['PUT', 'PATCH', 'DELETE', 'HEAD'])('does not answer %s', async (method) => {
    const { status, headers } = await client({ access: { authorize: () => alice, token } }).send(
      method,
      '/v2/_wharfage/token',
    )
    expect([status, headers.allow]).toEqual([405, 'GET, POST, OPTIONS'])
  })
})

describe('the audit log', () => {
  const decide = async (access: Authorize, url: string) => {
    const decisions: AccessDecision[] = []
    const audit = (decision: AccessDecision) => void decisions.push(decision)
    const request = requestOf('GET', url, { headers: { 'x-request-id': 'r1' }, remoteAddress: '192.0.2.1' })
    await answerOf(newRegistry(), request, { access, audit, accessTimeoutMs: 1000 })
    return decisions
  }
  const common = { at: expect.any(Date), requestId: 'r1', method: 'GET', address: '192.0.2.1', details: {} }
  const pull = [{ type: 'repository', name: 'a', action: 'pull' }]

  it.each([
    ['allowed', () => alice, 'allowed', 'alice'],
    ['allowed to anybody', () => ({ subject: undefined, allows: () => true }), 'allowed', undefined],
    ['denied', () => ({ subject: 'alice', allows: () => false }), 'denied', 'alice'],
    ['denied outright', () => Promise.reject(new RegistryError('DENIED')), 'denied', undefined],
    ['challenged', () => Promise.reject(new RegistryError('UNAUTHORIZED')), 'challenged', undefined],
    ['what failed', () => Promise.reject(new Error('down')), 'failed', undefined],
    ['what cannot be told', () => Promise.reject(new RegistryError('UNAVAILABLE')), 'failed', undefined],
  ] as const)('tells once of what was %s', async (_, authorize, outcome, subject) => {
    const who = subject === undefined ? {} : { subject }
    expect(await decide(authorize as Authorize, '/v2/a/tags/list')).toEqual([
      { ...common, ...who, route: 'listTags', required: pull, outcome },
    ])
  })

  it('tells of a challenge to somebody who is known as of a denial', async () => {
    const access: Authorize = (_, __, { note }) => {
      note({ subject: 'alice' })
      throw new RegistryError('UNAUTHORIZED')
    }
    const details = { subject: 'alice' }
    expect(await decide(access, '/v2/a/tags/list')).toEqual([
      { ...common, subject: 'alice', details, route: 'listTags', required: pull, outcome: 'denied' },
    ])
  })

  it('cannot keep a request from being answered', async () => {
    const logger = recordingLogger()
    const audit = () => {
      throw new Error('the disk is full')
    }
    const { status } = await answerOf(newRegistry(), requestOf('GET', '/v2/'), { access: () => alice, audit, logger })
    expect(status).toBe(200)
    expect(logger.lines.map(({ message }) => message)).toEqual(['the audit log failed'])
  })
})
