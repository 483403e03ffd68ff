import { describe, expect, it } from 'vitest'
import { type BasicAccessOptions, basicAccess } from '../../../src/auth/basic/basic-access.ts'
import type { CheckCredentials, Permissions } from '../../../src/auth/identity.ts'
import type { AccessDecision } from '../../../src/http/audit.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { client } from '../../http/support.ts'

const check: CheckCredentials = ({ username, password }) =>
  password === 'wonderland' ? { subject: username } : undefined

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
const ALICE = basic('alice:wonderland')
const CHALLENGE = 'Basic realm="wharfage"'

function registry(options: Partial<BasicAccessOptions> = {}) {
  const decisions: AccessDecision[] = []
  const access = basicAccess({ check, ...options })
  const { get, send } = client({ access, audit: (decision) => void decisions.push(decision) })
  const ask = async (url: string, authorization?: string) => {
    const answer = await get(url, authorization === undefined ? {} : { authorization })
    return [answer.status, answer.headers['www-authenticate'], answer.status < 400 ? undefined : answer.error.message]
  }
  return { ask, send, decisions }
}

describe('basicAccess', () => {
  it.each([
    ['nobody', undefined, 'authentication required'],
    ['a wrong password', basic('alice:x'), 'wrong name or password'],
    ['a token', 'Bearer abc', 'expected a name and a password (Basic)'],
    ['another scheme', 'Digest username="alice"', 'expected a name and a password (Basic)'],
    ['what is no base64', 'Basic ???', 'expected a name and a password (Basic)'],
    ['no name', basic(':wonderland'), 'expected a name and a password (Basic)'],
  ])('challenges %s', async (_, authorization, message) => {
    const { ask } = registry()
    expect(await ask('/v2/', authorization)).toEqual([401, CHALLENGE, message])
    expect(await ask('/v2/a/tags/list', authorization)).toEqual([401, CHALLENGE, message])
  })

  it('lets in who has the password', async () => {
    expect(await registry().ask('/v2/', ALICE)).toEqual([200, undefined, undefined])
  })

  it('asks what they may do', async () => {
    const permissions: Permissions = (identity, { name }) => identity?.subject === name
    const { ask } = registry({ permissions, realm: 'Ours "1"' })
    expect(await ask('/v2/alice/tags/list', ALICE)).toEqual([404, undefined, expect.any(String)])
    expect(await ask('/v2/bob/tags/list', ALICE)).toEqual([403, undefined, expect.any(String)])
    expect(await ask('/v2/bob/tags/list')).toEqual([401, 'Basic realm="Ours \\"1\\""', 'authentication required'])
  })

  it('makes an address wait that sends wrong passwords', async () => {
    const { send } = registry({ failures: { perUser: 1 } })
    const headers = { authorization: basic('alice:x') }
    expect((await send('GET', '/v2/', { headers, remoteAddress: '192.0.2.1' })).status).toBe(401)
    const { status, headers: answered, error } = await send('GET', '/v2/', { headers, remoteAddress: '192.0.2.1' })
    expect([status, answered['retry-after'], error]).toEqual([
      429,
      '60',
      { code: 'TOOMANYREQUESTS', message: 'too many logins have failed: try again later' },
    ])
  })

  it('tells the audit log who tried, never with what', async () => {
    const { ask, decisions } = registry()
    await ask('/v2/', basic('alice:hunter2'))
    await ask('/v2/', ALICE)
    expect(decisions.map(({ outcome, subject, details }) => [outcome, subject, details])).toEqual([
      ['challenged', undefined, { username: 'alice' }],
      ['allowed', 'alice', { username: 'alice' }],
    ])
    expect(JSON.stringify(decisions)).not.toMatch(/hunter2|wonderland/)
  })

  it('denies where it cannot be told whose password it is', async () => {
    const { send } = registry({ check: () => Promise.reject(new Error('ldap://10.0.0.1 is down')) })
    const { status, text } = await send('GET', '/v2/', { headers: { authorization: ALICE } })
    expect([status, text]).toEqual([500, '{"errors":[{"code":"UNKNOWN","message":"unknown error"}]}\n'])
  })

  it('asks once per request of a push', async () => {
    let asked = 0
    const counting: CheckCredentials = (...given) => {
      asked++
      return check(...given)
    }
    const { send } = registry({ check: counting })
    const headers = { authorization: ALICE }
    const digest = digestOf(Buffer.from('layer'))
    const { headers: begun } = await send('POST', '/v2/a/blobs/uploads/', { headers })
    const { status } = await send('PUT', `${begun.location}?digest=${digest}`, { headers, body: 'layer' })
    expect([status, asked]).toEqual([201, 2])
  })

  it('refuses permissions that docker could not make use of', () => {
    const permissions = Object.assign(() => true, { grantsAnonymous: true })
    expect(() => basicAccess({ check, permissions })).toThrow(/tokenIssuer\(/)
  })

  it.each([
    [undefined, 'the option "check" must be a function, htpasswd({ file }) say, not undefined'],
    [{ check, relm: 'x' }, 'did you mean "realm"?'],
    [{ check, permissions: 'x' }, 'the option "permissions" must be a function'],
  ])('refuses the options %j', (options, message) => {
    expect(() => basicAccess(options as unknown as BasicAccessOptions)).toThrow(message)
  })
})
