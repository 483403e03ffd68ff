import { describe, expect, it } from 'vitest'
import { parseHtpasswd } from '../../../src/auth/basic/htpasswd-file.ts'

const REST = 'q'.repeat(53)

describe('parseHtpasswd', () => {
  it('reads what htpasswd -B writes, and what other programs do', () => {
    const { hashes, maxCost } = parseHtpasswd(
      [
        '# users',
        '',
        `alice:$2y$05$${REST}`,
        `  bob:$2a$10$${REST}\r`,
        `jörg:$2b$04$${REST}`,
        `a.b@c:$2b$06$${REST}`,
      ].join('\n'),
    )
    expect([...hashes]).toEqual([
      ['alice', `$2b$05$${REST}`],
      ['bob', `$2b$10$${REST}`],
      ['jörg', `$2b$04$${REST}`],
      ['a.b@c', `$2b$06$${REST}`],
    ])
    expect(maxCost).toBe(10)
  })

  it('takes a file of nobody', () => {
    expect(parseHtpasswd('\n# nobody\n')).toEqual({ hashes: new Map(), maxCost: 5 })
  })

  it.each([
    ['alice', 'line 1: expected NAME:HASH, as htpasswd -B writes it'],
    [`:$2y$05$${REST}`, 'line 1: expected NAME:HASH, as htpasswd -B writes it'],
    ['\nalice:', 'line 2: "alice" has no bcrypt hash; make one with: htpasswd -B FILE alice'],
    ['alice:secret', 'line 1: "alice" has no bcrypt hash; make one with: htpasswd -B FILE alice'],
    [
      'md5:$apr1$Jq/fTvVW$RDehVZ/TFrA2EOM.793Yu.',
      'line 1: "md5" has no bcrypt hash; make one with: htpasswd -B FILE md5',
    ],
    ['sha:{SHA}EfatjsUqKYSrqv18O1FlA3hcIHI=', 'line 1: "sha" has no bcrypt hash; make one with: htpasswd -B FILE sha'],
    ['x:$6$salt$hash', 'line 1: "x" has no bcrypt hash; make one with: htpasswd -B FILE x'],
    [`x:$2x$05$${REST}`, 'line 1: "x" has no bcrypt hash; make one with: htpasswd -B FILE x'],
    [`x:$2y$05$${REST}q`, 'line 1: "x" has a bcrypt hash that is not whole; make one with: htpasswd -B FILE x'],
    [`x:$2y$05$${REST.slice(1)}`, 'line 1: "x" has a bcrypt hash that is not whole; make one with: htpasswd -B FILE x'],
    [`x:$2y$5$${REST}`, 'line 1: "x" has a bcrypt hash that is not whole; make one with: htpasswd -B FILE x'],
    [`x:$2y$03$${REST}`, 'line 1: "x" has cost 03, expected 4 to 16: htpasswd -B -C 10'],
    [`x:$2y$31$${REST}`, 'line 1: "x" has cost 31, expected 4 to 16: htpasswd -B -C 10'],
    [`x:$2y$05$${REST}\nx:$2y$05$${REST}`, 'line 2: "x" is in line 1 already'],
  ])('refuses %j, without its hash', (text, message) => {
    expect(() => parseHtpasswd(text)).toThrow(new Error(message))
  })
})
