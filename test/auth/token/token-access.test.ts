import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type TokenAccessOptions, tokenAccess } from '../../../src/auth/token/token-access.ts'
import { rfc7638Thumbprint } from '../../../src/auth/token/trusted-key.ts'
import type { AccessDecision } from '../../../src/http/audit.ts'
import { client } from '../../http/support.ts'
import { EC, handmade, ISSUER, jwkOf, keysOf, NOW, OTHER_EC, RSA, SERVICE, type TokenFields, token } from './support.ts'

const REALM = 'https://issuer.test/token'

function registry(options: Partial<TokenAccessOptions> = {}, { date = NOW * 1000 } = {}) {
  const decisions: AccessDecision[] = []
  const issuers = [{ issuer: ISSUER, keys: keysOf(EC.publicKey, RSA.publicKey) }]
  const clock = { date }
  const access = tokenAccess({ service: SERVICE, realm: REALM, issuers, date: () => clock.date, ...options })
  const { send } = client({ access, audit: (decision) => void decisions.push(decision) })
  const ask = async (authorization?: string, url = '/v2/team/app/tags/list') => {
    const { status, headers } = await send(
      'GET',
      url,
      authorization === undefined ? {} : { headers: { authorization } },
    )
    return [status, headers['www-authenticate']]
  }
  return { ask, send, decisions, clock }
}

const challenge = (error?: string, scope = 'repository:team/app:pull') =>
  `Bearer realm="${REALM}",service="${SERVICE}"${scope && `,scope="${scope}"`}${error ? `,error="${error}"` : ''}`

const LET_IN = [404, undefined] // there are no tags
const INVALID = [401, challenge('invalid_token')]

describe('tokenAccess', () => {
  it.each([
    ['nobody', undefined],
    ['a name and a password', `Basic ${Buffer.from('a:b').toString('base64')}`],
    ['another scheme', 'Negotiate abc'],
  ])('challenges %s, naming what is needed', async (_, authorization) => {
    const { ask } = registry()
    expect(await ask(authorization)).toEqual([401, challenge()])
    expect(await ask(authorization, '/v2/')).toEqual([401, challenge(undefined, '')])
    expect(await ask(authorization, '/v2/_catalog')).toEqual([401, challenge(undefined, 'registry:catalog:*')])
  })

  it('lets in whom a token lets in, and tells who they are', async () => {
    const { ask, decisions } = registry()
    expect(await ask(`Bearer ${await token()}`)).toEqual(LET_IN)
    expect(await ask(`bearer ${await token()}`, '/v2/')).toEqual([200, undefined])
    expect(decisions.map(({ outcome, subject }) => [outcome, subject])).toEqual([
      ['allowed', 'alice'],
      ['allowed', 'alice'],
    ])
  })

  const pull = (...actions: unknown[]) => ({ type: 'repository', name: 'team/app', actions })
  it.each([
    ['nothing', []],
    ['no claim', undefined],
    ['null', null],
    ['push alone', [pull('push')]],
    ['another repository', [{ ...pull('pull'), name: 'team/app2' }]],
    ['what is above', [{ ...pull('pull'), name: 'team' }]],
    ['what is below', [{ ...pull('pull'), name: 'team/app/x' }]],
    ['a pattern', [{ ...pull('*'), name: 'team/*' }]],
    ['another case', [{ ...pull('pull'), name: 'Team/App' }]],
    ['another type', [{ ...pull('pull'), type: 'registry' }]],
    ['an unknown action', [pull('Pull', 'read')]],
  ])('asks for another token where one is for %s', async (_, access) => {
    const { ask } = registry()
    const authorization = `Bearer ${await token({ claims: { access } })}`
    expect(await ask(authorization)).toEqual([401, challenge('insufficient_scope')])
    expect(await ask(authorization, '/v2/')).toEqual([200, undefined])
  })

  it.each([
    ['among others', [pull('push', 'pull')]],
    ['in a second entry', [pull('push'), pull('pull')]],
    ['as all actions', [pull('*')]],
  ])('finds what is needed %s', async (_, access) => {
    expect(await registry().ask(`Bearer ${await token({ claims: { access } })}`)).toEqual(LET_IN)
  })

  it.each<[string, TokenFields]>([
    ['has expired', { claims: { exp: NOW - 60 } }],
    ['never expires', { claims: { exp: undefined } }],
    ['expires at a text', { claims: { exp: String(NOW + 300) } }],
    ['is not good yet', { claims: { nbf: NOW + 61 } }],
    ['is from the future', { claims: { iat: NOW + 61 } }],
    ['is from a text', { claims: { iat: String(NOW) } }],
    ['is for refreshing', { header: { typ: 'refresh+jwt' } }],
    ['is for something else', { header: { typ: 'application/logout+jwt' } }],
    ['is of a type that is no text', { header: { typ: 1 } }],
    ['is for another service', { claims: { aud: 'other.test' } }],
    ['is for a longer name', { claims: { aud: `${SERVICE}.evil.test` } }],
    ['is for no service', { claims: { aud: undefined } }],
    ['is for none of a list', { claims: { aud: ['a', 'b'] } }],
    ['is of another issuer', { claims: { iss: 'https://evil.test' } }],
    ['is of no issuer', { claims: { iss: undefined } }],
    ['is of a longer issuer', { claims: { iss: `${ISSUER}/` } }],
    ['is signed by another key', { key: OTHER_EC.privateKey }],
    ['names another key', { header: { kid: 'unknown' } }],
    ['names a file', { header: { kid: '../../../../dev/null' } }],
    ['names a query', { header: { kid: "x' UNION SELECT 'key" } }],
    ['has a critical header that nobody knows', { header: { crit: ['x'], x: 1 } }],
    ['has a subject that is no text', { claims: { sub: { admin: true } } }],
    ['has access that is no list', { claims: { access: { type: 'repository' } } }],
    ['has access without actions', { claims: { access: [{ type: 'repository', name: 'team/app' }] } }],
    ['has actions that are no texts', { claims: { access: [pull({})] } }],
  ])('takes no token that %s', async (_, fields) => {
    expect(await registry().ask(`Bearer ${await token(fields)}`)).toEqual(INVALID)
  })

  it('N16: does not look at a token of more than 16 KiB', async () => {
    const { ask, decisions } = registry()
    expect(await ask(`Bearer ${await token({ claims: { x: 'x'.repeat(16 * 1024) } })}`)).toEqual(INVALID)
    expect(decisions[0]?.details).toEqual({})
  })

  it.each(['Bearer a b', 'bearer é', 'BEARER ', 'Bearer', 'Bearer a, Bearer b'])(
    'tells %j from no token at all',
    async (authorization) => {
      expect(await registry().ask(authorization)).toEqual(INVALID)
    },
  )

  it.each([undefined, 'JWT', 'jwt', 'at+jwt', 'application/at+JWT'])('takes a token of type %s', async (typ) => {
    expect(await registry().ask(`Bearer ${await token({ header: { typ } })}`)).toEqual(LET_IN)
  })

  it('takes no token that anything was changed in', async () => {
    const good = await token()
    const { ask } = registry()
    const bytes = good.split('.').map((part) => Buffer.from(part, 'base64url'))
    const position = fc.nat({ max: 2 }).chain((part) =>
      fc.record({
        part: fc.constant(part),
        at: fc.nat({ max: (bytes[part]?.byteLength ?? 1) - 1 }),
        bit: fc.nat({ max: 7 }),
      }),
    )
    await fc.assert(
      fc.asyncProperty(position, async ({ part, at, bit }) => {
        const changed = bytes.map((one) => Buffer.from(one))
        const one = changed[part] as Buffer
        one[at] = (one[at] ?? 0) ^ (1 << bit)
        expect(await ask(`Bearer ${changed.map((each) => each.toString('base64url')).join('.')}`)).toEqual(INVALID)
      }),
    )
  })

  it('refuses whatever else it is sent, and never fails', async () => {
    const { ask } = registry()
    const part = fc.oneof(
      fc.string(),
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
      fc
        .record({ alg: fc.constantFrom('ES256', 'none', 'HS256', 7), kid: fc.anything() }, { requiredKeys: [] })
        .map((header) => Buffer.from(JSON.stringify(header) ?? '').toString('base64url')),
      fc.constant(Buffer.from(JSON.stringify({ iss: ISSUER, aud: SERVICE, exp: NOW + 300 })).toString('base64url')),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
        expect(await ask(`Bearer ${parts.join('.')}`)).toEqual(INVALID)
      }),
    )
  })

  it('S03, CVE-2025-24976: takes no key from a token', async () => {
    const { ask } = registry()
    const { privateKey: key, publicKey } = OTHER_EC
    const known = rfc7638Thumbprint(EC.publicKey)
    const jwk = jwkOf(publicKey, { kid: known })
    for (const header of [
      { jwk },
      { jwk, kid: known },
      { kid: known },
      { jku: 'https://evil.test/jwks.json', kid: known },
      { x5u: 'https://evil.test/cert.pem', kid: known },
      { x5c: ['AAAA'] },
      { x5c: [] },
      { x5t: 'AAAA' },
    ]) {
      expect([header, await ask(`Bearer ${await token({ header, key })}`)]).toEqual([header, INVALID])
    }
  })

  it('S03: takes no token without a signature, or signed with what everybody knows', async () => {
    const { ask } = registry()
    const claims = { iss: ISSUER, aud: SERVICE, exp: NOW + 300, access: [pull('pull')] }
    const pem = RSA.publicKey.export({ type: 'spki', format: 'pem' })
    const hmac = (header: object) => {
      const unsigned = handmade(header, claims, '').slice(0, -1)
      return `${unsigned}.${createHmac('sha256', pem).update(unsigned).digest('base64url')}`
    }
    const good = await token()
    for (const text of [
      handmade({ alg: 'none' }, claims, ''),
      handmade({ alg: 'None' }, claims, ''),
      handmade({ alg: 'none' }, claims),
      handmade({ alg: 'ES256' }, claims),
      handmade({ alg: 'ES256' }, claims, ''),
      handmade({}, claims),
      handmade({ alg: ['ES256'] }, claims),
      hmac({ alg: 'HS256' }),
      hmac({ alg: 'RS256' }),
      good.slice(0, -3),
      `${good}.x`,
      good.split('.').slice(0, 2).join('.'),
      'a.b.c',
      'x',
    ]) {
      const [status] = await ask(`Bearer ${text}`)
      expect([text, status]).toEqual([text, 401])
    }
    // A token whose algorithm is of the other key: RS256 by name, with an EC signature.
    expect(await ask(`Bearer ${await token({ header: { alg: 'RS256' }, key: RSA.privateKey })}`)).toEqual(LET_IN)
  })

  it('takes the algorithms alone that are allowed', async () => {
    const issuers = [{ issuer: ISSUER, keys: keysOf(EC.publicKey, RSA.publicKey), algorithms: ['RS256'] as const }]
    const { ask } = registry({ issuers })
    expect(await ask(`Bearer ${await token()}`)).toEqual(INVALID)
    expect(await ask(`Bearer ${await token({ header: { alg: 'PS256' }, key: RSA.privateKey })}`)).toEqual(INVALID)
    expect(await ask(`Bearer ${await token({ header: { alg: 'RS256' }, key: RSA.privateKey })}`)).toEqual(LET_IN)
  })

  it('knows each issuer by its own keys', async () => {
    const issuers = [
      { issuer: ISSUER, keys: keysOf(EC.publicKey) },
      { issuer: 'https://second.test', keys: keysOf(OTHER_EC.publicKey) },
    ]
    const { ask } = registry({ issuers })
    const second = { iss: 'https://second.test' }
    expect(await ask(`Bearer ${await token()}`)).toEqual(LET_IN)
    expect(await ask(`Bearer ${await token({ claims: second, key: OTHER_EC.privateKey })}`)).toEqual(LET_IN)
    expect(await ask(`Bearer ${await token({ claims: second })}`)).toEqual(INVALID)
    expect(await ask(`Bearer ${await token({ key: OTHER_EC.privateKey })}`)).toEqual(INVALID)
  })

  it.each([
    ['the end', { exp: NOW - 59 }, LET_IN],
    ['behind the end', { exp: NOW - 60 }, INVALID],
    ['the beginning', { nbf: NOW + 60 }, LET_IN],
    ['before the beginning', { nbf: NOW + 61 }, INVALID],
    ['its making', { iat: NOW + 60 }, LET_IN],
    ['before its making', { iat: NOW + 61 }, INVALID],
  ])('lets clocks be a minute apart: %s', async (_, claims, expected) => {
    expect(await registry().ask(`Bearer ${await token({ claims })}`)).toEqual(expected)
  })

  it('does not remember a token for longer than it is good', async () => {
    const { ask, clock } = registry({ leewaySeconds: 0 })
    const authorization = `Bearer ${await token({ claims: { exp: NOW + 30 } })}`
    expect(await ask(authorization)).toEqual(LET_IN)
    clock.date += 29_000
    expect(await ask(authorization)).toEqual(LET_IN)
    clock.date += 1000
    expect(await ask(authorization)).toEqual(INVALID)
  })

  it('asks for the keys again a minute later', async () => {
    let trusted = keysOf(EC.publicKey)
    const keys = { find: (...hint: Parameters<typeof trusted.find>) => trusted.find(...hint) }
    const { ask, clock } = registry({ issuers: [{ issuer: ISSUER, keys }] })
    const authorization = `Bearer ${await token()}`
    expect(await ask(authorization)).toEqual(LET_IN)
    trusted = keysOf(OTHER_EC.publicKey)
    expect(await ask(authorization)).toEqual(LET_IN)
    clock.date += 60_000
    expect(await ask(authorization)).toEqual(INVALID)
  })

  it('does not say that a token is wrong where it cannot tell', async () => {
    const keys = { find: () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.1')) }
    const { send } = registry({ issuers: [{ issuer: ISSUER, keys }] })
    const headers = { authorization: `Bearer ${await token()}` }
    const { status, error, text } = await send('GET', '/v2/', { headers })
    expect([status, error.code, text.includes('10.0.0.1')]).toEqual([503, 'UNAVAILABLE', false])
  })

  it('takes tokens from the header alone', async () => {
    const { ask } = registry()
    expect(await ask(undefined, `/v2/team/app/tags/list?access_token=${await token()}`)).toEqual([401, challenge()])
  })

  it('tells the audit log why, and never the token', async () => {
    const { ask, decisions } = registry()
    const text = await token({ claims: { exp: NOW - 100 } })
    await ask(`Bearer ${text}`)
    expect(decisions[0]).toMatchObject({
      outcome: 'challenged',
      details: { token: '"exp" claim timestamp check failed' },
    })
    expect(JSON.stringify(decisions)).not.toContain(text.slice(0, 20))
  })

  it('tells the audit log whom a token is not enough for', async () => {
    const { ask, decisions } = registry()
    const authorization = `Bearer ${await token({ claims: { access: [] } })}`
    await ask(authorization, '/v2/team/app/tags/list')
    expect(decisions).toMatchObject([{ outcome: 'denied', subject: 'alice', route: 'listTags' }])
  })

  it.each<[unknown, string]>([
    [undefined, 'the option "service" must be the name of this registry in tokens, not undefined'],
    [{ service: 'x' }, 'the option "realm" must be the URL of a token service, not undefined'],
    [{ service: 'x', realm: 'javascript:1' }, 'the option "realm" must be the URL of a token service'],
    [
      {
        service: 'x',
        realm: REALM,
        issuers: [{ issuer: 'a', keys: keysOf() }],
        leewaySeconds: Number.POSITIVE_INFINITY,
      },
      'the option "leewaySeconds" must be a number of seconds, not the number Infinity',
    ],
    [{ service: 'x', realm: REALM }, 'the option "issuers" must be a list'],
    [{ service: 'x', realm: REALM, issuers: [{}] }, 'an issuer must have its name'],
    [{ service: 'x', realm: REALM, issuers: [{ issuer: 'a' }] }, 'the keys of a must be those of jwksFile()'],
    [
      { service: 'x', realm: REALM, issuers: [{ issuer: 'a', keys: keysOf(), algorithms: ['HS256'] }] },
      'the algorithm the string "HS256" is none of RS256',
    ],
    [
      {
        service: 'x',
        realm: REALM,
        issuers: [
          { issuer: 'a', keys: keysOf() },
          { issuer: 'a', keys: keysOf() },
        ],
      },
      'the option "issuers" has the same issuer twice',
    ],
  ])('refuses the options %j', (options, message) => {
    expect(() => tokenAccess(options as TokenAccessOptions)).toThrow(message)
  })
})
