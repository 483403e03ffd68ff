import fc from 'fast-check'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { describe, expect, it } from 'vitest'
import type { Access } from '../../../src/auth/access.ts'
import { basicAccess } from '../../../src/auth/basic/basic-access.ts'
import type { CheckCredentials, Identity } from '../../../src/auth/identity.ts'
import { type TokenIssuerOptions, tokenIssuer } from '../../../src/auth/issuer/token-issuer.ts'
import { rules } from '../../../src/auth/rules/rules.ts'
import { parseScope } from '../../../src/auth/scope.ts'
import type { AccessDecision } from '../../../src/http/audit.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { client } from '../../http/support.ts'
import { EC, NOW, OTHER_EC, RSA } from '../token/support.ts'

const check: CheckCredentials = ({ username, password }) =>
  password === 'wonderland' ? { subject: username, groups: username === 'alice' ? ['team'] : [] } : undefined
const permissions = rules(['library/*: anonymous pull', 'team/*: @team pull, push', 'home/{user}: pull, push, delete'])
const TOKEN = '/v2/_wharfage/token'
const REALM = 'http://registry.test/v2/_wharfage/token'
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
const ALICE = basic('alice:wonderland')

function registry(options: TokenIssuerOptions = {}) {
  const clock = { date: NOW * 1000 }
  const decisions: AccessDecision[] = []
  const access = tokenIssuer({ check, permissions, keys: EC.privateKey, date: () => clock.date, ...options })
  const { send } = client({ access, audit: (decision) => void decisions.push(decision) })
  const get = (query: string, authorization?: string) =>
    send('GET', `${TOKEN}${query}`, authorization === undefined ? {} : { headers: { authorization } })
  const post = (fields: Record<string, string>, type = 'application/x-www-form-urlencoded') =>
    send('POST', TOKEN, { headers: { 'content-type': type }, body: new URLSearchParams(fields).toString() })
  const tokenFor = async (scope: string, authorization?: string) =>
    JSON.parse((await get(`?service=wharfage&scope=${scope}`, authorization)).text).token as string
  const ask = async (method: string, url: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const { status, headers: answered } = await send(method, url, { headers })
    return [status, answered['www-authenticate']]
  }
  return { access, ask, clock, decisions, get, post, send, tokenFor }
}

describe('the token endpoint', () => {
  it('gives a token for a name and a password', async () => {
    const { get } = registry()
    const scope = 'scope=repository:team/app:pull,push&scope=repository:other/app:pull%20registry:catalog:*'
    const { status, headers, text } = await get(`?service=wharfage&account=alice&client_id=docker&${scope}`, ALICE)
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      'cache-control': 'no-store',
    })
    const { token, access_token, ...rest } = JSON.parse(text)
    expect(rest).toEqual({
      token_type: 'Bearer',
      scope: 'repository:team/app:pull,push',
      expires_in: 300,
      issued_at: '2026-01-01T00:00:00.000Z',
    })
    expect(access_token).toBe(token)
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'JWT', kid: expect.any(String) })
    expect(decodeJwt(token)).toEqual({
      ...{ iss: 'wharfage', sub: 'alice', aud: 'wharfage', iat: NOW, nbf: NOW, exp: NOW + 300 },
      jti: expect.any(String),
      access: [{ type: 'repository', name: 'team/app', actions: ['pull', 'push'] }],
    })
  })

  it('gives a token by POST as well', async () => {
    const { post, ask } = registry()
    const fields = {
      grant_type: 'password',
      username: 'alice',
      password: 'wonderland',
      service: 'wharfage',
      client_id: 'x',
    }
    const { status, text } = await post({ ...fields, scope: 'repository:team/app:pull' })
    expect([status, JSON.parse(text).scope]).toEqual([200, 'repository:team/app:pull'])
    expect(await ask('GET', '/v2/team/app/tags/list', JSON.parse(text).access_token)).toEqual([404, undefined])
  })

  it.each([
    ['a wrong password', 'alice:x', 401, 'UNAUTHORIZED', 'wrong name or password'],
    ['a header that is none', '', 400, 'UNSUPPORTED', expect.stringContaining('Basic')],
  ])('refuses %s', async (_, credentials, status, code, message) => {
    const { get } = registry()
    const answer = await get('?service=wharfage', credentials === '' ? 'Basic' : basic(credentials))
    expect([answer.status, answer.error]).toEqual([status, { code, message }])
    expect(answer.headers['www-authenticate']).toBe(status === 401 ? 'Basic realm="wharfage"' : undefined)
  })

  it.each<[string, Record<string, string>, number, string]>([
    ['no grant', {}, 400, 'grant_type must be password or refresh_token'],
    ['another grant', { grant_type: 'client_credentials' }, 400, 'grant_type must be password or refresh_token'],
    ['no name', { grant_type: 'password', password: 'x' }, 400, 'username is missing'],
    ['no password', { grant_type: 'password', username: 'x' }, 400, 'password is missing'],
    ['no refresh token', { grant_type: 'refresh_token' }, 400, 'refresh_token is missing'],
    ['a wrong password', { grant_type: 'password', username: 'alice', password: 'x' }, 401, 'wrong name or password'],
    [
      'a refresh token that is none',
      { grant_type: 'refresh_token', refresh_token: 'x' },
      401,
      'this token is not valid here',
    ],
    [
      'another service',
      { grant_type: 'password', username: 'alice', password: 'wonderland', service: 'x' },
      400,
      'tokens are given out here for "wharfage" alone',
    ],
    [
      'a scope without end',
      { grant_type: 'password', username: 'a', password: 'b', scope: 'x'.repeat(9000) },
      400,
      'scope must have at most 8192 characters',
    ],
    [
      'a scope for everything',
      { grant_type: 'password', username: 'a', password: 'b', scope: 'repository:a:pull '.repeat(101) },
      400,
      'scope must name at most 100 actions',
    ],
    ['a form without end', { x: 'x'.repeat(64 * 1024) }, 413, 'a form of at most 65536 bytes is expected'],
  ])('refuses a form with %s', async (_, fields, status, message) => {
    const { post } = registry()
    const answer = await post(fields)
    expect([answer.status, answer.error.message]).toEqual([status, message])
  })

  it.each([
    ['a:b', 'x'],
    ['a\n', 'x'],
    ['\0', 'x'],
    ['alice', 'x\n'],
  ])('refuses a form with what Basic cannot carry: %j, %j', async (username, password) => {
    const { post } = registry()
    const { status, error } = await post({ grant_type: 'password', username, password })
    const message = 'no control characters may be in username and password, and no colon in username'
    expect([status, error.message]).toEqual([400, message])
  })

  it.each(['%ff', '%c3', '\xff'])('refuses a password that is not UTF-8: %j', async (password) => {
    const { send } = registry()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = Buffer.from(`grant_type=password&username=alice&password=x${password}`, 'latin1')
    const { status, text } = await send('POST', TOKEN, { headers, body })
    expect([status, JSON.parse(text).errors[0].message]).toEqual([400, 'password is not UTF-8'])
  })

  it('reads no form to an end that it does not have', async () => {
    const { send } = registry()
    let sent = 0
    async function* endless() {
      for (;;) {
        sent += 16 * 1024
        yield Buffer.alloc(16 * 1024, 'x')
      }
    }
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await send('POST', TOKEN, { headers, body: endless() })).status).toBe(413)
    expect(sent).toBeLessThanOrEqual(128 * 1024)
  })

  it('gives out no token that no request has room for', async () => {
    const { get } = registry({ permissions: () => true })
    const scopeOf = (count: number) =>
      Array.from({ length: count }, (_, i) => `repository:${String(i).padEnd(70, 'a')}:*`).join(' ')
    const { status, error } = await get(`?scope=${scopeOf(90)}`, ALICE)
    expect([status, error.message]).toEqual([400, 'too much is asked for at once: ask for a token for each repository'])
    expect((await get(`?scope=${scopeOf(40)}`, ALICE)).status).toBe(200)
  })

  it('refuses what is no form, and parameters that are there twice', async () => {
    const { post, get } = registry()
    expect((await post({}, 'application/json')).status).toBe(415)
    const { status, error } = await get('?service=wharfage&service=other')
    expect([status, error.message]).toEqual([400, 'invalid parameter service: given more than once'])
  })

  it('makes an address wait that sends wrong passwords, by GET or by POST', async () => {
    const { get, post } = registry({ failures: { perUser: 2 } })
    await get('', basic('alice:x'))
    await post({ grant_type: 'password', username: 'alice', password: 'y' })
    const { status, headers } = await get('', ALICE)
    expect([status, Number(headers['retry-after']) > 0]).toEqual([429, true])
  })

  it('tells the audit log who asked for what, and what was given', async () => {
    const { get, decisions } = registry()
    await get('?scope=repository:team/app:pull,delete', ALICE)
    await get('', basic('alice:hunter2'))
    expect(decisions.map(({ route, outcome, subject, details }) => [route, outcome, subject, details])).toEqual([
      ['token', 'allowed', 'alice', { username: 'alice', subject: 'alice', granted: 'repository:team/app:pull' }],
      ['token', 'challenged', undefined, { username: 'alice' }],
    ])
    expect(JSON.stringify(decisions)).not.toMatch(/hunter2|wonderland|eyJ/)
  })
})

describe('what a token is for', () => {
  it('A08, CVE-2025-68944: is both asked for and allowed, whatever is asked for', async () => {
    const { access, tokenFor } = registry()
    expect(access).toBeDefined()
    const scope = fc
      .array(
        fc.record({
          name: fc.constantFrom(
            'library/a',
            'team/app',
            'team/app/x',
            'team',
            'home/alice',
            'home/bob',
            'UPPER',
            'catalog',
          ),
          type: fc.constantFrom('repository', 'registry', 'repository(plugin)', 'other'),
          actions: fc.array(fc.constantFrom('pull', 'push', 'delete', '*', 'admin', '')),
        }),
        { maxLength: 5 },
      )
      .map((all) => all.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' '))
    await fc.assert(
      fc.asyncProperty(scope, fc.constantFrom(ALICE, basic('bob:wonderland'), undefined), async (text, who) => {
        const claims = decodeJwt(await tokenFor(encodeURIComponent(text), who)) as {
          sub: string
          access: { type: Access['type']; name: string; actions: Access['action'][] }[]
        }
        const identity: Identity | undefined =
          claims.sub === '' ? undefined : { subject: claims.sub, groups: claims.sub === 'alice' ? ['team'] : [] }
        const asked = parseScope(text)
        for (const { type, name, actions } of claims.access) {
          for (const action of actions) {
            const isAsked = asked.some(
              (one) => one.type === type && one.name === name && (one.action === action || one.action === '*'),
            )
            expect([text, isAsked, permissions(identity, { type, name, action })]).toEqual([text, true, true])
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  it('is nothing where nothing was asked for, which is enough to log in', async () => {
    const { get, ask } = registry()
    const { text } = await get('?service=wharfage&account=bob', basic('bob:wonderland'))
    expect(decodeJwt(JSON.parse(text).token).access).toEqual([])
    expect(await ask('GET', '/v2/', JSON.parse(text).token)).toEqual([200, undefined])
  })

  it('A05, GHSA-qg67-7m6v-qg25: is not to delete where it is to push', async () => {
    const { tokenFor, ask } = registry()
    const token = await tokenFor('repository:team/app:pull,push,delete', ALICE)
    expect(await ask('POST', '/v2/team/app/blobs/uploads/', token)).toEqual([202, undefined])
    expect(await ask('DELETE', '/v2/team/app/manifests/v1', token)).toEqual([
      401,
      `Bearer realm="${REALM}",service="wharfage",scope="repository:team/app:delete",error="insufficient_scope"`,
    ])
  })

  it('A06, CVE-2025-23208: is what somebody may at the time, not what they once might', async () => {
    let groups = ['team']
    const { tokenFor } = registry({ check: ({ username }) => ({ subject: username, groups }) })
    const actions = async () => decodeJwt(await tokenFor('repository:team/app:pull', ALICE)).access
    expect(await actions()).toHaveLength(1)
    groups = []
    expect(await actions()).toHaveLength(0)
  })

  it('ends', async () => {
    const { tokenFor, ask, clock } = registry()
    const token = await tokenFor('repository:team/app:pull', ALICE)
    clock.date += 359_000
    expect((await ask('GET', '/v2/', token))[0]).toBe(200)
    clock.date += 1000
    expect((await ask('GET', '/v2/', token))[0]).toBe(401)
  })
})

describe('what docker does', () => {
  // The engine remembers the challenge of /v2/ and answers each one as that one has to be answered, with a scope of its own.
  it('pulls without logging in, beside pushes of whoever has', async () => {
    const { ask, tokenFor } = registry()
    expect(await ask('GET', '/v2/')).toEqual([401, `Bearer realm="${REALM}",service="wharfage"`])
    const anonymous = await tokenFor('repository:library/app:pull')
    expect(await ask('GET', '/v2/library/app/tags/list', anonymous)).toEqual([404, undefined])
    const nothing = await tokenFor('repository:team/app:pull')
    expect((await ask('GET', '/v2/team/app/tags/list', nothing))[0]).toBe(401)
    const pushing = await tokenFor('repository:team/app:pull,push', ALICE)
    expect((await ask('POST', '/v2/team/app/blobs/uploads/', pushing))[0]).toBe(202)
  })

  it('is why Basic serves no rules for anybody', async () => {
    expect(() => basicAccess({ check, permissions })).toThrow(/docker/)
  })

  it('is told outright that it has to log in where nobody may do anything without', async () => {
    const { get } = registry({ permissions: rules(['home/{user}: pull']) })
    const { status, headers, error } = await get('?service=wharfage&scope=repository:home/alice:pull')
    expect([status, headers['www-authenticate'], error.message]).toEqual([
      401,
      'Basic realm="wharfage"',
      'a name and a password are needed',
    ])
  })
})

describe('a refresh token', () => {
  const people = new Map<string, Identity>([['alice', { subject: 'alice', groups: ['team'] }]])
  const identity = (subject: string) => people.get(subject)
  const fields = { grant_type: 'password', username: 'alice', password: 'wonderland', access_type: 'offline' }

  it('is good for tokens later, without the password', async () => {
    const { post, ask, clock } = registry({ identity })
    const { refresh_token: refreshToken } = JSON.parse((await post(fields)).text)
    clock.date += 29 * 86_400_000
    const renew = { grant_type: 'refresh_token', refresh_token: refreshToken, scope: 'repository:team/app:pull,push' }
    const { access_token: token, refresh_token: same } = JSON.parse((await post(renew)).text)
    expect(same).toBe(refreshToken)
    expect((await ask('POST', '/v2/team/app/blobs/uploads/', token))[0]).toBe(202)
    clock.date += 2 * 86_400_000
    expect((await post(renew)).status).toBe(401)
  })

  it('is given by GET where it is asked for', async () => {
    const { get } = registry({ identity })
    expect(JSON.parse((await get('?offline_token=true', ALICE)).text)).toHaveProperty('refresh_token')
    expect(JSON.parse((await get('', ALICE)).text)).not.toHaveProperty('refresh_token')
    expect(JSON.parse((await get('?offline_token=true')).text)).not.toHaveProperty('refresh_token')
  })

  it('is not given where nobody could tell who has left', async () => {
    const { post } = registry()
    expect(JSON.parse((await post(fields)).text)).not.toHaveProperty('refresh_token')
  })

  it('A06: is worth what its bearer may by now, and nothing when they have left', async () => {
    const { post } = registry({ identity })
    const { refresh_token: refreshToken } = JSON.parse((await post(fields)).text)
    const renew = { grant_type: 'refresh_token', refresh_token: refreshToken, scope: 'repository:team/app:pull' }
    people.set('alice', { subject: 'alice' })
    expect(JSON.parse((await post(renew)).text).scope).toBe('')
    people.delete('alice')
    const { status, error } = await post(renew)
    people.set('alice', { subject: 'alice', groups: ['team'] })
    expect([status, error.message]).toEqual([401, 'this token is not valid here'])
  })

  it('is worth nothing when the password has changed', async () => {
    let revision = 'one'
    const current = () => ({ subject: 'alice', groups: ['team'], revision })
    const { post } = registry({ check: current, identity: current })
    const { refresh_token: refreshToken } = JSON.parse((await post(fields)).text)
    const renew = { grant_type: 'refresh_token', refresh_token: refreshToken }
    expect((await post(renew)).status).toBe(200)
    revision = 'two'
    expect((await post(renew)).status).toBe(401)
  })

  it('gives nobody a token of somebody else, whatever is mistaken', async () => {
    const { post } = registry({ identity: () => ({ subject: 'root' }) })
    const { refresh_token: refreshToken } = JSON.parse((await post(fields)).text)
    const { status, text } = await post({ grant_type: 'refresh_token', refresh_token: refreshToken })
    expect([status, text]).toEqual([500, expect.not.stringContaining('root')])
  })

  it('is no token, and a token is none', async () => {
    const { post, ask, tokenFor } = registry({ identity })
    const { refresh_token: refreshToken } = JSON.parse((await post(fields)).text)
    expect((await ask('GET', '/v2/', refreshToken))[0]).toBe(401)
    const token = await tokenFor('repository:team/app:pull', ALICE)
    expect((await post({ grant_type: 'refresh_token', refresh_token: token })).status).toBe(401)
  })
})

describe('keys', () => {
  it('of before are taken while new ones sign', async () => {
    const before = registry({ keys: OTHER_EC.privateKey })
    const token = await before.tokenFor('repository:team/app:pull', ALICE)
    const { ask, tokenFor } = registry({ keys: [RSA.privateKey, OTHER_EC.privateKey] })
    expect((await ask('GET', '/v2/team/app/tags/list', token))[0]).toBe(404)
    expect(decodeProtectedHeader(await tokenFor('', ALICE)).alg).toBe('RS256')
    expect((await registry({ keys: RSA.privateKey }).ask('GET', '/v2/', token))[0]).toBe(401)
  })

  it('are made for the process where none are given', async () => {
    const one = registry()
    const generated = tokenIssuer({ check })
    const other = tokenIssuer({ check })
    expect(generated.jwks().keys).toHaveLength(1)
    expect(generated.jwks()).not.toEqual(other.jwks())
    expect(JSON.stringify(one.access.jwks())).not.toContain('"d"')
  })

  it('may be PEM and JSON Web Keys', () => {
    const pem = String(EC.privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const jwk = EC.privateKey.export({ format: 'jwk' })
    const expected = registry().access.jwks()
    expect(tokenIssuer({ keys: pem }).jwks()).toEqual(expected)
    expect(tokenIssuer({ keys: jwk }).jwks()).toEqual(expected)
  })

  it.each<[string, unknown, string]>([
    ['a public key', EC.publicKey, 'a key that signs tokens must be private, not public'],
    ['a text', 'secret', 'a key that signs tokens must be a private key without a passphrase'],
    ['nothing', null, 'a key that signs tokens must be PEM, a JSON Web Key or a KeyObject, not null'],
  ])('are not %s', (_, keys, message) => {
    expect(() => tokenIssuer({ keys } as TokenIssuerOptions)).toThrow(message)
    expect(() => tokenIssuer({ keys } as TokenIssuerOptions)).not.toThrow('"secret"')
  })
})

describe('tokenIssuer', () => {
  it.each<[unknown, string]>([
    [{ chek: check }, 'did you mean "check"?'],
    [{ check: 'x' }, 'the option "check" must be a function, not the string "x"'],
    [{ service: '' }, 'the option "service" must be a text'],
    [{ tokenSeconds: 30 }, 'the option "tokenSeconds" must be an integer of at least 60, not the number 30'],
    [{ oidc: {} }, 'the option "oidc" must be a list'],
    [
      { refreshTokenSeconds: Number.POSITIVE_INFINITY },
      'the option "refreshTokenSeconds" must be a number of seconds, not the number Infinity',
    ],
    [
      { oidc: ['a', 'b'].map((audience) => ({ issuer: 'https://ci.test', audience, condition: () => true })) },
      'the option "oidc" has the same issuer twice',
    ],
  ])('refuses the options %j', (options, message) => {
    expect(() => tokenIssuer(options as TokenIssuerOptions)).toThrow(message)
  })

  it('serves a push by one token from beginning to end', async () => {
    const { send, tokenFor } = registry()
    const headers = { authorization: `Bearer ${await tokenFor('repository:team/app:pull,push', ALICE)}` }
    const { headers: begun } = await send('POST', '/v2/team/app/blobs/uploads/', { headers })
    const url = `${begun.location}?digest=${digestOf(Buffer.from('layer'))}`
    expect((await send('PUT', url, { headers, body: 'layer' })).status).toBe(201)
  })
})
