import { expect } from 'vitest'
import { corpus } from './corpus.ts'
import { DIGEST, outcome, PRINTABLE } from './outcome.ts'

const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/

const rows = corpus('tags')

type Tags = readonly [what: string, ...tags: string[]]

/** One row per character, with it in every place that could make a difference. */
const characters = PRINTABLE.filter((c) => c !== '/').map(
  (c): Tags => [`the character ${c}`, `${c}a`, `a${c}b`, `a${c}`],
)

const known: readonly string[] = [
  ...['.', '..', '...', '-', '_', '__', '.a', '-a', '_a', 'a.', 'a-', 'a_', 'A', 'V1', 'latest', '1', '1.2.3-rc.1_x'],
  ...['%61', 'a%20b', 'a b', ' a', 'a ', 'a\tb', 'a\nb', 'é', 'а', '😀', 'a\u0000', '%', '%zz', 'a%2Fb', 'a\\b', 'a+b'],
  ...['x'.repeat(128), 'x'.repeat(129), 'x'.repeat(5000), '_'.repeat(128), '-'.repeat(128), 'con', 'nul', '__proto__'],
]

const tags: readonly Tags[] = [...characters, ...[...new Set(known)].map((tag): Tags => [JSON.stringify(tag), tag])]

rows('tags are what the specification’s grammar says', tags, async ([, ...all]) => {
  for (const tag of all) {
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
  }
})
