import { describe, expect, it } from 'vitest'
import { basicChallenge, bearerChallenge } from '../../src/auth/challenge.ts'
import { parseChallenges } from '../../src/remote/auth/challenge.ts'
import { access } from './support.ts'

describe('a challenge', () => {
  it('of Basic names the realm', () => {
    expect(basicChallenge('my registry')).toBe('Basic realm="my registry"')
  })

  it('of Bearer is what Distribution writes', () => {
    const challenge = { realm: 'https://auth.test/token', service: 'registry.test' }
    expect(bearerChallenge({ ...challenge, required: [] })).toBe(
      'Bearer realm="https://auth.test/token",service="registry.test"',
    )
    const required = ['repository:a/b:pull', 'repository:a/b:push', 'registry:catalog:*'].map(access)
    expect(bearerChallenge({ ...challenge, required, error: 'insufficient_scope' })).toBe(
      'Bearer realm="https://auth.test/token",service="registry.test",scope="registry:catalog:* repository:a/b:pull,push",error="insufficient_scope"',
    )
  })

  it('keeps what would end the header, or a value in it, from doing so', () => {
    const realm = 'a"b\\c\r\nset-cookie: x'
    expect(basicChallenge(realm)).toBe('Basic realm="a\\"b\\\\c??set-cookie: x"')
    expect(parseChallenges(basicChallenge(realm))[0]?.parameters.get('realm')).toBe('a"b\\c??set-cookie: x')
  })
})
