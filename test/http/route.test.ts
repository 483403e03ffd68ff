import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RegistryError } from '../../src/errors.ts'
import { formatRoute, parseRoute, type Route } from '../../src/http/route.ts'
import { anyRoute } from './any-route.ts'

const A = 'a'.repeat(64)
const SHA256 = `sha256:${A}` as const
const SHA512 = `sha512:${'b'.repeat(128)}` as const
const UUID = '7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11'

/** What a request line is refused with: status, code and `Allow`. */
function refusal(method: string, url: string): readonly [number, string, string?] {
  try {
    parseRoute(method, url)
  } catch (error) {
    if (!RegistryError.is(error)) throw error
    const { allow } = error.headers
    return allow === undefined ? [error.status, error.code] : [error.status, error.code, allow]
  }
  throw new Error(`accepted: ${method} ${url}`)
}

const ROUTES: readonly (readonly [string, string, Route])[] = [
  ['GET', '/v2', { kind: 'ping' }],
  ['GET', '/v2/', { kind: 'ping' }],
  ['HEAD', '/v2/', { kind: 'ping' }],
  ['GET', '/v2/?x=1', { kind: 'ping' }],
  ['GET', '/v2/_catalog', { kind: 'catalog' }],
  ['GET', '/v2/_catalog?n=5', { kind: 'catalog', limit: 5 }],
  ['GET', '/v2/_catalog?n=5&last=team%2Fapp', { kind: 'catalog', limit: 5, after: 'team/app' }],
  ['GET', '/v2/_catalog?n=0&last=', { kind: 'catalog', limit: 0 }],
  ['GET', `/v2/a/blobs/${SHA256}`, { kind: 'getBlob', name: 'a', digest: SHA256 }],
  ['HEAD', `/v2/a/b/c/blobs/${SHA512}`, { kind: 'headBlob', name: 'a/b/c', digest: SHA512 }],
  ['DELETE', `/v2/a/blobs/${SHA256}`, { kind: 'deleteBlob', name: 'a', digest: SHA256 }],
  ['POST', '/v2/a/blobs/uploads/', { kind: 'startUpload', name: 'a', algorithm: 'sha256' }],
  ['POST', '/v2/a/blobs/uploads', { kind: 'startUpload', name: 'a', algorithm: 'sha256' }],
  ['POST', '/v2/a/blobs/uploads/?', { kind: 'startUpload', name: 'a', algorithm: 'sha256' }],
  ['POST', '/v2/a/blobs/uploads/?digest-algorithm=sha512', { kind: 'startUpload', name: 'a', algorithm: 'sha512' }],
  ['POST', `/v2/a/blobs/uploads/?digest=sha256%3A${A}`, { kind: 'uploadBlob', name: 'a', digest: SHA256 }],
  ['POST', `/v2/a/blobs/uploads/?mount=${SHA256}`, { kind: 'mountBlob', name: 'a', digest: SHA256 }],
  ['POST', `/v2/a/blobs/uploads/?mount=${SHA256}&from=`, { kind: 'mountBlob', name: 'a', digest: SHA256 }],
  [
    'POST',
    `/v2/a/blobs/uploads/?from=b/c&mount=sha256%3a${A}`,
    { kind: 'mountBlob', name: 'a', digest: SHA256, from: 'b/c' },
  ],
  ['GET', `/v2/a/blobs/uploads/${UUID}`, { kind: 'uploadStatus', name: 'a', upload: UUID }],
  ['HEAD', `/v2/a/blobs/uploads/${UUID}`, { kind: 'uploadStatus', name: 'a', upload: UUID }],
  ['GET', `/v2/a/blobs/uploads/${UUID}?digest=anything`, { kind: 'uploadStatus', name: 'a', upload: UUID }],
  ['PATCH', `/v2/a/blobs/uploads/${UUID}?_state=abc%3D`, { kind: 'uploadChunk', name: 'a', upload: UUID }],
  ['PATCH', '/v2/a/blobs/uploads/x.y_z=1-', { kind: 'uploadChunk', name: 'a', upload: 'x.y_z=1-' }],
  ['DELETE', `/v2/a/blobs/uploads/${UUID}`, { kind: 'cancelUpload', name: 'a', upload: UUID }],
  [
    'PUT',
    `/v2/a/blobs/uploads/${UUID}?_state=x&digest=sha512%3A${'b'.repeat(128)}`,
    { kind: 'finishUpload', name: 'a', upload: UUID, digest: SHA512 },
  ],
  ['GET', '/v2/a/manifests/latest', { kind: 'getManifest', name: 'a', reference: 'latest' }],
  ['GET', '/v2/a/manifests/latest?ns=docker.io', { kind: 'getManifest', name: 'a', reference: 'latest' }],
  ['HEAD', `/v2/a/manifests/${SHA256}`, { kind: 'headManifest', name: 'a', reference: SHA256 }],
  ['DELETE', '/v2/a/manifests/_A.b-C', { kind: 'deleteManifest', name: 'a', reference: '_A.b-C' }],
  ['PUT', '/v2/a/manifests/v1', { kind: 'putManifest', name: 'a', reference: 'v1', tags: [] }],
  [
    'PUT',
    `/v2/a/manifests/${SHA256}?tag=v1&tag=latest&tag=v1`,
    { kind: 'putManifest', name: 'a', reference: SHA256, tags: ['v1', 'latest'] },
  ],
  ['GET', '/v2/a/tags/list', { kind: 'listTags', name: 'a' }],
  ['HEAD', '/v2/a/tags/list', { kind: 'listTags', name: 'a' }],
  ['GET', '/v2/a/tags/list?last=v1&n=10', { kind: 'listTags', name: 'a', limit: 10, after: 'v1' }],
  ['GET', '/v2/a/tags/list?n=99999999999999999999', { kind: 'listTags', name: 'a', limit: Number.MAX_SAFE_INTEGER }],
  ['GET', `/v2/a/referrers/${SHA256}`, { kind: 'listReferrers', name: 'a', digest: SHA256 }],
  [
    'GET',
    `/v2/a/referrers/${SHA256}?artifactType=application/x%2By`,
    { kind: 'listReferrers', name: 'a', digest: SHA256, artifactType: 'application/x+y' },
  ],
  [
    'GET',
    `/v2/a/referrers/${SHA256}?artifactType=&n=2&last=${SHA512}`,
    { kind: 'listReferrers', name: 'a', digest: SHA256, artifactType: '', limit: 2, after: SHA512 },
  ],
  ['DELETE', '/v2/a/b/_wharfage/repository', { kind: 'deleteRepository', name: 'a/b' }],
  ['OPTIONS', '/v2/', { kind: 'preflight' }],
  ['OPTIONS', '/v2/whatever/it is/', { kind: 'preflight' }],
]

/** Components that look like ours: the path is read from its end. */
const AWKWARD_NAMES: readonly string[] = [
  'blobs',
  'manifests',
  'tags',
  'list',
  'uploads',
  'referrers',
  'blobs/uploads',
  'a/blobs/uploads',
  'blobs/uploads/blobs/uploads',
  'a/manifests/b',
  'a/manifests/manifests',
  'tags/list',
  'a/tags/list/tags',
  'v2',
  'v2/v2',
  'con',
  'repository',
]

describe('parseRoute', () => {
  it.each(ROUTES)('reads %s %s', (method, url, route) => {
    expect(parseRoute(method, url)).toEqual(route)
  })

  it.each(AWKWARD_NAMES)('takes %s for a name before each endpoint', (name) => {
    const routes: readonly Route[] = [
      { kind: 'getBlob', name, digest: SHA256 },
      { kind: 'deleteBlob', name, digest: SHA256 },
      { kind: 'startUpload', name, algorithm: 'sha256' },
      { kind: 'uploadChunk', name, upload: UUID },
      { kind: 'uploadStatus', name, upload: 'list' },
      { kind: 'getManifest', name, reference: 'list' },
      { kind: 'getManifest', name, reference: 'uploads' },
      { kind: 'putManifest', name, reference: 'blobs', tags: [] },
      { kind: 'listTags', name },
      { kind: 'listReferrers', name, digest: SHA256 },
      { kind: 'deleteRepository', name },
    ]
    for (const route of routes) {
      const { method, url } = formatRoute(route)
      expect(parseRoute(method, url)).toEqual(route)
    }
  })

  it.each([
    '/',
    '',
    '/v1/',
    '/V2/',
    '/v2beta',
    '/v22/',
    '//v2/',
    '/v2%2F',
    '/%762/',
    '/x/v2/',
    '/v2;x/',
    'v2/',
    'http://host/v2/',
    '/.well-known/v2/',
    '*',
  ])('leaves %s to others', (url) => {
    expect(parseRoute('GET', url)).toBeUndefined()
  })

  it.each([
    ['/team/registry', '/team/registry/v2/', 'ping'],
    ['/team/registry/', '/team/registry/v2/', 'ping'],
    ['/', '/v2/', 'ping'],
    ['', '/v2/', 'ping'],
    ['/v2', '/v2/v2/', 'ping'],
    ['/v2', '/v2/v2/v2/tags/list', 'listTags'],
    ['/team', '/v2/', undefined],
    ['/team', '/teams/v2/', undefined],
    ['/team', '/Team/v2/', undefined],
    ['//evil.test', '//evil.test/v2/', undefined],
    ['evil.test', 'evil.test/v2/', undefined],
  ])('reads behind the mount path %s: %s', (mountPath, url, kind) => {
    expect(parseRoute('GET', url, mountPath)?.kind).toBe(kind)
  })

  it.each([
    ['POST', '/v2/', 405, 'UNSUPPORTED', 'GET, HEAD, OPTIONS'],
    ['BREW', '/v2/', 405, 'UNSUPPORTED', 'GET, HEAD, OPTIONS'],
    ['get', '/v2/', 405, 'UNSUPPORTED', 'GET, HEAD, OPTIONS'],
    ['constructor', '/v2/a/manifests/x', 405, 'UNSUPPORTED', 'GET, HEAD, PUT, DELETE, OPTIONS'],
    ['POST', '/v2/_catalog', 405, 'UNSUPPORTED', 'GET, HEAD, OPTIONS'],
    ['DELETE', '/v2/a/tags/list', 405, 'UNSUPPORTED', 'GET, HEAD, OPTIONS'],
    ['PUT', `/v2/a/referrers/${SHA256}`, 405, 'UNSUPPORTED', 'GET, HEAD, OPTIONS'],
    ['PATCH', '/v2/a/manifests/x', 405, 'UNSUPPORTED', 'GET, HEAD, PUT, DELETE, OPTIONS'],
    ['POST', '/v2/a/manifests/x', 405, 'UNSUPPORTED', 'GET, HEAD, PUT, DELETE, OPTIONS'],
    ['PUT', `/v2/a/blobs/${SHA256}`, 405, 'UNSUPPORTED', 'GET, HEAD, DELETE, OPTIONS'],
    ['GET', '/v2/a/blobs/uploads/', 405, 'UNSUPPORTED', 'POST, OPTIONS'],
    ['POST', '/v2/a/blobs/uploads/x', 405, 'UNSUPPORTED', 'GET, HEAD, PATCH, PUT, DELETE, OPTIONS'],
    ['GET', '/v2/a/_wharfage/repository', 405, 'UNSUPPORTED', 'DELETE, OPTIONS'],
  ])('refuses %s %s with the methods that there are', (method, url, status, code, allow) => {
    expect(refusal(method, url)).toEqual([status, code, allow])
  })

  it.each([
    '/v2//',
    '/v2/a',
    '/v2/a/',
    '/v2/a/b',
    '/v2/a/tags',
    '/v2/a/tags/',
    '/v2/a/tags/list/',
    '/v2/a/tags/List',
    '/v2/a/Tags/list',
    '/v2/a/manifests/',
    '/v2/a/manifests/x/',
    '/v2/a/manifests/x/y',
    '/v2/a/blobs/',
    '/v2/a/uploads/',
    '/v2/a/uploads/x',
    '/v2/_catalog/',
    '/v2/_Catalog',
    '/v2/_oci/ext/discover',
    '/v2/a/_wharfage/other',
  ])('answers 404 where there is no endpoint: %s', (url) => {
    expect(refusal('GET', url)).toEqual([404, 'NAME_UNKNOWN'])
  })

  it.each([
    ['GET', '/v2/manifests/latest'],
    ['GET', '/v2//manifests/latest'],
    ['GET', '/v2/tags/list'],
    ['POST', '/v2/blobs/uploads/'],
    ['POST', '/v2//blobs/uploads/'],
    ['GET', '/v2/_catalog/tags/list'],
    ['GET', '/v2/a/../b/tags/list'],
    ['GET', '/v2/a/%2e%2e/b/tags/list'],
    ['GET', '/v2/a%2Fb/tags/list'],
    ['GET', '/v2/a\\b/tags/list'],
    ['POST', `/v2/a/blobs/uploads/?mount=${SHA256}&from=..%2Fb`],
    ['POST', `/v2/a/blobs/uploads/?mount=${SHA256}&from=B`],
    ['GET', '/v2/_catalog?last=UPPER'],
  ])('refuses the name in %s %s', (method, url) => {
    expect(refusal(method, url)).toEqual([400, 'NAME_INVALID'])
  })

  it.each([
    ['GET', '/v2/a/blobs/sha256:short'],
    ['GET', `/v2/a/blobs/SHA256:${A}`],
    ['GET', `/v2/a/blobs/sha256%3A${A}`],
    ['GET', `/v2/a/blobs/sha384:${'a'.repeat(96)}`],
    ['GET', '/v2/a/manifests/sha256:baddigeststring'],
    ['GET', '/v2/a/blobs/uploads'],
    ['PUT', `/v2/a/blobs/uploads/${UUID}`],
    ['PUT', `/v2/a/blobs/uploads/${UUID}?digest=`],
    ['PUT', `/v2/a/blobs/uploads/${UUID}?digest=md5:${'a'.repeat(32)}`],
    ['POST', '/v2/a/blobs/uploads/?digest='],
    ['POST', '/v2/a/blobs/uploads/?digest-algorithm=sha384'],
    ['POST', '/v2/a/blobs/uploads/?digest-algorithm='],
    ['POST', '/v2/a/blobs/uploads/?digest-algorithm=__proto__'],
    ['POST', '/v2/a/blobs/uploads/?mount=x&from=b'],
    ['GET', '/v2/a/referrers/latest'],
    ['GET', `/v2/a/referrers/${SHA256}?last=v1`],
  ])('refuses the digest in %s %s', (method, url) => {
    expect(refusal(method, url)).toEqual([400, 'DIGEST_INVALID'])
  })

  it.each([
    ['GET', '/v2/a/manifests/.x'],
    ['GET', '/v2/a/manifests/-x'],
    ['GET', '/v2/a/manifests/x%20y'],
    ['GET', `/v2/a/manifests/${'x'.repeat(129)}`],
    ['PUT', `/v2/a/manifests/${SHA256}?tag=`],
    ['PUT', `/v2/a/manifests/${SHA256}?tag=ok&tag=not%20ok`],
    ['GET', '/v2/a/tags/list?last=a/b'],
  ])('refuses the tag in %s %s', (method, url) => {
    expect(refusal(method, url)).toEqual([400, 'MANIFEST_INVALID'])
  })

  it.each([
    '/v2/a/tags/list?n=',
    '/v2/a/tags/list?n=-1',
    '/v2/a/tags/list?n=+1',
    '/v2/a/tags/list?n=1.0',
    '/v2/a/tags/list?n=1e3',
    '/v2/a/tags/list?n=0x10',
    '/v2/a/tags/list?n=%201',
    '/v2/a/tags/list?n=007',
    '/v2/a/tags/list?n=ten',
    '/v2/a/tags/list?n=NaN',
    '/v2/a/tags/list?n=1&n=1',
    '/v2/a/tags/list?last=a&last=b',
    '/v2/_catalog?n=1,2',
    '/v2/_catalog?n=%D9%A1',
    '/v2/_catalog?last=a&last=a',
    `/v2/a/referrers/${SHA256}?artifactType=a&artifactType=b`,
  ])('refuses the parameters of %s', (url) => {
    expect(refusal('GET', url)).toEqual([400, 'UNSUPPORTED'])
  })

  it.each(['mount', 'from', 'digest', 'digest-algorithm'])('refuses %s twice, in every upload request', (name) => {
    expect(refusal('POST', `/v2/a/blobs/uploads/?${name}=x&${name}=x`)).toEqual([400, 'UNSUPPORTED'])
    expect(refusal('POST', `/v2/a/blobs/uploads/?mount=${SHA256}&${name}=x&${name}=y`)).toEqual([400, 'UNSUPPORTED'])
  })

  it('refuses an id that no upload can have', () => {
    for (const id of ['..', '.hidden', 'x%2Fy', 'a b', 'é', 'x'.repeat(129), 'a;b', 'a:b']) {
      expect(refusal('GET', `/v2/a/blobs/uploads/${id}`)).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
    }
  })

  it('takes a hundred tags and answers 414 to more', () => {
    const tags = (count: number) => Array.from({ length: count }, (_, i) => `tag=t${i}`).join('&')
    expect(parseRoute('PUT', `/v2/a/manifests/${SHA256}?${tags(100)}`)).toMatchObject({ tags: { length: 100 } })
    expect(refusal('PUT', `/v2/a/manifests/${SHA256}?${tags(101)}`)).toEqual([414, 'UNSUPPORTED'])
  })

  it('throws nothing but a RegistryError, whatever it is given', () => {
    const segment = fc.oneof(
      fc.constantFrom(
        'v2',
        'a',
        'blobs',
        'uploads',
        'manifests',
        'tags',
        'list',
        '',
        '..',
        '%',
        '%zz',
        SHA256,
        '?',
        '&n=',
      ),
      fc.string({ unit: 'grapheme' }),
    )
    const url = fc.array(segment, { maxLength: 8 }).map((segments) => `/v2/${segments.join('/')}`)
    fc.assert(
      fc.property(fc.constantFrom('GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'HEAD', 'X'), url, (method, target) => {
        try {
          return parseRoute(method, target) !== undefined
        } catch (error) {
          return RegistryError.is(error) && error.status >= 400 && error.status < 500
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('formatRoute', () => {
  it('is the inverse of parseRoute', () => {
    fc.assert(
      fc.property(anyRoute(), fc.constantFrom(undefined, '', '/', '/mounted', '/v2/', '/a/b'), (route, mountPath) => {
        const { method, url } = formatRoute(route, mountPath)
        expect(parseRoute(method, url, mountPath)).toEqual(route)
      }),
      { numRuns: 1000 },
    )
  })

  it('leaves out the default algorithm', () => {
    expect(formatRoute({ kind: 'startUpload', name: 'a', algorithm: 'sha256' })).toEqual({
      method: 'POST',
      url: '/v2/a/blobs/uploads/',
    })
  })
})
