import { expect } from 'vitest'
import { digestOf } from '../../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../../src/spec/media-types.ts'
import { pushImage } from '../../support/images.ts'
import type { SendOptions } from '../support.ts'
import { corpus } from './corpus.ts'
import { DIGEST, outcome, UUID, world } from './outcome.ts'

const rows = corpus('headers')

type Headers = NonNullable<SendOptions['headers']>

const { ociManifest, ociIndex, dockerManifest } = MEDIA_TYPES

rows(
  'Content-Length is in decimal digits',
  [
    ...['-1', '+1', '1.0', '0x1', '1e1', ' 1', '1 ', '', 'x', '1,1', '01', '9007199254740993', '99999999999999999999'],
    ...['NaN', '1, 1', '00', '1_0', '١', '-0', '0 1', '1;', '9223372036854775808', 'Infinity', '1\u00a0'],
  ],
  async (length) => {
    const sending = { body: 'x', headers: { 'content-length': length } }
    const content = digestOf(Buffer.from('x'))
    expect(await outcome('POST', `/v2/a/blobs/uploads/?digest=${content}`, sending)).toEqual([400, 'SIZE_INVALID'])
    expect(await outcome('PATCH', `/v2/a/blobs/uploads/${UUID}`, sending)).toEqual([400, 'SIZE_INVALID'])
    expect(await outcome('PUT', '/v2/a/manifests/x', sending)).toEqual([400, 'SIZE_INVALID'])
  },
)

// A blob of these ten bytes.
const BLOB = '0123456789'
const BLOB_URL = `/v2/a/blobs/${digestOf(Buffer.from(BLOB))}`

async function getBlob(headers: Headers) {
  const { ask, registry } = world({ refusalHeaders: { 'content-range': /^bytes \*\/10$/ } })
  await registry.repository('a').blobs.put(Buffer.from(BLOB))
  return ask('GET', BLOB_URL, { headers })
}

rows(
  'Range is satisfied',
  [
    ['bytes=0-0', '0', 'bytes 0-0/10'],
    ['bytes=0-9', BLOB, 'bytes 0-9/10'],
    ['bytes=0-', BLOB, 'bytes 0-9/10'],
    ['bytes=9-', '9', 'bytes 9-9/10'],
    ['bytes=9-9', '9', 'bytes 9-9/10'],
    ['bytes=5-100', '56789', 'bytes 5-9/10'],
    ['bytes=0-9223372036854775807', BLOB, 'bytes 0-9/10'],
    ['bytes=0-9223372036854775808', BLOB, 'bytes 0-9/10'],
    ['bytes=0-18446744073709551616', BLOB, 'bytes 0-9/10'],
    [`bytes=0-${'9'.repeat(1000)}`, BLOB, 'bytes 0-9/10'],
    ['bytes=-1', '9', 'bytes 9-9/10'],
    ['bytes=-10', BLOB, 'bytes 0-9/10'],
    ['bytes=-11', BLOB, 'bytes 0-9/10'],
    ['bytes=-9223372036854775808', BLOB, 'bytes 0-9/10'],
    [`bytes=-${'9'.repeat(1000)}`, BLOB, 'bytes 0-9/10'],
    ['bytes=00-01', '01', 'bytes 0-1/10'],
    ['BYTES=1-2', '12', 'bytes 1-2/10'],
    ['bytes =1-2', '12', 'bytes 1-2/10'],
    ['bytes= 1-2', '12', 'bytes 1-2/10'],
    ['bytes=1-2 ', '12', 'bytes 1-2/10'],
    ['bytes=1-2,', '12', 'bytes 1-2/10'],
    ['bytes=,,1-2', '12', 'bytes 1-2/10'],
    ['bytes=1-2,3-4', '1234', 'bytes 1-4/10'],
    ['bytes=3-4,1-2', '1234', 'bytes 1-4/10'],
    ['bytes=1-2,99-', '12', 'bytes 1-2/10'],
    ['bytes=1-2,5-4', '12', 'bytes 1-2/10'],
    ['bytes=0-0,-1', BLOB, 'bytes 0-9/10'],
    ['bytes=0-0,0-0', '0', 'bytes 0-0/10'],
  ],
  async ([range, text, contentRange]) => {
    const answer = await getBlob({ range })
    expect([answer.status, answer.text, answer.headers['content-range']]).toEqual([206, text, contentRange])
  },
)

rows(
  'Range cannot be satisfied',
  [
    ...['bytes=10-', 'bytes=10-10', 'bytes=11-20', 'bytes=-0', 'bytes=-00', 'bytes=5-4', 'bytes=9-0', 'bytes=10-,-0'],
    ...['bytes=9223372036854775807-', 'bytes=9223372036854775808-9223372036854775809', `bytes=${'9'.repeat(400)}-`],
  ],
  async (range) => {
    const { status, error, headers } = await getBlob({ range })
    expect([status, error.code, error.detail]).toEqual([416, 'RANGE_INVALID', { size: 10 }])
    expect(headers['content-range']).toBe('bytes */10')
  },
)

rows(
  'Range is none, and ignored',
  [
    ...[
      '',
      '=',
      'bytes',
      'bytes=',
      'bytes=,',
      'bytes=-',
      'bytes=--1',
      'bytes=1',
      'bytes=a-b',
      'bytes=1-b',
      'bytes=1--2',
    ],
    ...[
      'bytes=+1-2',
      'bytes=1-+2',
      'bytes=-1-2',
      'bytes=1.0-2',
      'bytes=0x1-2',
      'bytes=1e1-',
      'bytes=1 - 2',
      'bytes=1-2-3',
    ],
    ...['bytes:1-2', 'bytes 1-2', 'bytes 1-2/10', 'byte=1-2', 'items=1-2', 'none', 'bytes=1-2;3-4', 'bytes=1-2 3-4'],
    ...[
      'bytes=*',
      'bytes=1-*',
      'bytes=١-٢',
      'bytes=1-2,x',
      'bytes=x,1-2',
      'bytes==1-2',
      'x;bytes=1-2',
      'bytes=\u00a01-2',
    ],
    // Together more than the whole, or more than anybody needs.
    ...[
      'bytes=0-,0-',
      'bytes=0-8,0-8',
      `bytes=${'0-0,'.repeat(65)}`,
      `bytes=${'0-0,'.repeat(1000)}0-0`,
      `bytes=${','.repeat(10_000)}`,
    ],
    `bytes=0-,${'-1,'.repeat(1000)}`,
  ],
  async (range) => {
    const { status, text, headers } = await getBlob({ range })
    expect([status, text, headers['content-range']]).toEqual([200, BLOB, undefined])
  },
)

rows<readonly [string, Headers, number, string]>(
  'Range and what it is bound to',
  [
    ['If-Range with the entity tag', { range: 'bytes=1-2', 'if-range': `"${digestOf(Buffer.from(BLOB))}"` }, 206, '12'],
    ['If-Range without quotes', { range: 'bytes=1-2', 'if-range': digestOf(Buffer.from(BLOB)) }, 206, '12'],
    ['If-Range with another', { range: 'bytes=1-2', 'if-range': `"${DIGEST}"` }, 200, BLOB],
    ['If-Range with a weak one', { range: 'bytes=1-2', 'if-range': `W/"${digestOf(Buffer.from(BLOB))}"` }, 200, BLOB],
    ['If-Range with a date', { range: 'bytes=1-2', 'if-range': 'Wed, 21 Oct 2099 07:28:00 GMT' }, 200, BLOB],
    ['If-Range with nothing', { range: 'bytes=1-2', 'if-range': '' }, 200, BLOB],
    ['If-Range and an impossible range', { range: 'bytes=99-', 'if-range': `"${DIGEST}"` }, 200, BLOB],
    ['If-None-Match with one that is ours', { range: 'bytes=99-', 'if-none-match': '*' }, 304, ''],
    ['If-None-Match with quotes in quotes', { 'if-none-match': `""${digestOf(Buffer.from(BLOB))}""` }, 200, BLOB],
    ['If-None-Match of 10,000 tags', { 'if-none-match': '"x",'.repeat(10_000) }, 200, BLOB],
    ['If-None-Match with nothing', { 'if-none-match': '' }, 200, BLOB],
    ['If-Modified-Since of next year', { 'if-modified-since': 'Wed, 21 Oct 2099 07:28:00 GMT' }, 200, BLOB],
    ['two Range headers', { range: ['bytes=1-2', 'bytes=3-4'] }, 200, BLOB],
  ],
  async ([, headers, status, text]) => {
    const answer = await getBlob(headers)
    expect([answer.status, answer.text]).toEqual([status, text])
  },
)

rows(
  'If-Match that does not match',
  ['', ',', '""', 'x', `W/"${digestOf(Buffer.from(BLOB))}"`, `"${DIGEST}"`, '**', '"*"', `'${DIGEST}'`],
  async (match) => {
    const { status, error } = await getBlob({ 'if-match': match })
    expect([status, error.code]).toEqual([412, 'DENIED'])
  },
)

/** A chunk of three bytes at the start of an upload. */
async function patch(headers: Headers) {
  const refusalHeaders = {
    location: /^\/v2\/a\/blobs\/uploads\/[0-9a-f-]{36}$/,
    range: /^0-0$/,
    'upload-offset': /^0$/,
    'docker-upload-uuid': /^[0-9a-f-]{36}$/,
    'accept-encoding': /^identity$/,
  }
  const { ask } = world({ refusalHeaders })
  const { headers: started } = await ask('POST', '/v2/a/blobs/uploads/')
  const answer = await ask('PATCH', String(started.location), { body: 'abc', headers })
  const { status } = await ask('GET', String(started.location))
  expect(status).toBe(204)
  return answer
}

rows(
  'Content-Range is none',
  [
    ...[
      '',
      '-',
      '0',
      '0-',
      '-2',
      'x',
      'a-b',
      '0-b',
      '2-0',
      '1-0',
      '-0-2',
      '0--2',
      '+0-2',
      '0-+2',
      '0.0-2',
      '0x0-2',
      '0 - 2',
    ],
    ...['0-2/3', '0-2/*', 'bytes', 'bytes=0-2', 'bytes 0-2', 'bytes0-2/3', 'bytes 0-2/2', 'bytes 0-2/x', 'bytes 0-2/'],
    ...[
      'bytes */3',
      'bytes */*',
      'bytes 0-2/-1',
      'bytes 0-2/3/3',
      'items 0-2/3',
      '0-2,3-5',
      '0-2, 0-2',
      '*',
      '0-*',
      '٠-٢',
    ],
    ...['0-9007199254740991', '9007199254740992-9007199254740993', '0-9223372036854775808', `0-${'9'.repeat(1000)}`],
    ...['0-2\u00a0', '\u20030-2', '0–2', '0-2;', '"0-2"'],
  ],
  async (range) => {
    const { status, error } = await patch({ 'content-range': range })
    expect([status, error.code]).toEqual([400, 'RANGE_INVALID'])
  },
)

rows<readonly [string, Headers, number, string]>(
  'Content-Range',
  [
    ['with a gap before it', { 'content-range': '1-3' }, 416, 'RANGE_INVALID'],
    ['far behind', { 'content-range': '9007199254740000-9007199254740002' }, 416, 'RANGE_INVALID'],
    ['shorter than the length', { 'content-range': '0-1' }, 400, 'SIZE_INVALID'],
    ['longer than the length', { 'content-range': '0-3' }, 400, 'SIZE_INVALID'],
    ['twice', { 'content-range': ['0-2', '0-2'] }, 400, 'RANGE_INVALID'],
  ],
  async ([, headers, status, code]) => {
    const answer = await patch(headers)
    expect([answer.status, answer.error.code]).toEqual([status, code])
  },
)

rows(
  'Content-Range is odd and taken',
  ['0-2', ' 0-2', '0-2\t', '00-02', 'bytes 0-2/3', 'bytes 0-2/*', 'Bytes 0-2/3', 'bytes 0-2/99999', 'bytes 0-2/003'],
  async (range) => {
    const { status, headers } = await patch({ 'content-range': range })
    expect([status, headers.range, headers['upload-offset']]).toEqual([202, '0-2', '3'])
  },
)

rows(
  'Content-Encoding is refused, and nothing is decoded',
  ['gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'compress', 'identity, gzip', 'gzip, gzip', '', 'GZIP', 'aes128gcm', 'x'],
  async (encoding) => {
    const { status, error, headers } = await patch({ 'content-encoding': encoding })
    expect([status, error.code, headers['accept-encoding']]).toEqual([415, 'UNSUPPORTED', 'identity'])
  },
)

const ARTIFACT = { body: 'x' }

rows(
  'Content-Type of a manifest is no media type',
  [
    ...[
      '',
      ' ',
      ';',
      '/',
      'a',
      'a/',
      '/b',
      'a/b/c',
      '*/*',
      'a/*',
      'application/*',
      'a b/c',
      'a/b c',
      '"a/b"',
      'a/b,c/d',
    ],
    ...[
      'é/b',
      'a/é',
      'a/b\u0000',
      'a/b\u007f',
      'a/b\r\nx: y',
      '-a/b',
      'a/.b',
      '.a/b',
      'a=b/c',
      'a/b=c',
      'a(b)/c',
      'a/b?c',
    ],
    ...[
      `${'a'.repeat(128)}/b`,
      `a/${'b'.repeat(128)}`,
      'a'.repeat(100_000),
      'a\\b/c',
      'a/b%2b',
      '; charset=utf-8',
      ',a/b',
    ],
  ],
  async (type) => {
    const sending = { ...ARTIFACT, headers: { 'content-type': type } }
    expect(await outcome('PUT', '/v2/a/manifests/x', sending)).toEqual([400, 'MANIFEST_INVALID'])
  },
)

rows(
  'Content-Type of a manifest is one that browsers run',
  [
    ...['text/html', 'TEXT/HTML', 'text/html; charset=utf-8', 'image/svg+xml', 'application/xhtml+xml', 'text/xml'],
    ...['application/xml', 'text/javascript', 'application/javascript', 'application/x-javascript', 'text/ecmascript'],
    ...['text/xsl', 'application/rss+xml', 'multipart/x-mixed-replace', 'multipart/byteranges; boundary=x'],
  ],
  async (type) => {
    const sending = { ...ARTIFACT, headers: { 'content-type': type } }
    expect(await outcome('PUT', '/v2/a/manifests/x', sending)).toEqual([400, 'MANIFEST_INVALID'])
  },
)

rows(
  'Content-Type of a manifest is odd and kept',
  [
    ['a/b', 'a/b'],
    ['A/B', 'A/B'],
    ['a/b;', 'a/b'],
    ['a/b ; x=y', 'a/b'],
    [' a/b ', 'a/b'],
    ['a/b; charset=utf-8; x="é"', 'a/b'],
    ['a/b;/c', 'a/b'],
    ['0/1', '0/1'],
    ["text/plain;x='", 'text/plain'],
    ['a/b+c.d-e_f!g#h$i&j^k', 'a/b+c.d-e_f!g#h$i&j^k'],
    [`${'a'.repeat(127)}/${'b'.repeat(127)}`, `${'a'.repeat(127)}/${'b'.repeat(127)}`],
    [`a/b;${'x'.repeat(10_000)}`, 'a/b'],
  ],
  async ([type, kept]) => {
    const { ask } = world()
    expect((await ask('PUT', '/v2/a/manifests/x', { ...ARTIFACT, headers: { 'content-type': type } })).status).toBe(201)
    const { status, headers, text } = await ask('GET', '/v2/a/manifests/x')
    expect([status, headers['content-type'], text]).toEqual([200, kept, 'x'])
  },
)

rows(
  'Accept makes no difference',
  [
    ...['', '*/*', 'x', ',', ';', ';q=1', 'text/html', 'application/json', ociIndex, `${ociManifest};q=0`, '*/*;q=0'],
    ...['*/*;q=x', '*', 'application/*', `${'a/b,'.repeat(5000)}`, 'é', '"', 'a/b;q=1;q=2', 'identity', '\u0000'],
    ...[dockerManifest, `${dockerManifest}, ${ociIndex}`],
  ],
  async (accept) => {
    const { ask, registry } = world()
    const { content } = await pushImage(registry.repository('a'), ['x'], { tags: ['v1'] })
    const { status, headers, body } = await ask('GET', '/v2/a/manifests/v1', { headers: { accept } })
    expect([status, headers['content-type']]).toEqual([200, ociManifest])
    expect(body.equals(content)).toBe(true)
  },
)

rows<readonly [string, Headers]>(
  'nothing is believed, or comes back, that a client says of its host',
  [
    ['host: an address with a path', { host: 'evil.test/x' }],
    ['host: user information', { host: 'a@evil.test' }],
    ['host: a line end', { host: 'a\r\nset-cookie: x' }],
    ['host: nothing', { host: '' }],
    ['host: 10,000 characters', { host: 'a'.repeat(10_000) }],
    ['x-forwarded-host', { 'x-forwarded-host': 'evil.test', 'x-forwarded-proto': 'https' }],
    ['x-forwarded-proto that is a script', { 'x-forwarded-proto': 'javascript' }],
    ['forwarded', { forwarded: 'host=evil.test;proto=https;for=192.0.2.1' }],
    ['x-original-url', { 'x-original-url': '/v2/_catalog', 'x-rewrite-url': '/v2/_catalog' }],
    ['x-http-method-override', { 'x-http-method-override': 'DELETE' }],
    ['origin', { origin: 'https://evil.test' }],
    ['a request id with a line end', { 'x-request-id': 'a\r\nset-cookie: x' }],
    ['a request id of 129 characters', { 'x-request-id': 'a'.repeat(129) }],
    ['a request id that is a script', { 'x-request-id': '<script>' }],
    ['a request id with a quote', { 'x-request-id': '"' }],
    ['two request ids', { 'x-request-id': ['a', 'b'] }],
    ['no request id', { 'x-request-id': '' }],
    ['cookies', { cookie: 'a=b; __proto__=c' }],
    ['__proto__', JSON.parse('{"__proto__":"x"}')],
  ],
  async ([, headers]) => {
    const { status, headers: answered } = await world().ask('POST', '/v2/a/blobs/uploads/', { headers })
    const { location, range, 'upload-offset': offset, 'docker-upload-uuid': id, ...rest } = answered
    expect([status, location, range, offset]).toEqual([202, `/v2/a/blobs/uploads/${id}`, '0-0', '0'])
    expect(rest).toEqual({
      'docker-distribution-api-version': 'registry/2.0',
      'x-content-type-options': 'nosniff',
      'content-length': '0',
      'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  },
)
