import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { pushImage } from '../support/images.ts'
import { describeStorages } from '../support/storages.ts'
import { type Answer, client, requestOf, type SendOptions } from './support.ts'

// What clients get wrong, or try: each row with its exact answer. The grammars are the specification's own regular
// expressions, so that a mistake of ours in reading them by hand cannot hide in the expectation.
const NAME = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/

const A = 'a'.repeat(64)
const DIGEST = `sha256:${A}`
const UUID = '7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11'

/** ASCII that may stand in a path. */
const PRINTABLE = Array.from({ length: 0x7e - 0x20 }, (_, i) => String.fromCharCode(0x21 + i)).filter((c) => c !== '?')

type Outcome = readonly [status: number, code: string]

/** Sends a request to an empty registry, and looks at what every refusal has to be like. */
async function outcome(method: string, url: string, options: SendOptions = {}): Promise<Outcome> {
  const answer = await client().send(method, url, options)
  checkRefusal(answer)
  return [answer.status, answer.error.code]
}

function checkRefusal({ status, headers, text, error }: Answer): void {
  expect(status).toBeGreaterThanOrEqual(400)
  expect(status).toBeLessThan(500)
  expect(headers['content-type']).toBe('application/json')
  expect(headers['content-length']).toBe(String(Buffer.byteLength(text)))
  expect(Object.keys(JSON.parse(text))).toEqual(['errors'])
  expect(error.message.length).toBeGreaterThan(0)
  // Nothing that a client wrote comes back in a header: these are all the refusals' own.
  const { allow: _, 'x-request-id': __, ...rest } = headers
  expect(rest).toEqual({
    'docker-distribution-api-version': 'registry/2.0',
    'x-content-type-options': 'nosniff',
    'content-type': 'application/json',
    'content-length': headers['content-length'],
    'cache-control': 'no-store',
  })
}

describe('names', () => {
  const generated = PRINTABLE.flatMap((c) => [`${c}a`, `a${c}b`, `a${c}`, `a${c}${c}b`, `a/${c}b`])
  const known = [
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
  ]
  const names = [...new Set([...generated, ...known])]

  it.each(names)('are what the specification’s grammar says, up to 255 characters: %j', async (name) => {
    const valid = NAME.test(name) && name.length <= 255
    const expected = valid ? [404, 'NAME_UNKNOWN'] : [400, 'NAME_INVALID']
    expect(await outcome('GET', `/v2/${name}/tags/list`)).toEqual(expected)
    expect(await outcome('GET', `/v2/${name}/manifests/x`)).toEqual(valid ? [404, 'MANIFEST_UNKNOWN'] : expected)
    expect(await outcome('DELETE', `/v2/${name}/blobs/${DIGEST}`)).toEqual(valid ? [404, 'BLOB_UNKNOWN'] : expected)
    expect(await outcome('PATCH', `/v2/${name}/blobs/uploads/${UUID}`)).toEqual(
      valid ? [404, 'BLOB_UPLOAD_UNKNOWN'] : expected,
    )
  })

  it.each(names.filter((name) => !NAME.test(name)))('are the same in a mount’s from: %j', async (name) => {
    const url = `/v2/a/blobs/uploads/?mount=${DIGEST}&from=${encodeURIComponent(name)}`
    expect(await outcome('POST', url)).toEqual([400, 'NAME_INVALID'])
  })
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

describe('digests', () => {
  const wrong = [
    ...[
      '',
      ':',
      'sha256',
      'sha256:',
      `:${A}`,
      A,
      `sha256${A}`,
      `sha256-${A}`,
      `sha256::${A}`,
      `sha256:${A}:`,
      `sha256:${A} `,
    ],
    ...[
      `sha256:${A.slice(1)}`,
      `sha256:${A}a`,
      `sha512:${A}`,
      `sha256:${A}${A}`,
      `sha512:${A}${A}a`,
      'sha256:baddigeststring',
    ],
    ...[
      `sha256:${'A'.repeat(64)}`,
      `SHA256:${A}`,
      `Sha256:${A}`,
      `sha256:${'g'.repeat(64)}`,
      `sha256:${'٠'.repeat(64)}`,
    ],
    ...[`sha384:${'a'.repeat(96)}`, `sha1:${'a'.repeat(40)}`, `md5:${'a'.repeat(32)}`, `blake3:${A}`, `sha3-256:${A}`],
    ...[`sha256+b64u:${A}`, `sha256.x:${A}`, `sha256_x:${A}`, `multihash+base58:Qm${A}`, `tarsum.v1+sha256:${A}`],
    ...[`${DIGEST},${DIGEST}`, `sha256:sha256:${A}`, `__proto__:${A}`, `constructor:${A}`, `toString:${A}`],
    ...[
      `sha256:${'a'.repeat(63)}\n`,
      `sha256:${'a'.repeat(63)}%`,
      `sha256:0x${'a'.repeat(62)}`,
      `sha256:${'a'.repeat(5000)}`,
    ],
    ...[`sha256:..%2f..%2f${'a'.repeat(54)}`, `sha256:..${'a'.repeat(62)}`, ` ${DIGEST}`, `\ufeff${DIGEST}`],
  ]
  const inPath = wrong.filter((digest) => digest.includes(':'))

  it.each(inPath)('are refused in a path: %j', async (digest) => {
    const refusal = [400, 'DIGEST_INVALID']
    for (const method of ['GET', 'DELETE']) {
      expect(await outcome(method, `/v2/a/blobs/${digest}`)).toEqual(refusal)
      expect(await outcome(method, `/v2/a/manifests/${digest}`)).toEqual(refusal)
    }
    expect(await outcome('PUT', `/v2/a/manifests/${digest}`, { body: '{}' })).toEqual(refusal)
    expect(await outcome('GET', `/v2/a/referrers/${digest}`)).toEqual(refusal)
  })

  it.each(wrong)('are refused in a query: %j', async (digest) => {
    const refusal = [400, 'DIGEST_INVALID']
    const text = encodeURIComponent(digest)
    expect(await outcome('PUT', `/v2/a/blobs/uploads/${UUID}?digest=${text}`)).toEqual(refusal)
    expect(await outcome('POST', `/v2/a/blobs/uploads/?digest=${text}`, { body: 'x' })).toEqual(refusal)
    expect(await outcome('POST', `/v2/a/blobs/uploads/?mount=${text}&from=b`)).toEqual(refusal)
    const algorithm = text.split('%3A', 1)[0]
    if (algorithm !== 'sha256' && algorithm !== 'sha512') {
      expect(await outcome('POST', `/v2/a/blobs/uploads/?digest-algorithm=${algorithm}`)).toEqual(refusal)
    }
    if (digest === '') return // as good as no `last`
    expect(await outcome('GET', `/v2/a/referrers/${DIGEST}?last=${text}`)).toEqual(refusal)
  })
})

describe('page sizes', () => {
  const lists = ['/v2/a/tags/list', '/v2/_catalog', `/v2/a/referrers/${DIGEST}`]

  it.each([
    ...[
      '',
      ' ',
      '-',
      '+',
      '-0',
      '-1',
      '+1',
      '01',
      '00',
      '0.0',
      '1.5',
      '.5',
      '1.',
      '1e3',
      '1E3',
      '1,000',
      '1_000',
      '1 0',
      ' 1',
      '1 ',
    ],
    ...[
      '0x10',
      '0b1',
      '0o7',
      'NaN',
      'Infinity',
      '-Infinity',
      'null',
      'undefined',
      'true',
      '[]',
      '{}',
      '[1]',
      '1;2',
      "1'",
      '1"',
    ],
    ...['١', '１', '²', '½', '1\u0000', '1\n', '1%', '\ufeff1', '1n', '0,1', '#1', '__proto__', '-9223372036854775808'],
  ])('are decimal integers: n=%j', async (n) => {
    for (const list of lists) {
      expect(await outcome('GET', `${list}?n=${encodeURIComponent(n)}`)).toEqual([400, 'UNSUPPORTED'])
    }
  })

  it.each([
    '1000',
    '1001',
    '2147483648',
    '4294967296',
    '9007199254740991',
    '9007199254740993',
    '18446744073709551616',
    '9'.repeat(500),
  ])('are clamped, however large: n=%s', async (n) => {
    const { get, registry } = client()
    await pushImage(registry.repository('a'), ['x'], { tags: ['v1'] })
    for (const list of lists) {
      const { status, headers } = await get(`${list}?n=${n}`)
      expect([status, headers.link]).toEqual([200, undefined])
    }
  })

  it.each(['n', 'last'])('and where a page starts are given once: %s', async (name) => {
    for (const list of lists) {
      for (const [one, two] of [
        ['1', '1'],
        ['1', '2'],
        ['', ''],
        ['a', ''],
      ]) {
        expect(await outcome('GET', `${list}?${name}=${one}&${name}=${two}`)).toEqual([400, 'UNSUPPORTED'])
      }
    }
  })

  it.each([
    'N=x',
    'n[]=x',
    'n[0]=x',
    'N%00=x',
    'x=%',
    'x=%zz&%',
    '&&&',
    '=',
    '=x',
    'n%5B%5D=1&n%5B%5D=2',
    '__proto__=1&__proto__=2',
    'constructor[prototype][n]=1',
    'ns=docker.io',
    'x=1&x=2',
    '%ff=%fe',
    '?n',
  ])('and nothing else is read from a query: %s', async (query) => {
    const { get, registry } = client()
    await pushImage(registry.repository('a'), ['x'], { tags: ['v1'] })
    for (const list of lists) expect((await get(`${list}?${query}`)).status).toBe(200)
  })
})

describe('paths', () => {
  it.each([
    ...[
      '/V2/',
      '/v2%2f',
      '/v2%2F_catalog',
      '/%76%32/',
      '/%762/_catalog',
      '//v2/',
      '//v2/_catalog',
      '/./v2/',
      '/x/../v2/',
    ],
    ...[
      '/v2;a=b/',
      '/v2.',
      '/v2..',
      '/v2\\',
      '/v2\\_catalog',
      '\\v2\\',
      '/v2&',
      '/v2+',
      '/v2~',
      '/v2:',
      '/v2,',
      '/v2*',
    ],
    ...[
      'v2/',
      'http://evil.test/v2/',
      '*',
      '',
      '/',
      '/v',
      '/v1/',
      '/v3/',
      '/v20/',
      '/ v2/',
      '/v2 /',
      '/v2\u0000/',
      '/v2\u2215',
    ],
    ...['/%2fv2/', '/%00/v2/', '/..%2fv2/', '/v2%00/', '/v2%20/', '/v2%3f', '/V2/_catalog', '/v2_catalog', '/_catalog'],
  ])('are not ours, spelled in another way: %j', async (url) => {
    const { handler } = client()
    expect(await handler(requestOf('GET', url))).toBeUndefined()
  })

  it.each([
    ...['/v2//', '/v2///', '/v2/./', '/v2/../', '/v2/%2e/', '/v2/..', '/v2/.', '/v2/%00', '/v2/ ', '/v2/;', '/v2/a;b/'],
    ...[
      '/v2/_catalog/',
      '/v2/_Catalog',
      '/v2/_catalog/x',
      '/v2/_catalog%00',
      '/v2/%5fcatalog',
      '/v2/_catalog;n=1',
      '/v2/catalog',
    ],
    ...['/v2/a/tags', '/v2/a/tags/', '/v2/a/tags/list/', '/v2/a/tags//list', '/v2/a/tags/LIST', '/v2/a/tags/list%00'],
    ...[
      '/v2/a/tags%2flist',
      '/v2/a%2ftags%2flist',
      '/v2/a/TAGS/list',
      '/v2/a/tags/list;x',
      '/v2/a/tags/list/..',
      '/v2/a/tags/%6cist',
    ],
    ...[
      '/v2/a/manifests',
      '/v2/a/manifests/',
      '/v2/a/manifests//',
      '/v2/a/manifests/x/',
      '/v2/a/manifests/x/..',
      '/v2/a/Manifests/x',
    ],
    ...['/v2/a/manifests/x/y', '/v2/a/manifests%2fx', '/v2/a/blobs', '/v2/a/blobs/', '/v2/a/Blobs/x', '/v2/a/blob/x'],
    ...[
      '/v2/a/uploads/',
      '/v2/a/uploads/x',
      '/v2/a/blobs/Uploads/',
      `/v2/a/blobs/uploads/${UUID}/`,
      '/v2/a/blobs//uploads/',
    ],
    ...[
      '/v2/a/referrers',
      '/v2/a/referrers/',
      '/v2/a/Referrers/x',
      '/v2/a',
      '/v2/a/',
      '/v2/a/b/c',
      '/v2/token',
      '/v2/auth',
    ],
    ...[
      '/v2/a/_wharfage',
      '/v2/a/_wharfage/',
      '/v2/a/_wharfage/Repository',
      '/v2/_wharfage/',
      '/v2/a/_uploads/x',
      '/v2/a/_layers/x',
    ],
    ...[
      '/v2/_oci/ext/discover',
      '/v2/a/_oci/ext/discover',
      '/v2/users/',
      '/v2/a/_trust/tuf/x.json',
      '/v2/_ping',
      '/v2/search',
    ],
  ])('are no endpoints: %j', async (url) => {
    expect(await outcome('GET', url)).toEqual([404, 'NAME_UNKNOWN'])
  })

  it.each([
    `/v2/a/blobs/uploads/${UUID}%00`,
    '/v2/a/blobs/uploads/%2e%2e',
    '/v2/a/blobs/uploads/..',
    '/v2/a/blobs/uploads/.',
    '/v2/a/blobs/uploads/.hidden',
    '/v2/a/blobs/uploads/a%2fb',
    '/v2/a/blobs/uploads/a b',
    '/v2/a/blobs/uploads/é',
    `/v2/a/blobs/uploads/${'x'.repeat(129)}`,
    '/v2/a/blobs/uploads/a:b',
    '/v2/a/blobs/uploads/a;b',
    '/v2/a/blobs/uploads/$(id)',
    '/v2/a/blobs/uploads/*',
    `/v2/a/blobs/uploads/${UUID.toUpperCase()}`,
    '/v2/a/blobs/uploads/constructor',
    '/v2/a/blobs/uploads/con',
    `/v2/a/blobs/uploads/${'x'.repeat(128)}`,
  ])('have no such upload: %j', async (url) => {
    for (const method of ['GET', 'DELETE', 'PATCH']) {
      expect(await outcome(method, url)).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
    }
    expect(await outcome('PUT', `${url}?digest=${DIGEST}`)).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
  })

  it.each(['TRACE', 'CONNECT', 'PROPFIND', 'get', 'Get', 'POSTX', '', '__proto__', 'constructor', 'PURGE', 'QUERY'])(
    'are not asked for by %j',
    async (method) => {
      for (const url of ['/v2/', '/v2/_catalog', '/v2/a/tags/list', '/v2/a/manifests/x', `/v2/a/blobs/${DIGEST}`]) {
        expect(await outcome(method, url)).toEqual([405, 'UNSUPPORTED'])
      }
      expect(await outcome(method, '/v2/a/blobs/uploads/')).toEqual([405, 'UNSUPPORTED'])
      expect(await outcome(method, `/v2/a/blobs/uploads/${UUID}`)).toEqual([405, 'UNSUPPORTED'])
    },
  )
})

describe('headers of uploads', () => {
  it.each([
    ...[
      '-1',
      '+1',
      '1.0',
      '0x1',
      '1e1',
      ' 1',
      '1 ',
      '',
      'x',
      '1,1',
      '01',
      '9007199254740993',
      '99999999999999999999',
      'NaN',
    ],
  ])('announce a length in decimal digits: %j', async (length) => {
    const sending = { body: 'x', headers: { 'content-length': length } }
    const content = digestOf(Buffer.from('x'))
    expect(await outcome('POST', `/v2/a/blobs/uploads/?digest=${content}`, sending)).toEqual([400, 'SIZE_INVALID'])
    expect(await outcome('PATCH', `/v2/a/blobs/uploads/${UUID}`, sending)).toEqual([400, 'SIZE_INVALID'])
    expect(await outcome('PUT', '/v2/a/manifests/x', sending)).toEqual([400, 'SIZE_INVALID'])
  })
})
