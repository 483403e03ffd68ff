import { describe, expect, it } from 'vitest'
import {
  type Authenticate,
  type Identity,
  type IdentityAccessOptions,
  identityAccess,
  rules,
} from '../../src/auth/index.ts'
import { RegistryError } from '../../src/errors.ts'
import { client } from '../http/support.ts'

const alice: Identity = { subject: 'alice' }
const byHeader: Authenticate = ({ headers }) =>
  typeof headers['x-user'] === 'string' ? { subject: headers['x-user'] } : undefined

describe('identityAccess', () => {
  const ask = async (options: IdentityAccessOptions, url: string, headers: Record<string, string> = {}) => {
    const { status, headers: answered } = await client({ access: identityAccess(options) }).get(url, headers)
    return [status, answered['www-authenticate']]
  }

  it('lets whoever is logged in do everything, and nobody else anything', async () => {
    const options = { authenticate: byHeader, challenge: 'Basic realm="x"' }
    expect(await ask(options, '/v2/', { 'x-user': 'alice' })).toEqual([200, undefined])
    expect(await ask(options, '/v2/a/tags/list', { 'x-user': 'alice' })).toEqual([404, undefined])
    expect(await ask(options, '/v2/a/tags/list')).toEqual([401, 'Basic realm="x"'])
    expect(await ask(options, '/v2/')).toEqual([401, 'Basic realm="x"'])
  })

  it('asks permissions, and tells who is not allowed apart from who is not known', async () => {
    const options: IdentityAccessOptions = {
      authenticate: byHeader,
      permissions: async (identity, { name }) => name === 'public' || identity?.subject === name,
      challenge: (required) => `Custom for="${required.length}"`,
    }
    expect(await ask(options, '/v2/public/tags/list')).toEqual([404, undefined])
    expect(await ask(options, '/v2/alice/tags/list')).toEqual([401, 'Custom for="1"'])
    expect(await ask(options, '/v2/alice/tags/list', { 'x-user': 'alice' })).toEqual([404, undefined])
    expect(await ask(options, '/v2/alice/tags/list', { 'x-user': 'bob' })).toEqual([403, undefined])
  })

  it('takes the first that knows', async () => {
    const asked: string[] = []
    const one = (name: string, identity: Identity | undefined) => () => {
      asked.push(name)
      return identity
    }
    const authenticate = [one('a', undefined), one('b', alice), one('c', { subject: 'carol' })]
    expect(await ask({ authenticate }, '/v2/')).toEqual([200, undefined])
    expect(asked).toEqual(['a', 'b'])
  })

  it('is a registry for everybody where there is nothing to log in with, and something for everybody', async () => {
    const options = { authenticate: () => undefined, permissions: rules(['library/*: anonymous pull']) }
    expect(await ask(options, '/v2/')).toEqual([200, undefined])
    expect(await ask(options, '/v2/library/a/tags/list')).toEqual([404, undefined])
    expect(await ask(options, '/v2/private/tags/list')).toEqual([403, undefined])
    const challenge = 'Basic realm="x"'
    expect(await ask({ ...options, challenge }, '/v2/')).toEqual([401, challenge])
  })

  it('is 403 without a challenge', async () => {
    expect(await ask({ authenticate: () => undefined }, '/v2/')).toEqual([403, undefined])
  })

  it.each([
    ['wrong credentials', () => Promise.reject(new RegistryError('UNAUTHORIZED')), 401],
    ['a failure', () => Promise.reject(new Error('down')), 500],
    ['true', () => true, 500],
    ['a user without a name', () => ({ subject: '' }), 500],
    ['a user whose name is no text', () => ({ subject: 7 }), 500],
  ])('denies on %s', async (_, authenticate, status) => {
    // What the types forbid, and a caller without them may do.
    const options = { authenticate: authenticate as unknown as Authenticate }
    expect(await ask(options, '/v2/a/tags/list')).toEqual([status, undefined])
  })

  it.each([undefined, 'true', 1, {}])('takes no permission for granted that is %j', async (answer) => {
    const options = { authenticate: () => alice, permissions: () => answer as unknown as boolean }
    expect(await ask(options, '/v2/a/tags/list')).toEqual([403, undefined])
  })

  it.each([
    [{}, /"authenticate" must be a function/],
    [{ authenticate: [] }, /"authenticate" must be a function/],
    [{ authenticate: byHeader, permissions: ['a'] }, /"permissions" must be a function, rules/],
    [{ authenticate: byHeader, challenge: 7 }, /"challenge" must be a text or a function/],
    [{ authenticate: byHeader, permission: () => true }, /did you mean "permissions"/],
  ])('refuses options such as %j', (options, message) => {
    expect(() => identityAccess(options as unknown as IdentityAccessOptions)).toThrow(message)
  })
})
