import { expect } from 'vitest'
import { pushImage } from '../../support/images.ts'
import { corpus } from './corpus.ts'
import { DIGEST, outcome, UUID, world } from './outcome.ts'

const rows = corpus('parameters')

const LISTS = ['/v2/a/tags/list', '/v2/_catalog', `/v2/a/referrers/${DIGEST}`]
const UPLOADS = '/v2/a/blobs/uploads/'

rows(
  'a page size is a decimal integer',
  [
    ...['', ' ', '-', '+', '-0', '-1', '+1', '01', '00', '0.0', '1.5', '.5', '1.', '1e3', '1E3', '1,000', '1_000'],
    ...['1 0', ' 1', '1 ', '0x10', '0b1', '0o7', 'NaN', 'Infinity', '-Infinity', 'null', 'undefined', 'true'],
    ...['[]', '{}', '[1]', '1;2', "1'", '1"', '١', '１', '²', '½', '1\u0000', '1\n', '1%', '\ufeff1', '1n', '0,1'],
    ...['#1', '__proto__', '-9223372036854775808'],
  ],
  async (n) => {
    for (const list of LISTS) {
      expect(await outcome('GET', `${list}?n=${encodeURIComponent(n)}`)).toEqual([400, 'UNSUPPORTED'])
    }
  },
)

rows(
  'a page size is clamped, however large',
  [
    ...['1000', '1001', '2147483648', '4294967296', '9007199254740991', '9007199254740993', '18446744073709551616'],
    '9'.repeat(500),
  ],
  async (n) => {
    const { ask, registry } = world()
    await pushImage(registry.repository('a'), ['x'], { tags: ['v1'] })
    for (const list of LISTS) {
      const { status, headers } = await ask('GET', `${list}?n=${n}`)
      expect([status, headers.link]).toEqual([200, undefined])
    }
  },
)

rows('no page has no entries, and no next one', [['n=0'], ['n=0&last=a'], ['n=0&n%00=1']], async ([query]) => {
  const { ask, registry } = world()
  await pushImage(registry.repository('a'), ['x'], { tags: ['v1'] })
  const { status, text, headers } = await ask('GET', `/v2/a/tags/list?${query}`)
  expect([status, text, headers.link]).toEqual([200, '{"name":"a","tags":[]}\n', undefined])
})

rows(
  'a page is asked for once',
  ['n=1&n=1', 'n=1&n=2', 'n=&n=', 'n=1&n', 'last=a&last=a', 'last=a&last=b', 'last=&last=', 'last=a&last', 'n=1&%6e=1'],
  async (query) => {
    for (const list of LISTS) {
      expect(await outcome('GET', `${list}?${query}`)).toEqual([400, 'UNSUPPORTED'])
    }
  },
)

rows(
  'nothing else is read from a query',
  [
    ...['N=x', 'n[]=x', 'n[0]=x', 'N%00=x', 'x=%', 'x=%zz&%', '&&&', '=', '=x', 'n%5B%5D=1&n%5B%5D=2'],
    ...['__proto__=1&__proto__=2', 'constructor[prototype][n]=1', 'ns=docker.io', 'x=1&x=2', '%ff=%fe', '?n'],
    ...['n%3d=x', ' n=x', 'n =x', '+n=x', ';n=x', 'tag=../x', 'digest=x', 'mount=x&from=X', 'x=n=x', 'LAST=../a'],
  ],
  async (query) => {
    const { ask, registry } = world()
    await pushImage(registry.repository('a'), ['x'], { tags: ['v1'] })
    for (const list of LISTS) expect((await ask('GET', `${list}?${query}`)).status).toBe(200)
  },
)

rows(
  'a place to go on from is what the list holds',
  [
    ['tags: a digest', `/v2/a/tags/list?last=${DIGEST}`, 'MANIFEST_INVALID'],
    ['tags: a climb', '/v2/a/tags/list?last=../x', 'MANIFEST_INVALID'],
    ['tags: a NUL', '/v2/a/tags/list?last=%00', 'MANIFEST_INVALID'],
    ['tags: a space', '/v2/a/tags/list?last=+', 'MANIFEST_INVALID'],
    ['tags: broken UTF-8', '/v2/a/tags/list?last=%ff', 'MANIFEST_INVALID'],
    ['tags: 129 characters', `/v2/a/tags/list?last=${'x'.repeat(129)}`, 'MANIFEST_INVALID'],
    ['repositories: upper case', '/v2/_catalog?last=A', 'NAME_INVALID'],
    ['repositories: a climb', '/v2/_catalog?last=..%2f..', 'NAME_INVALID'],
    ['repositories: a slash at the end', '/v2/_catalog?last=a/', 'NAME_INVALID'],
    ['repositories: 256 characters', `/v2/_catalog?last=${'x'.repeat(256)}`, 'NAME_INVALID'],
    ['referrers: a tag', `/v2/a/referrers/${DIGEST}?last=v1`, 'DIGEST_INVALID'],
    ['referrers: a key', `/v2/a/referrers/${DIGEST}?last=sha256/${'a'.repeat(64)}`, 'DIGEST_INVALID'],
  ],
  async ([, url, code]) => {
    expect(await outcome('GET', url)).toEqual([400, code])
  },
)

rows(
  'an upload is asked for in one way',
  [
    ['two digests', 'POST', `${UPLOADS}?digest=${DIGEST}&digest=${DIGEST}`, 400, 'UNSUPPORTED'],
    ['two mounts', 'POST', `${UPLOADS}?mount=${DIGEST}&mount=${DIGEST}&from=b`, 400, 'UNSUPPORTED'],
    ['two sources', 'POST', `${UPLOADS}?mount=${DIGEST}&from=b&from=c`, 400, 'UNSUPPORTED'],
    ['two sources without a mount', 'POST', `${UPLOADS}?from=b&from=c`, 400, 'UNSUPPORTED'],
    ['two algorithms', 'POST', `${UPLOADS}?digest-algorithm=sha256&digest-algorithm=sha512`, 400, 'UNSUPPORTED'],
    ['a digest twice, once escaped', 'POST', `${UPLOADS}?digest=${DIGEST}&%64igest=${DIGEST}`, 400, 'UNSUPPORTED'],
    ['a bad mount beside a good digest', 'POST', `${UPLOADS}?mount=x&digest=${DIGEST}`, 400, 'DIGEST_INVALID'],
    ['a mount of nothing', 'POST', `${UPLOADS}?mount=&from=b`, 400, 'DIGEST_INVALID'],
    ['a digest of nothing', 'POST', `${UPLOADS}?digest=`, 400, 'DIGEST_INVALID'],
    ['no digest to close with', 'PUT', `${UPLOADS}${UUID}`, 400, 'DIGEST_INVALID'],
    ['a digest in another case of its name', 'PUT', `${UPLOADS}${UUID}?Digest=${DIGEST}`, 400, 'DIGEST_INVALID'],
    ['two digests to close with', 'PUT', `${UPLOADS}${UUID}?digest=${DIGEST}&digest=x`, 400, 'UNSUPPORTED'],
    ['a digest that is not the content’s', 'POST', `${UPLOADS}?digest=${DIGEST}`, 400, 'DIGEST_INVALID'],
    ['a digest twice encoded', 'POST', `${UPLOADS}?digest=${DIGEST.replace(':', '%253A')}`, 400, 'DIGEST_INVALID'],
    ['a digest behind a semicolon', 'PUT', `${UPLOADS}${UUID}?x=1;digest=${DIGEST}`, 400, 'DIGEST_INVALID'],
  ],
  async ([, method, url, status, code]) => {
    expect(await outcome(method, url)).toEqual([status, code])
  },
)

const tags = (count: number, make = (i: number) => `t${i}`) =>
  Array.from({ length: count }, (_, i) => `tag=${make(i)}`).join('&')

rows(
  'tags of a manifest',
  [
    ['more than a request may have', `/v2/a/manifests/${DIGEST}?${tags(2000)}`, 414, 'UNSUPPORTED'],
    ['none in one', `/v2/a/manifests/${DIGEST}?tag=`, 400, 'MANIFEST_INVALID'],
    ['a bad one among good ones', `/v2/a/manifests/${DIGEST}?tag=a&tag=%2e&tag=b`, 400, 'MANIFEST_INVALID'],
    ['in brackets, which are no tags', `/v2/a/manifests/${DIGEST}?tag[]=..`, 400, 'DIGEST_INVALID'],
    ['a comma between them', `/v2/a/manifests/${DIGEST}?tag=a,b`, 400, 'MANIFEST_INVALID'],
    ['the same a thousand times is one', `/v2/a/manifests/${DIGEST}?${tags(1000, () => 'a')}`, 400, 'DIGEST_INVALID'],
    ['a digest for one', `/v2/a/manifests/v1?tag=${DIGEST}`, 400, 'MANIFEST_INVALID'],
  ],
  async ([, url, status, code]) => {
    expect(await outcome('PUT', url, { body: 'x', headers: { 'content-type': 'a/b' } })).toEqual([status, code])
  },
)

rows(
  'a type of artifact filters, whatever it is',
  ['', 'x', '%', '%ff', '..', 'a/b', `${'a'.repeat(5000)}/b`, '%0d%0aset-cookie:%20a', '%00', '[]', '"', '*/*'],
  async (type) => {
    const { status, headers, text } = await world().ask('GET', `/v2/a/referrers/${DIGEST}?artifactType=${type}`)
    expect([status, JSON.parse(text).manifests, headers['oci-filters-applied']]).toEqual([200, [], 'artifactType'])
    expect(Object.keys(headers).sort()).toEqual([
      ...['content-length', 'content-type', 'docker-distribution-api-version', 'oci-filters-applied'],
      ...['x-content-type-options', 'x-request-id'],
    ])
  },
)

rows(
  'a registry in whose place we are asked is named once',
  ['ns=a&ns=b', 'ns=a&ns=a', 'ns=&ns=', 'ns=a&%6es=b&ns=c'],
  async (query) => {
    expect(await outcome('GET', `/v2/a/tags/list?${query}`)).toEqual([400, 'UNSUPPORTED'])
  },
)
