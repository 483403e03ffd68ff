// P05: every URL that a remote can name, by what it is for and where it leads.
import { describe, expect, it } from 'vitest'
import { judgeUrl, type UrlPurpose, type UrlRules } from '../../../src/remote/transport/named-url.ts'
import { urlRules } from '../../../src/remote/transport/url-rules.ts'

/** `-`: refused. Else it is called: with `credentials`, as `nobody`, or as nobody and only where its addresses are `public`. */
type Outcome = '-' | 'credentials' | 'nobody' | 'public'

const PURPOSES: readonly UrlPurpose[] = ['realm', 'realmRedirect', 'redirect', 'location', 'link', 'foreign']

function judge(purpose: UrlPurpose, text: string, from: string, rules: UrlRules): Outcome {
  try {
    const { credentials, publicOnly } = judgeUrl(purpose, text, new URL(from), rules)
    if (credentials) return publicOnly ? expect.unreachable('credentials for a stranger') : 'credentials'
    return publicOnly ? 'public' : 'nobody'
  } catch (error) {
    expect(error).toMatchObject({ code: 'DENIED' })
    return '-'
  }
}

const NONE = ['-', '-', '-', '-', '-', '-'] as const
/** A stranger's address: called where something may be elsewhere at all, and only if it is a public one. */
const STRANGER = ['public', '-', 'public', 'public', '-', 'public'] as const
const OWN = ['credentials', 'credentials', 'credentials', 'credentials', 'credentials', 'nobody'] as const

type Row = readonly [target: string, ...outcomes: readonly Outcome[]]

describe('P05: judgeUrl, named by a registry on https', () => {
  const RULES = urlRules(new URL('https://registry.example'), {
    realms: ['https://auth.example', 'https://10.0.0.8:8443'],
    origins: ['https://bucket.example', 'https://10.0.0.9'],
  })

  it.each<Row>([
    // Its own origin, however written.
    ['https://registry.example/x', ...OWN],
    ['https://registry.example:443/x', ...OWN],
    ['HTTPS://REGISTRY.EXAMPLE/x', ...OWN],
    ['//registry.example/x', ...OWN],
    ['/x?y=z', ...OWN],
    ['x', ...OWN],
    ['?last=a', ...OWN],
    ['', ...OWN],
    ['https:/x', ...OWN], // relative, as every browser reads it
    ['\\x', ...OWN],
    [' https://registry.example/x\n', ...OWN],
    ['https://registry.exam\tple/x', ...OWN],
    // Its host, elsewhere.
    ['https://registry.example:8443/x', ...STRANGER],
    ['https://registry.example./x', ...STRANGER],
    ['https://www.registry.example/x', ...STRANGER],
    ['https://registry.example.evil.example/x', ...STRANGER],
    ['https://registry.example%2eevil.example/x', ...STRANGER],
    ['https://evil.example/registry.example', ...STRANGER],
    ['https://evil.example?@registry.example', ...STRANGER],
    ['https://evil.example#@registry.example', ...STRANGER],
    ['https://evil.example\\@registry.example', ...STRANGER],
    ['//evil.example/x', ...STRANGER],
    ['\\\\evil.example/x', ...STRANGER],
    ['/\\evil.example/x', ...STRANGER],
    ['https://аuth.example/x', ...STRANGER], // a Cyrillic а
    // What the operator lists.
    ['https://auth.example/x', 'credentials', '-', 'nobody', 'nobody', '-', 'nobody'],
    ['https://10.0.0.8:8443/x', 'credentials', '-', 'nobody', 'nobody', '-', 'nobody'],
    ['https://bucket.example/x', 'nobody', '-', 'nobody', 'nobody', '-', 'nobody'],
    ['https://10.0.0.9/x', 'nobody', '-', 'nobody', 'nobody', '-', 'nobody'],
    ['https://auth.example:8443/x', ...STRANGER],
    ['https://10.0.0.9:8443/x', ...NONE],
    // No https.
    ['http://registry.example/x', ...NONE],
    ['http://auth.example/x', ...NONE],
    ['http://bucket.example/x', ...NONE],
    ['http://evil.example/x', ...NONE],
    ['file:///etc/passwd', ...NONE],
    ['ftp://registry.example/x', ...NONE],
    ['javascript:alert(1)', ...NONE],
    ['data:application/json,{}', ...NONE],
    ['blob:https://registry.example/x', ...NONE],
    ['ws://registry.example/x', ...NONE],
    ['unix:/var/run/docker.sock', ...NONE],
    ['registry.example:443/x', ...NONE], // a scheme, to every parser of URLs
    // User names.
    ['https://user:secret@registry.example/x', ...NONE],
    ['https://user@registry.example/x', ...NONE],
    ['https://:secret@registry.example/x', ...NONE],
    ['https://registry.example@evil.example/x', ...NONE],
    ['https://registry.example:secret@evil.example/x', ...NONE],
    // Public addresses.
    ['https://8.8.8.8/x', ...STRANGER],
    ['https://134744072/x', ...STRANGER],
    ['https://[2606:4700::1111]/x', ...STRANGER],
    ['https://[64:ff9b::8.8.8.8]/x', ...STRANGER],
    // Loopback.
    ['https://127.0.0.1/x', ...NONE],
    ['https://127.0.0.1./x', ...NONE],
    ['https://127.1/x', ...NONE],
    ['https://2130706433/x', ...NONE],
    ['https://0x7f000001/x', ...NONE],
    ['https://0x7f.1/x', ...NONE],
    ['https://017700000001/x', ...NONE],
    ['https://0177.0.0.1/x', ...NONE],
    ['https://①②⑦.⓪.⓪.①/x', ...NONE],
    ['https://127。0。0。1/x', ...NONE],
    ['https://%31%32%37.0.0.1/x', ...NONE],
    ['https://[::1]/x', ...NONE],
    ['https://[0:0:0:0:0:0:0:1]/x', ...NONE],
    ['https://localhost/x', ...NONE],
    ['https://localhost./x', ...NONE],
    ['https://LOCALHOST:8443/x', ...NONE],
    ['https://app.localhost/x', ...NONE],
    ['https://app.localhost./x', ...NONE],
    // Unspecified.
    ['https://0.0.0.0/x', ...NONE],
    ['https://0/x', ...NONE],
    ['https://[::]/x', ...NONE],
    // IPv4 in IPv6.
    ['https://[::ffff:127.0.0.1]/x', ...NONE],
    ['https://[::ffff:7f00:1]/x', ...NONE],
    ['https://[::ffff:8.8.8.8]/x', ...NONE],
    ['https://[::127.0.0.1]/x', ...NONE],
    ['https://[64:ff9b::127.0.0.1]/x', ...NONE],
    ['https://[64:ff9b::a9fe:a9fe]/x', ...NONE],
    ['https://[2002:7f00:1::]/x', ...NONE],
    // Networks of somebody's own.
    ['https://10.0.0.1/x', ...NONE],
    ['https://172.16.0.1/x', ...NONE],
    ['https://192.168.0.1/x', ...NONE],
    ['https://100.64.0.1/x', ...NONE],
    ['https://169.254.169.254/x', ...NONE],
    ['https://2852039166/x', ...NONE],
    ['https://168.63.129.16/x', ...NONE],
    ['https://[fd00:ec2::254]/x', ...NONE],
    ['https://[fe80::1]/x', ...NONE],
    ['https://metadata/x', ...NONE],
    ['https://metadata.google.internal/x', ...NONE],
    ['https://metadata.google.internal./x', ...NONE],
    ['https://printer.local/x', ...NONE],
    // Multicast, broadcast.
    ['https://224.0.0.1/x', ...NONE],
    ['https://255.255.255.255/x', ...NONE],
    ['https://[ff02::1]/x', ...NONE],
    // No URL.
    ['https://', ...NONE],
    ['https://[/x', ...NONE],
    ['https://[fe80::1%25eth0]/x', ...NONE],
    ['https://a b/x', ...NONE],
    ['https://a:99999/x', ...NONE],
    ['https://1.2.3.256/x', ...NONE],
    [`https://${'a'.repeat(250)}.example/x`, ...NONE],
    [`https://registry.example/${'x'.repeat(16_384)}`, ...NONE],
  ])('%s', (target, ...outcomes) => {
    const found = PURPOSES.map((purpose) => [purpose, judge(purpose, target, 'https://registry.example/v2/', RULES)])
    expect(found).toEqual(PURPOSES.map((purpose, index) => [purpose, outcomes[index]]))
  })
})

describe('judgeUrl, named by a registry on http', () => {
  const RULES = urlRules(new URL('http://127.0.0.1:5000'), {
    realms: ['http://127.0.0.1:5001'],
    origins: ['http://127.0.0.1:9000'],
  })

  it.each<Row>([
    ['http://127.0.0.1:5000/x', ...OWN],
    ['http://2130706433:5000/x', ...OWN],
    // The same host and port by https: only a token server may be another server.
    ['https://127.0.0.1:5000/x', 'credentials', '-', 'nobody', 'nobody', '-', 'nobody'],
    ['http://127.0.0.1:5001/x', 'credentials', '-', 'nobody', 'nobody', '-', 'nobody'],
    ['http://127.0.0.1:9000/x', 'nobody', '-', 'nobody', 'nobody', '-', 'nobody'],
    ['http://127.0.0.1:22/x', ...NONE],
    ['http://127.0.0.1/x', ...NONE],
    ['http://localhost:5000/x', ...NONE],
    ['http://[::ffff:127.0.0.1]:5000/x', ...NONE],
    ['http://[::1]:5000/x', ...NONE],
    ['http://evil.example/x', ...STRANGER],
    ['https://evil.example/x', ...STRANGER],
  ])('%s', (target, ...outcomes) => {
    const found = PURPOSES.map((purpose) => [purpose, judge(purpose, target, 'http://127.0.0.1:5000/v2/', RULES)])
    expect(found).toEqual(PURPOSES.map((purpose, index) => [purpose, outcomes[index]]))
  })

  it('takes a registry’s usual port for none', () => {
    const rules = urlRules(new URL('http://registry.example:80'))
    expect(judge('redirect', 'http://registry.example/x', 'http://registry.example/v2/', rules)).toBe('credentials')
    expect(judge('realm', 'https://registry.example/x', 'http://registry.example/v2/', rules)).toBe('credentials')
    expect(judge('redirect', 'https://registry.example/x', 'http://registry.example/v2/', rules)).toBe('nobody')
  })
})

describe('judgeUrl, named by another server', () => {
  const RULES = urlRules(new URL('https://registry.example'), {
    realms: ['https://auth.example'],
    origins: ['https://bucket.example'],
  })

  it.each<Row>([
    // What leads back to the registry does so as nobody: the stranger chose what to ask.
    ['https://registry.example/x', 'nobody', '-', 'nobody', 'nobody', '-', 'nobody'],
    ['https://auth.example/x', 'nobody', '-', 'nobody', 'nobody', '-', 'nobody'],
    ['/x', 'public', 'public', 'public', 'public', 'public', 'public'],
    ['http://registry.example/x', ...NONE],
    ['https://127.0.0.1/x', ...NONE],
  ])('%s', (target, ...outcomes) => {
    const found = PURPOSES.map((purpose) => [purpose, judge(purpose, target, 'https://evil.example/', RULES)])
    expect(found).toEqual(PURPOSES.map((purpose, index) => [purpose, outcomes[index]]))
  })

  it('lets a token server on the list send on to itself, with credentials', () => {
    expect(judge('realmRedirect', '/x', 'https://auth.example/token', RULES)).toBe('credentials')
    expect(judge('realmRedirect', 'https://registry.example/x', 'https://auth.example/token', RULES)).toBe('-')
  })
})

describe('judgeUrl says', () => {
  const RULES = urlRules(new URL('https://registry.example'))
  const FROM = new URL('https://registry.example/v2/')

  it.each<[purpose: UrlPurpose, target: string, why: string]>([
    ['realm', 'http://auth.example/x?secret', 'token server that is not followed: http://auth.example is not https'],
    [
      'realm',
      'https://10.0.0.1',
      "token server that is not followed: 10.0.0.1 is not a public address (allow it with realms: ['https://10.0.0.1'])",
    ],
    [
      'redirect',
      'https://10.0.0.1',
      "redirect that is not followed: 10.0.0.1 is not a public address (allow it with origins: ['https://10.0.0.1'])",
    ],
    ['location', 'file:///x', 'upload location that is not followed: file: is neither https nor http'],
    ['link', 'https://evil.example', 'next page that is not followed: https://evil.example is not where it was named'],
    ['foreign', 'https://a:secret@x', 'foreign url that is not followed: it carries a user name or a password'],
    ['realmRedirect', 'https://[', 'redirect of its token server that is not followed: it is no URL'],
  ])('of a %s to %s what is wrong', (purpose, target, why) => {
    expect(() => judgeUrl(purpose, target, FROM, RULES)).toThrow(
      expect.objectContaining({ code: 'DENIED', message: `registry.example names a ${why}` }),
    )
  })
})
