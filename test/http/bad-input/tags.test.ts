import { describe, expect, it } from 'vitest'
import { DIGEST, outcome, PRINTABLE } from './outcome.ts'

const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/

describe('tags', () => {
  const generated = PRINTABLE.filter((c) => c !== '/').flatMap((c) => [`${c}a`, `a${c}b`, `a${c}`])
  const known = [
    ...['.', '..', '...', '-', '_', '__', '.a', '-a', '_a', 'a.', 'a-', 'a_', 'A', 'V1', 'latest', '1', '1.2.3-rc.1_x'],
    ...[
      '%61',
      'a%20b',
      'a b',
      ' a',
      'a ',
      'a\tb',
      'a\nb',
      'é',
      'а',
      '😀',
      'a\u0000',
      '%',
      '%zz',
      'a%2Fb',
      'a\\b',
      'a+b',
    ],
    ...[
      'x'.repeat(128),
      'x'.repeat(129),
      'x'.repeat(5000),
      '_'.repeat(128),
      '-'.repeat(128),
      'con',
      'nul',
      '__proto__',
    ],
  ]

  it.each([...new Set([...generated, ...known])])('are what the specification’s grammar says: %j', async (tag) => {
    const valid = TAG.test(tag)
    // What has a colon was meant to be a digest.
    const code = tag.includes(':') ? 'DIGEST_INVALID' : 'MANIFEST_INVALID'
    for (const method of ['GET', 'DELETE']) {
      const expected = valid ? [404, 'MANIFEST_UNKNOWN'] : [400, code]
      expect(await outcome(method, `/v2/a/manifests/${tag}`)).toEqual(expected)
    }
    const query = encodeURIComponent(tag)
    const put = await outcome('PUT', `/v2/a/manifests/${DIGEST}?tag=${query}`, { headers: { 'content-type': 'a/b' } })
    expect(put).toEqual(valid ? [400, 'DIGEST_INVALID'] : [400, 'MANIFEST_INVALID'])
    const last = await outcome('GET', `/v2/a/tags/list?last=${query}`)
    expect(last).toEqual(valid ? [404, 'NAME_UNKNOWN'] : [400, 'MANIFEST_INVALID'])
  })
})
