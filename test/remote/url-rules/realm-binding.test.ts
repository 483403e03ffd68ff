// P01: who is given credentials for a token. No rule such as "the same domain": names on a list.
import { describe, expect, it } from 'vitest'
import { judgeUrl } from '../../../src/remote/transport/named-url.ts'
import { urlRules } from '../../../src/remote/transport/url-rules.ts'

function receives(registry: string, realm: string, realms: readonly string[] = []): boolean {
  const url = new URL(registry)
  return judgeUrl('realm', realm, url, urlRules(url, { realms })).credentials
}

describe('P01, CVE-2026-33540, CVE-2026-12566: a token server is given credentials', () => {
  it.each([
    ['https://registry.example', 'https://registry.example/token'],
    ['https://registry.example:5000', 'https://registry.example:5000/token'],
    ['http://registry.example:5000', 'http://registry.example:5000/token'],
    ['http://127.0.0.1:5000', 'http://127.0.0.1:5000/token'],
    ['https://registry-1.docker.io', 'https://auth.docker.io/token'],
    ['https://registry.gitlab.com', 'https://gitlab.com/jwt/auth'],
  ])('of %s at %s', (registry, realm) => {
    expect(receives(registry, realm)).toBe(true)
  })

  it.each([
    ['https://registry.example', 'https://auth.registry.example/token'],
    ['https://registry.example', 'https://auth.example/token'],
    ['https://registry.example', 'https://registry.example:8443/token'],
    ['https://registry-1.docker.io', 'https://auth.docker.io.evil.example/token'],
    ['https://registry-1.docker.io', 'https://auth.docker.io:8443/token'],
    ['https://registry-1.docker.io', 'https://docker.io/token'],
    ['https://registry-1.docker.io', 'https://gitlab.com/jwt/auth'],
    ['https://registry-1.docker.io:8443', 'https://auth.docker.io/token'],
    ['http://registry-1.docker.io', 'https://auth.docker.io/token'],
    ['https://mirror.example', 'https://auth.docker.io/token'],
    ['https://a.github.io', 'https://b.github.io/token'],
  ])('not of %s at %s', (registry, realm) => {
    expect(receives(registry, realm)).toBe(false)
  })

  it('where the operator lists it, and nowhere near', () => {
    const realms = ['https://auth.example', 'https://login.example:8443/']
    expect(receives('https://registry.example', 'https://auth.example/token', realms)).toBe(true)
    expect(receives('https://registry.example', 'https://auth.example:443/token', realms)).toBe(true)
    expect(receives('https://registry.example', 'https://login.example:8443/token', realms)).toBe(true)
    expect(receives('https://registry.example', 'https://login.example/token', realms)).toBe(false)
    expect(receives('https://registry.example', 'https://www.auth.example/token', realms)).toBe(false)
  })
})

describe('urlRules', () => {
  it('makes origins of what is written', () => {
    const rules = urlRules(new URL('https://registry.example'), {
      realms: ['HTTPS://Auth.Example:443'],
      origins: ['http://10.0.0.1:80/'],
    })
    expect(rules).toMatchObject({ realms: ['https://auth.example'], origins: ['http://10.0.0.1'] })
  })

  it.each([
    ['auth.example', 'the option "realms" takes origins, https://auth.example say, not "auth.example"'],
    ['ftp://auth.example', 'the option "realms" takes origins, https://auth.example say, not "ftp://auth.example"'],
    ['https://*.example', 'the option "realms" takes origins, https://auth.example say, not "https://*.example"'],
    ['https://auth.example/token', `the option "realms" takes origins: write 'https://auth.example'`],
    ['https://bob:secret@auth.example', `the option "realms" takes origins: write 'https://auth.example'`],
  ])('refuses %s, which would never match', (entry, message) => {
    expect(() => urlRules(new URL('https://registry.example'), { realms: [entry] })).toThrow(new TypeError(message))
  })
})
