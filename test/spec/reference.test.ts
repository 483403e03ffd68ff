import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RegistryError } from '../../src/errors.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { formatReference, parseReference } from '../../src/spec/reference.ts'

const DIGEST = digestOf(Buffer.from('content'))
const HEX = DIGEST.slice('sha256:'.length)

/** As `docker pull` reads them. */
const READ: readonly (readonly [string, string])[] = [
  ['ubuntu', 'docker.io/library/ubuntu:latest'],
  ['ubuntu:22.04', 'docker.io/library/ubuntu:22.04'],
  ['docker.io/ubuntu', 'docker.io/library/ubuntu:latest'],
  ['index.docker.io/ubuntu', 'docker.io/library/ubuntu:latest'],
  ['docker.io/library/ubuntu', 'docker.io/library/ubuntu:latest'],
  ['library/ubuntu', 'docker.io/library/ubuntu:latest'],
  ['team/app', 'docker.io/team/app:latest'],
  ['a/b/c:v1', 'docker.io/a/b/c:v1'],
  ['localhost', 'docker.io/library/localhost:latest'],
  ['localhost/app', 'localhost/app:latest'],
  ['localhost:5000/app', 'localhost:5000/app:latest'],
  ['localhost:5000', 'docker.io/library/localhost:5000'],
  ['127.0.0.1:5000/team/app:v1', '127.0.0.1:5000/team/app:v1'],
  ['[::1]:5000/app', '[::1]:5000/app:latest'],
  ['[2001:db8::1]/app', '[2001:db8::1]/app:latest'],
  ['registry.example/app', 'registry.example/app:latest'],
  ['registry:5000/foo/bar', 'registry:5000/foo/bar:latest'],
  ['Registry/app', 'Registry/app:latest'],
  [`ubuntu@${DIGEST}`, `docker.io/library/ubuntu@${DIGEST}`],
  [`host:8080/foo/bar@${DIGEST}`, `host:8080/foo/bar@${DIGEST}`],
  [`host:8080/foo/bar:v1@${DIGEST}`, `host:8080/foo/bar:v1@${DIGEST}`],
]

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['', 'NAME_INVALID', /not a repository name/],
  [':v1', 'NAME_INVALID', /not a repository name/],
  ['/app', 'NAME_INVALID', /not a repository name/],
  ['app/', 'NAME_INVALID', /not a repository name/],
  ['registry.example/', 'NAME_INVALID', /not a repository name/],
  ['Ubuntu', 'NAME_INVALID', /not a repository name/],
  ['team/App', 'NAME_INVALID', /not a repository name/],
  ['https://registry.example/app', 'NAME_INVALID', /https: is no host name/],
  ['user:secret@registry.example/app', 'DIGEST_INVALID', /not a digest/],
  ['-host.example/app', 'NAME_INVALID', /-host\.example is no host name/],
  ['host..example/app', 'NAME_INVALID', /is no host name/],
  ['host.example:0/app', 'NAME_INVALID', /is no host name/],
  ['host.example:65536/app', 'NAME_INVALID', /is no host name/],
  ['[::1/app', 'NAME_INVALID', /is no host name/],
  ['[:::]/app', 'NAME_INVALID', /is no host name/],
  ['app:', 'MANIFEST_INVALID', /not a tag/],
  ['app:-v1', 'MANIFEST_INVALID', /not a tag/],
  [`app:${'v'.repeat(129)}`, 'MANIFEST_INVALID', /not a tag/],
  ['app@sha256:abc', 'DIGEST_INVALID', /not a digest/],
  ['app@', 'DIGEST_INVALID', /not a digest/],
  [`app@${DIGEST}:v1`, 'DIGEST_INVALID', /not a digest/],
  [HEX, 'NAME_INVALID', /write NAME@sha256/],
  ['a'.repeat(1_025), 'NAME_INVALID', /longer than 1024 characters/],
]

describe('parseReference', () => {
  it.each(READ)('reads %s as %s', (text, full) => {
    expect(formatReference(parseReference(text))).toBe(full)
  })

  it('takes a reference apart', () => {
    expect(parseReference(`host:8080/foo/bar:v1@${DIGEST}`)).toEqual({
      registry: 'host:8080',
      repository: 'foo/bar',
      tag: 'v1',
      digest: DIGEST,
    })
  })

  it('adds no tag to a digest: it says which image already', () => {
    expect(parseReference(`ubuntu@${DIGEST}`)).not.toHaveProperty('tag')
  })

  it.each(REFUSED)('refuses %s with %s', (text, code, message) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    )
  })

  it('reads again what it has written in full, and fails with nothing but its own errors', () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'aZ0.:/@-_[]'), maxLength: 40 }),
      fc
        .tuple(
          fc.constantFrom('', 'host/', 'localhost/', 'h.example:5000/', '[::1]:1/'),
          fc.constantFrom('a', 'a/b', 'a-b/c.d'),
          fc.constantFrom('', ':v1', ':V.1_'),
          fc.constantFrom('', `@${DIGEST}`),
        )
        .map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(text, (written) => {
        try {
          const reference = parseReference(written)
          expect(parseReference(formatReference(reference))).toEqual(reference)
        } catch (error) {
          if (!RegistryError.is(error)) throw error
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
