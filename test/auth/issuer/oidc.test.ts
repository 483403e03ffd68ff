import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import { celCondition } from '../../../src/auth/issuer/cel-condition.ts'
import type { OidcIssuer } from '../../../src/auth/issuer/oidc.ts'
import { type TokenIssuerOptions, tokenIssuer } from '../../../src/auth/issuer/token-issuer.ts'
import { rules } from '../../../src/auth/rules/rules.ts'
import type { AccessDecision } from '../../../src/http/audit.ts'
import { silentLogger } from '../../../src/logger.ts'
import { client } from '../../http/support.ts'
import { EC, jwkOf, keysOf, NOW, OTHER_EC, type TokenFields, token } from '../token/support.ts'

const CI = 'https://token.actions.test'

/** As GitHub's look. */
const claims = {
  ...{ iss: CI, aud: 'registry.test', sub: 'repo:org/app:ref:refs/heads/main' },
  ...{ repository: 'org/app', ref: 'refs/heads/main', access: undefined },
}
const workload = ({ claims: more, ...fields }: TokenFields = {}) => token({ ...fields, claims: { ...claims, ...more } })

function registry(oidc: Partial<OidcIssuer> = {}, options: TokenIssuerOptions = {}) {
  const decisions: AccessDecision[] = []
  const condition = ({ repository, ref }: typeof claims) => repository === 'org/app' && ref === 'refs/heads/main'
  const access = tokenIssuer({
    permissions: rules(['org/app: user("repo:org/app:ref:refs/heads/main") pull, push']),
    date: () => NOW * 1000,
    logger: silentLogger,
    oidc: [
      {
        ...{ issuer: CI, audience: 'registry.test', keys: keysOf(EC.publicKey) },
        condition: condition as unknown as OidcIssuer['condition'],
        ...oidc,
      },
    ],
    ...options,
  })
  const { send } = client({ access, audit: (decision) => void decisions.push(decision), logger: silentLogger })
  const login = async (password: string, user = 'ci') => {
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
    const url = '/v2/_wharfage/token?offline_token=true&scope=repository:org/app:pull,push'
    return send('GET', url, { headers: { authorization } })
  }
  return { login, decisions }
}

describe('tokens of a CI system', () => {
  it('are taken for a password, with any name', async () => {
    const { login } = registry()
    const { status, text } = await login(await workload())
    const { token: given, refresh_token: refreshToken } = JSON.parse(text)
    expect([status, refreshToken]).toEqual([200, undefined])
    expect(decodeJwt(given)).toMatchObject({
      sub: claims.sub,
      access: [{ type: 'repository', name: 'org/app', actions: ['pull', 'push'] }],
    })
  })

  it.each<[string, TokenFields]>([
    ['of another repository', { claims: { repository: 'org/other' } }],
    ['of another branch', { claims: { ref: 'refs/heads/topic' } }],
    ['for somebody else', { claims: { aud: 'https://github.com/org' } }],
    ['that have expired', { claims: { exp: NOW - 60 } }],
    ['signed by somebody else', { key: OTHER_EC.privateKey }],
    ['of nobody', { claims: { sub: undefined } }],
  ])('are refused %s', async (_, fields) => {
    const { login, decisions } = registry()
    const { status, error, headers } = await login(await workload(fields))
    expect([status, error.message, headers['www-authenticate']]).toEqual([
      401,
      'this token is not valid here',
      'Basic realm="wharfage"',
    ])
    expect(decisions[0]?.details.token).toEqual(expect.any(String))
  })

  it('of nobody that is known are passwords like any other', async () => {
    const asked: string[] = []
    const check: TokenIssuerOptions['check'] = ({ password }) => {
      asked.push(password)
      return undefined
    }
    const { login } = registry({}, { check })
    const other = await workload({ claims: { iss: 'https://other.test' } })
    expect((await login(other)).status).toBe(401)
    expect(asked).toEqual([other])
  })

  it('may be mapped to users of your own', async () => {
    const { login } = registry({ identity: ({ repository }) => ({ subject: String(repository), groups: ['ci'] }) })
    expect(decodeJwt(JSON.parse((await login(await workload())).text).token).sub).toBe('org/app')
  })

  it('are refused where the condition fails', async () => {
    const condition = () => {
      throw new Error('no such claim')
    }
    const { login, decisions } = registry({ condition })
    expect((await login(await workload())).status).toBe(401)
    expect(decisions[0]?.details).toEqual({ username: 'ci', token: 'the condition failed: no such claim' })
  })

  it.each<[unknown, string]>([
    [{ audience: undefined }, `tokens of ${CI} need an "audience"`],
    [{ audience: [] }, `tokens of ${CI} need an "audience"`],
    [{ condition: undefined }, `tokens of ${CI} need a "condition", or all of its workloads are let in`],
    [{ condition: 'a == b' }, `tokens of ${CI} need a "condition"`],
    [{ issuer: 'http://ci.test', keys: undefined }, 'the option "issuer" must be an https: URL'],
    [{ conditon: () => true }, 'did you mean "condition"?'],
  ])('need %j', (options, message) => {
    expect(() => registry(options as Partial<OidcIssuer>)).toThrow(message)
  })
})

describe('the keys of a CI system', () => {
  const closers: (() => void)[] = []
  afterEach(() => {
    for (const close of closers.splice(0)) close()
  })

  async function provider(change: (document: Record<string, unknown>) => void = () => {}) {
    const server = createServer((request, response) => {
      if (request.url === '/jwks') return response.end(JSON.stringify({ keys: [jwkOf(EC.publicKey)] }))
      const document = { issuer, jwks_uri: `${issuer}/jwks` }
      change(document)
      const isConfiguration = request.url === '/.well-known/openid-configuration'
      return response.writeHead(isConfiguration ? 200 : 404).end(JSON.stringify(document))
    })
    closers.push(() => server.close().closeAllConnections())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { login } = registry({ issuer, keys: undefined as never })
    return async () => (await login(await workload({ claims: { iss: issuer } }))).status
  }

  it('are those that it publishes', async () => {
    expect(await (await provider())()).toBe(200)
  })

  it.each([
    ['another issuer', { issuer: 'https://other.test' }],
    ['keys in the open', { jwks_uri: 'http://issuer.test/jwks' }],
    ['no keys', { jwks_uri: undefined }],
  ])('cannot be told where it names %s', async (_, change) => {
    const login = await provider((document) => Object.assign(document, change))
    expect(await login()).toBe(503)
  })
})

describe('celCondition', () => {
  it.each<[string, boolean]>([
    ["repository == 'org/app' && ref == 'refs/heads/main'", true],
    ["repository == 'org/other'", false],
    ["claims.repository == 'org/app'", true],
    ["claims['ref'].startsWith('refs/heads/')", true],
    ["repository in ['org/app', 'org/web']", true],
    ["has(claims.environment) && claims.environment == 'production'", false],
    ["environment == 'production' || ref == 'refs/heads/main'", true],
    ['repository', false],
    ['claims.repository', false],
  ])('%s: %j', async (expression, expected) => {
    expect(await (await celCondition(expression))(claims)).toBe(expected)
  })

  it('fails where a claim is missing', async () => {
    const condition = await celCondition("environment != 'test'")
    await expect((async () => condition(claims))()).rejects.toThrow()
  })

  it.each([
    ["repository = 'org/app'", ''],
    ['repository ==', ''],
    ['', ''],
    ['a.b(', ''],
    ["'true'", 'it is of the type string, and has to be true or false'],
    ['1', 'it is of the type int, and has to be true or false'],
    ["starts(repository, 'org/')", "found no matching overload for 'starts(dyn, string)'"],
    ["1 == '1'", 'no such overload: int == string'],
  ])('refuses %j', async (expression, reason) => {
    await expect(celCondition(expression)).rejects.toThrow(`not a condition: ${JSON.stringify(expression)}: ${reason}`)
  })
})
