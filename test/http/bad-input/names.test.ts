import { expect, it } from 'vitest'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { pushImage } from '../../support/images.ts'
import { describeStorages } from '../../support/storages.ts'
import { client } from '../support.ts'
import { corpus } from './corpus.ts'
import { DIGEST, outcome, PRINTABLE, UUID } from './outcome.ts'

const NAME = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/

const rows = corpus('names')

type Names = readonly [what: string, ...names: string[]]

/** One row per character, with it in every place that could make a difference. */
const characters = PRINTABLE.map(
  (c): Names => [`the character ${c}`, `${c}a`, `a${c}b`, `a${c}`, `a${c}${c}b`, `a/${c}b`],
)

const known: readonly string[] = [
  ...['A', 'Team/app', 'team/App', 'aA', 'a/B/c'],
  ...['.', '..', '...', './a', '../a', 'a/..', 'a/../b', 'a/./b', 'a/.', 'a/.b', 'a/b.', '.a', 'a.'],
  ...['a//b', '//a', 'a/', 'a//', '/a', '/'],
  ...['_a', 'a_', 'a___b', 'a_b', 'a__b', 'a/_b', '_uploads', '_catalog', '_manifests', 'a/_layers', 'a/_wharfage'],
  ...['-a', 'a-', 'a--b', `a${'-'.repeat(200)}b`, 'a-/b', 'a/-b', 'a._b', 'a.-b', 'a-_b', 'a_.b', 'a..b', 'a-.-b'],
  ...[
    '%41',
    'a%2Fb',
    'a%2fb',
    '%2e%2e',
    'a%2E%2E',
    'a%00',
    'a%0d%0a',
    'a%20b',
    'a%',
    'a%zz',
    'a%c0%ae',
    '%25',
    'a%5Cb',
  ],
  ...['é', 'а', 'ａ', 'ß', 'İ', 'a\u200bb', 'a\u0000b', 'a\tb', 'a b', ' a', 'a ', '\ufeffa', '😀', 'a\r\nb', '１'],
  ...[
    'a:b',
    'host:5000/a',
    'a@b',
    `a@${DIGEST}`,
    'a\\b',
    'a;b',
    'a=b',
    'a,b',
    'a+b',
    'a~b',
    'a*b',
    '$a',
    '`id`',
    "'--",
  ],
  ...[
    'con',
    'nul',
    'aux',
    'com1',
    'lpt9',
    'prn',
    '0',
    '9/9',
    'blobs',
    'tags/list',
    'manifests/x',
    'v2/a',
    'constructor',
  ],
  ...['a'.repeat(255), 'a'.repeat(256), `${'a/'.repeat(127)}a`, `${'a/'.repeat(128)}a`, 'a'.repeat(5000)],
  ...['a\u202eb', 'a\u00adb', 'e\u0301', 'ⅰ', 'ſ', 'K', 'a\u2024b', 'a\u2215b', 'a\u2044b', 'ａ/b', 'a\u3000b', 'ı'],
  ...['CON', 'con.txt', 'aux.tar.gz', 'nul/nul', 'com1/lpt1', 'con.', 'a:$data', 'c:/a', 'a~1', 'clock$', 'a.lnk'],
  ...[
    '.git',
    '.htaccess',
    'a/.well-known/b',
    '_',
    '__',
    '___',
    '-',
    '.',
    'a/_uploads/b',
    '_wharfage',
    '_oci/ext',
    'a_/b',
    'a/__b',
  ],
  ...['0a', 'a0', '0.0', '1-1', 'a.b.c.d', 'a_b__c-d.e', 'a---', '---a', 'a.b_', 'a__', '__a', 'a____b', 'a/b/c/d/e/f'],
  ...['v2', 'catalog', 'library', 'list', 'tags', 'manifests', 'uploads', 'referrers', 'token', 'a/manifests/b/tags/c'],
]

const names: readonly Names[] = [
  ...characters,
  ...[...new Set(known)].map((name): Names => [JSON.stringify(name), name]),
]

rows('names are what the specification’s grammar says, up to 255 characters', names, async ([, ...all]) => {
  for (const name of all) {
    const valid = NAME.test(name) && name.length <= 255
    const expected = valid ? [404, 'NAME_UNKNOWN'] : [400, 'NAME_INVALID']
    expect(await outcome('GET', `/v2/${name}/tags/list`)).toEqual(expected)
    expect(await outcome('GET', `/v2/${name}/manifests/x`)).toEqual(valid ? [404, 'MANIFEST_UNKNOWN'] : expected)
    expect(await outcome('DELETE', `/v2/${name}/blobs/${DIGEST}`)).toEqual(valid ? [404, 'BLOB_UNKNOWN'] : expected)
    expect(await outcome('PATCH', `/v2/${name}/blobs/uploads/${UUID}`)).toEqual(
      valid ? [404, 'BLOB_UPLOAD_UNKNOWN'] : expected,
    )
    if (valid) continue
    const mount = `/v2/a/blobs/uploads/?mount=${DIGEST}&from=${encodeURIComponent(name)}`
    expect(await outcome('POST', mount)).toEqual([400, 'NAME_INVALID'])
  }
})

describeStorages('a name that is odd and valid', (create) => {
  it.each([
    'con',
    'aux/nul/com1',
    'a/blobs/uploads',
    'blobs/uploads',
    'tags/list',
    'manifests/manifests',
    'a--------b',
    'a__b.c-d/0',
    'v2/v2',
    `${'a/'.repeat(127)}a`,
    'x'.repeat(128),
  ])('is pushed to and pulled from: %s', async (name) => {
    const open = await create()
    await using registry = new Registry({ storage: open(), logger: silentLogger })
    const { get, send } = client({}, registry)
    const { digest, content, layers } = await pushImage(registry.repository(name), ['layer'], { tags: ['v1'] })
    expect((await get(`/v2/${name}/manifests/v1`)).body.equals(content)).toBe(true)
    expect((await get(`/v2/${name}/blobs/${layers[0]?.digest}`)).text).toBe('layer')
    expect((await get(`/v2/${name}/tags/list`)).text).toBe(`{"name":"${name}","tags":["v1"]}\n`)
    expect((await get('/v2/_catalog')).text).toBe(`{"repositories":["${name}"]}\n`)
    const { headers } = await send('POST', `/v2/${name}/blobs/uploads/`)
    expect((await send('PATCH', String(headers.location), { body: 'x' })).status).toBe(202)
    expect((await send('DELETE', `/v2/${name}/manifests/${digest}`)).status).toBe(202)
  })
})
