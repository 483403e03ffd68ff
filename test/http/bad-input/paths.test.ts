import { expect } from 'vitest'
import { client, requestOf } from '../support.ts'
import { corpus } from './corpus.ts'
import { DIGEST, outcome, UUID } from './outcome.ts'

const rows = corpus('paths')

rows(
  'S13, N06, CVE-2024-4956: paths are not ours, spelled in another way',
  [
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
  ],
  async (url) => {
    const { handler } = client()
    expect(await handler(requestOf('GET', url))).toBeUndefined()
  },
)

rows(
  'paths are no endpoints',
  [
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
  ],
  async (url) => {
    expect(await outcome('GET', url)).toEqual([404, 'NAME_UNKNOWN'])
  },
)

rows(
  'paths have no such upload',
  [
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
  ],
  async (url) => {
    for (const method of ['GET', 'DELETE', 'PATCH']) {
      expect(await outcome(method, url)).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
    }
    expect(await outcome('PUT', `${url}?digest=${DIGEST}`)).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
  },
)

rows(
  'paths are not asked for by',
  ['TRACE', 'CONNECT', 'PROPFIND', 'get', 'Get', 'POSTX', '', '__proto__', 'constructor', 'PURGE', 'QUERY'],
  async (method) => {
    for (const url of ['/v2/', '/v2/_catalog', '/v2/a/tags/list', '/v2/a/manifests/x', `/v2/a/blobs/${DIGEST}`]) {
      expect(await outcome(method, url)).toEqual([405, 'UNSUPPORTED'])
    }
    expect(await outcome(method, '/v2/a/blobs/uploads/')).toEqual([405, 'UNSUPPORTED'])
    expect(await outcome(method, `/v2/a/blobs/uploads/${UUID}`)).toEqual([405, 'UNSUPPORTED'])
  },
)
