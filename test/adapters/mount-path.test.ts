import { describe, expect, it } from 'vitest'
import { locate, matchedPrefix } from '../../src/adapters/mount-path.ts'

describe('locate', () => {
  it.each([
    // inner, outer, base → url, mountPath
    ['/v2/', undefined, undefined, '/v2/', ''],
    ['/v2/a?n=1', '/v2/a?n=1', '', '/v2/a?n=1', ''],
    ['/v2/a', '/registry/v2/a', '/registry', '/registry/v2/a', '/registry'],
    ['/v2/a?b=c', '/x/y/v2/a?b=c', undefined, '/x/y/v2/a?b=c', '/x/y'],
    ['/registry/v2/a', '/registry/v2/a', '/registry', '/registry/v2/a', '/registry'],
    // mounted at /v2 itself
    ['/a/tags/list', '/v2/a/tags/list', '/v2', '/v2/a/tags/list', ''],
    ['/', '/v2/', '/v2', '/v2/', ''],
    ['/', '/v2', '/v2', '/v2/', ''],
    ['/a', '/registry/v2/a', '/registry/v2', '/registry/v2/a', '/registry'],
    // rewritten on the way
    ['/v2/a', '/docker/a', '', '/v2/a', ''],
    // as a proxy is asked
    ['http://example.test:5000/v2/a?b=http://c', undefined, undefined, '/v2/a?b=http://c', ''],
    ['*', undefined, undefined, '*', ''],
  ])('finds %s of %s below %s at %s, mounted at "%s"', (inner, outer, base, url, mountPath) => {
    expect(locate(inner, outer, base)).toEqual({ url, mountPath })
  })
})

describe('matchedPrefix', () => {
  it.each([
    ['*', '/v2/a', ''],
    ['/*', '/v2/a', ''],
    ['/v2/*', '/v2/a', ''],
    ['', '/v2/a', ''],
    ['/registry/*', '/registry/v2/a', '/registry'],
    ['/registry/v2/*', '/registry/v2/a', '/registry'],
    ['/registry', '/registry/v2/', '/registry'],
    ['/t/:tenant/v2/*', '/t/acme/v2/a/b', '/t/acme'],
  ])('of %s in %s is "%s"', (pattern, url, expected) => {
    expect(matchedPrefix(pattern, url)).toBe(expected)
  })
})
