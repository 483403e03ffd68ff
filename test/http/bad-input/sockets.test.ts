import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect } from 'vitest'
import { createRegistryServer } from '../../../src/adapters/node.ts'
import { anyone } from '../../../src/auth/access.ts'
import { memory } from '../../../src/drivers/memory.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { FORMAT_MARKER } from '../../../src/storage/layout.ts'
import { close, listen } from '../../support/listening.ts'
import { corpus } from './corpus.ts'
import { DIGEST } from './outcome.ts'

const rows = corpus('sockets')

const storage = memory()
const server = createRegistryServer(new Registry({ storage, logger: silentLogger }), {
  access: anyone(),
  logger: silentLogger,
})
let port = 0

beforeAll(async () => {
  port = Number(new URL(await listen(server)).port)
})
afterAll(() => close(server))

interface Heard {
  /** Status codes in the order in which they came; none where the connection was closed without a word. */
  readonly statuses: readonly number[]
  readonly text: string
  /** Whether the server closed, without being asked to. */
  readonly closed: boolean
}

/**
 * How a socket goes on behind its bytes: with another request, after which the server closes: what it says until then is all that it
 * made of them, and where it lost count, it closes before. `later` waits for an answer first, `wait` for the server to close.
 */
type Ending = 'ask' | 'later' | 'wait' | 'end' | 'reset'

const LAST = 'OPTIONS /v2/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'

async function say(bytes: string | Buffer, ending: Ending = 'ask'): Promise<Heard> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {})
  // Not once(), which a reset makes fail.
  const closed = new Promise((resolve) => socket.on('close', resolve))
  await once(socket, 'connect')
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  if (ending === 'later') await once(socket, 'data')
  if (ending === 'ask' || ending === 'later') socket.write(LAST)
  if (ending === 'end') socket.end()
  if (ending === 'reset') socket.resetAndDestroy()
  await closed
  const text = Buffer.concat(chunks).toString('latin1')
  const statuses = Array.from(text.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => Number(status))
  const asked = statuses.at(-1) === 204
  return { statuses: asked ? statuses.slice(0, -1) : statuses, text, closed: !asked }
}

async function isAlive(): Promise<void> {
  const { statuses } = await say('GET /v2/ HTTP/1.1\r\nhost: x\r\n\r\n')
  expect(statuses).toEqual([200])
}

async function keys(): Promise<readonly string[]> {
  const all = []
  for await (const { key } of storage.list('')) if (key !== FORMAT_MARKER) all.push(key)
  return all
}

const get = (line: string, ...headers: string[]) => [line, ...headers, '', ''].join('\r\n')
const GET = 'GET /v2/ HTTP/1.1'
const HOST = 'host: x'
const UPLOAD = `POST /v2/a/blobs/uploads/?digest=${digestOf(Buffer.from('abc'))} HTTP/1.1`
const post = (...rest: string[]) => [UPLOAD, HOST, ...rest].join('\r\n')

/** Node's own parser, before 20.20, let some more through: these come to the registry then, which answers them as others. */
const IS_LENIENT = Number(process.versions.llhttp?.split('.')[0]) < 9

type Outcome = readonly [statuses: readonly number[], closed: boolean]

/** What Node's parser says no to never gets to the registry: 400, and the end of the connection. */
const malformed: readonly (readonly [string, string | Buffer, lenient?: Outcome])[] = [
  ['no method', get(' /v2/ HTTP/1.1', HOST)],
  ['no target', get('GET  HTTP/1.1', HOST)],
  ['a method in lower case', get('get /v2/ HTTP/1.1', HOST)],
  ['a method that nobody knows', get('FROBNICATE /v2/ HTTP/1.1', HOST)],
  ['a method of 10,000 letters', get(`${'G'.repeat(10_000)} /v2/ HTTP/1.1`, HOST)],
  ['a method with a NUL', get('GE\0T /v2/ HTTP/1.1', HOST)],
  ['a tab in place of a space', get('GET\t/v2/ HTTP/1.1', HOST)],
  ['a space in the target', get('GET /v2/ a HTTP/1.1', HOST)],
  ['a tab in the target', get('GET /v2/\ta HTTP/1.1', HOST), [[404], false]],
  ['a NUL in the target', get('GET /v2/\0 HTTP/1.1', HOST)],
  ['a carriage return in the target', get('GET /v2/\r HTTP/1.1', HOST)],
  ['a target that is no path', get('GET v2/ HTTP/1.1', HOST)],
  ['a target with a backslash in front', get('GET \\v2\\ HTTP/1.1', HOST)],
  ['a version in lower case', get('GET /v2/ http/1.1', HOST)],
  ['a version without its name', get('GET /v2/ 1.1', HOST)],
  ['another protocol', get('GET /v2/ RTSP/1.0', HOST), [[200], true]],
  ['version 1.2', get('GET /v2/ HTTP/1.2', HOST)],
  ['version 2.0', get('GET /v2/ HTTP/2.0', HOST), [[200], true]],
  ['version 11', get('GET /v2/ HTTP/11', HOST)],
  ['version 1.1.1', get('GET /v2/ HTTP/1.1.1', HOST)],
  ['the preface of version 2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['version 0.9', 'GET /v2/\r\n'],
  ['a greeting of TLS', Buffer.from([0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x00])],
  ['SSH', 'SSH-2.0-OpenSSH_9.6\r\n'],
  ['SMTP', 'EHLO x\r\n'],
  ['a NUL', '\0'],
  ['64 KiB of NULs', Buffer.alloc(65_536)],
  ['bytes that are no text', Buffer.from([0xff, 0xfe, 0xfd, 0x0d, 0x0a, 0x0d, 0x0a])],
  ['a header without a colon', get(GET, HOST, 'x')],
  ['a header without a name', get(GET, HOST, ': x'), [[200], false]],
  ['a space in a header’s name', get(GET, HOST, 'a b: x'), [[200], false]],
  ['a space before the colon', get(GET, HOST, 'content-length : 0')],
  ['a NUL in a header’s name', get(GET, HOST, 'a\0b: x')],
  ['a NUL in a header', get(GET, HOST, 'a: x\0y')],
  ['a carriage return alone in a header', get(GET, HOST, 'a: x\ry: z')],
  ['a letter beyond ASCII in a header’s name', get(GET, HOST, 'é: x')],
  ['a delete in a header', get(GET, HOST, 'a: \x7f')],
  ['a header before the first', get(GET, ' x: y', HOST)],
  ['a folded header', get(GET, HOST, 'a: x\r\n y')],
  ['a target beyond ASCII', get('GET /v2/\xe9/tags/list HTTP/1.1', HOST), [[400], false]],
  ['line feeds alone', `${GET}\nhost: x\n\n`],
  ['a line feed alone after the headers', `${GET}\r\nhost: x\r\n\n`, [[200], false]],
]

rows('a socket that says what is no request is answered with 400 and closed', malformed, async ([, bytes, lenient]) => {
  const { statuses, closed } = await say(bytes)
  expect([statuses, closed]).toEqual(IS_LENIENT && lenient !== undefined ? lenient : [[400], true])
  await isAlive()
})

/** What proxies may read in one way and we in another. */
const smuggled: readonly (readonly [string, string])[] = [
  ['a length and chunks', `${post('content-length: 3', 'transfer-encoding: chunked')}\r\n\r\n0\r\n\r\n`],
  ['chunks and a length', `${post('transfer-encoding: chunked', 'content-length: 3')}\r\n\r\n0\r\n\r\n`],
  ['two lengths', `${post('content-length: 3', 'content-length: 0')}\r\n\r\nabc`],
  ['the same length twice', `${post('content-length: 3', 'content-length: 3')}\r\n\r\nabc`],
  ['two lengths in one', `${post('content-length: 3, 0')}\r\n\r\nabc`],
  ['a length with a plus sign', `${post('content-length: +3')}\r\n\r\nabc`],
  ['a length below zero', `${post('content-length: -3')}\r\n\r\nabc`],
  ['a hexadecimal length', `${post('content-length: 0x3')}\r\n\r\nabc`],
  ['a length that is empty', `${post('content-length:')}\r\n\r\nabc`],
  ['a length with a comma', `${post('content-length: 3,')}\r\n\r\nabc`],
  ['a length beyond 64 bits', `${post('content-length: 99999999999999999999')}\r\n\r\nabc`],
  ['a length in letters', `${post('content-length: three')}\r\n\r\nabc`],
  ['a length with a space in it', `${post('content-length: 3 0')}\r\n\r\nabc`],
  ['a folded length', `${post('content-length:\r\n 3')}\r\n\r\nabc`],
  ['a folded coding', `${post('transfer-encoding:\r\n chunked')}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`],
  ['an unknown coding', `${post('transfer-encoding: x')}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`],
  ['chunks that are not last', `${post('transfer-encoding: chunked, gzip')}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`],
  ['identity beside a length', `${post('transfer-encoding: identity', 'content-length: 3')}\r\n\r\nabc`],
  ['chunked with a character before it', `${post('transfer-encoding: \x0bchunked')}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`],
  ['chunked in quotes', `${post('transfer-encoding: "chunked"')}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`],
  ['chunked twice', `${post('transfer-encoding: chunked', 'transfer-encoding: chunked')}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`],
  ['a coding that ends in chunked', `${post('transfer-encoding: xchunked')}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`],
  ['a space before a colon', `${post('transfer-encoding : chunked', 'content-length: 3')}\r\n\r\nabc`],
]

rows(
  'N12: a socket that says two things of its length is answered with 400 and closed',
  smuggled,
  async ([, bytes]) => {
    const { statuses, closed } = await say(bytes)
    expect([statuses, closed]).toEqual([[400], true])
    expect(await keys()).toEqual([])
    await isAlive()
  },
)

const chunked = (chunks: string) => `${post('transfer-encoding: chunked')}\r\n\r\n${chunks}`

/** The headers were in order and have been handed on: what is wrong comes to light in the body. */
const badChunks: readonly (readonly [string, string])[] = [
  ['a size that is none', chunked('x\r\nabc\r\n0\r\n\r\n')],
  ['no size', chunked('\r\nabc\r\n0\r\n\r\n')],
  ['a size below zero', chunked('-3\r\nabc\r\n0\r\n\r\n')],
  ['a size with a prefix', chunked('0x3\r\nabc\r\n0\r\n\r\n')],
  ['a size with a plus sign', chunked('+3\r\nabc\r\n0\r\n\r\n')],
  ['a size with a space in front', chunked(' 3\r\nabc\r\n0\r\n\r\n')],
  ['a size with a space behind', chunked('3 \r\nabc\r\n0\r\n\r\n')],
  ['a size beyond 64 bits', chunked(`${'f'.repeat(17)}\r\nabc\r\n0\r\n\r\n`)],
  ['a size with a line feed alone', chunked('3\nabc\r\n0\r\n\r\n')],
  ['more than its size', chunked('2\r\nabc\r\n0\r\n\r\n')],
  ['less than its size', chunked('4\r\nabc\r\n0\r\n\r\n')],
  ['no line end after it', chunked('3\r\nabc0\r\n\r\n')],
  ['a line feed alone after it', chunked('3\r\nabc\n0\r\n\r\n')],
  ['a NUL in an extension', chunked('3;a=\0\r\nabc\r\n0\r\n\r\n')],
  ['a carriage return in an extension', chunked('3;a=\rb\r\nabc\r\n0\r\n\r\n')],
  ['a line feed in an extension', chunked('3;a\nb\r\nabc\r\n0\r\n\r\n')],
  ['a trailer without a colon', chunked('3\r\nabc\r\n0\r\nx\r\n\r\n')],
]

rows('a socket that sends a broken chunk is closed, and nothing is stored', badChunks, async ([, bytes]) => {
  const { statuses, closed } = await say(bytes)
  expect([statuses, closed]).toEqual([[400], true])
  expect(await keys()).toEqual([])
  await isAlive()
})

const floods: readonly (readonly [string, string, number?])[] = [
  ['64 KiB of a chunk’s extensions', chunked(`3;${'a'.repeat(65_536)}\r\nabc\r\n0\r\n\r\n`), 413],
  ['a header of 64 KiB', get(GET, HOST, `a: ${'x'.repeat(65_536)}`)],
  ['a header’s name of 64 KiB', get(GET, HOST, `${'x'.repeat(65_536)}: a`)],
  ['a target of 64 KiB', get(`GET /v2/${'x'.repeat(65_536)} HTTP/1.1`, HOST)],
  ['a query of 64 KiB', get(`GET /v2/?${'x'.repeat(65_536)} HTTP/1.1`, HOST)],
  ['10,000 headers', get(GET, HOST, ...Array.from({ length: 10_000 }, (_, i) => `h${i}: x`))],
  ['10,000 cookies', get(GET, HOST, ...Array(10_000).fill('cookie: a=b'))],
  ['1 MiB of one header', get(GET, HOST, `authorization: Basic ${'a'.repeat(2 ** 20)}`)],
]

rows('a socket that floods us is answered with 431 and closed', floods, async ([, bytes, status = 431]) => {
  const { statuses, closed } = await say(bytes)
  // A reset may overtake the answer, where the rest of the flood arrives at a socket that is closed.
  expect([[status], []]).toContainEqual(statuses)
  expect(closed).toBe(true)
  expect(await keys()).toEqual([])
  await isAlive()
})

/** Requests in order, with what they are answered. */
const odd: readonly (readonly [string, string, readonly number[]])[] = [
  ['empty lines in front', `\r\n\r\n${get(GET, HOST)}`, [200]],
  ['a header beyond ASCII', get(GET, HOST, 'a: \xe9'), [200]],
  ['a tab in a header', get(GET, HOST, 'a:\tx\ty\t'), [200]],
  ['an empty header', get(GET, HOST, 'a:'), [200]],
  ['500 headers', get(GET, HOST, ...Array.from({ length: 500 }, (_, i) => `h${i}: x`)), [200]],
  ['a header __proto__', get(GET, HOST, '__proto__: x', 'constructor: y'), [200]],
  ['an absolute target of ours', get('GET http://x/v2/ HTTP/1.1', HOST), [200]],
  ['an absolute target of another', get('GET http://evil.test/v2/_catalog HTTP/1.1', HOST), [200]],
  ['an absolute target of another scheme', get('GET ftp://x/v2/ HTTP/1.1', HOST), [404]],
  ['an asterisk', get('OPTIONS * HTTP/1.1', HOST), [404]],
  ['two slashes', get('GET //v2/ HTTP/1.1', HOST), [404]],
  ['a fragment', get('GET /v2/#x HTTP/1.1', HOST), [404]],
  ['a body that a GET may not need', `${get(GET, HOST, 'content-length: 3')}abc`, [200]],
  ['a body in chunks for a GET', `${get(GET, HOST, 'transfer-encoding: chunked')}3\r\nabc\r\n0\r\n\r\n`, [200]],
  [
    'a request in the body of another',
    `${get(GET, HOST, 'content-length: 43')}GET /v2/_catalog HTTP/1.1\r\nhost: evil.test\r\n`,
    [200],
  ],
  ['three requests at once', get(GET, HOST).repeat(3), [200, 200, 200]],
  [
    'a good one and two that are refused',
    get(GET, HOST) + get('GET /v2/A/tags/list HTTP/1.1', HOST).repeat(2),
    [200, 400, 400],
  ],
  ['a hundred requests at once', get(GET, HOST).repeat(100), Array(100).fill(200)],
  ['HEAD, which has no body', get(`HEAD /v2/a/blobs/${DIGEST} HTTP/1.1`, HOST) + get(GET, HOST), [404, 200]],
  ['TRACE', get('TRACE /v2/ HTTP/1.1', HOST, 'authorization: secret'), [405]],
  ['an expectation that nobody has', get(GET, HOST, 'expect: x'), [417]],
  ['two hosts', get(GET, HOST, 'host: evil.test'), [200]],
]

rows('a socket that says what is odd is answered', odd, async ([, bytes, expected]) => {
  const { statuses, closed, text } = await say(bytes)
  expect([statuses, closed]).toEqual([expected, false])
  expect(text).not.toContain('evil.test')
  expect(text).not.toContain('secret')
  await isAlive()
})

const ended: readonly (readonly [string, string, number, Ending])[] = [
  ['no host', get(GET), 400, 'ask'],
  ['version 1.0', get('GET /v2/ HTTP/1.0'), 200, 'wait'],
  ['version 1.0, and a host', get('GET /v2/ HTTP/1.0', HOST), 200, 'wait'],
  ['a wish to close', get(GET, HOST, 'connection: close'), 200, 'wait'],
]

rows('a socket is answered, and closed', ended, async ([, bytes, status, ending]) => {
  const { statuses, closed } = await say(bytes, ending)
  expect([statuses, closed]).toEqual([[status], true])
  await isAlive()
})

rows(
  'a socket that asks for a tunnel is closed',
  [
    ['to elsewhere', get('CONNECT evil.test:443 HTTP/1.1', HOST)],
    ['to ourselves', get('CONNECT /v2/ HTTP/1.1', HOST)],
    ['to a port', get('CONNECT :22 HTTP/1.1', HOST)],
  ],
  async ([, bytes]) => {
    const { statuses, closed } = await say(bytes)
    expect([statuses, closed]).toEqual([[], true])
    await isAlive()
  },
)

rows(
  'a socket that asks for another protocol gets none',
  [
    ['version 2', get(GET, HOST, 'connection: upgrade, http2-settings', 'upgrade: h2c', 'http2-settings: AAMAAABk')],
    ['web sockets', get(GET, HOST, 'connection: upgrade', 'upgrade: websocket', 'sec-websocket-key: x')],
    ['TLS', get(GET, HOST, 'connection: upgrade', 'upgrade: TLS/1.3')],
  ],
  async ([, bytes]) => {
    const { statuses, closed } = await say(bytes, 'later')
    expect([statuses, closed]).toEqual([[200], false])
    await isAlive()
  },
)

const cutOff: readonly (readonly [string, string])[] = [
  ['before anything', ''],
  ['in the method', 'GE'],
  ['in the target', 'GET /v2'],
  ['in the version', 'GET /v2/ HTTP'],
  ['in a header’s name', `${GET}\r\nho`],
  ['before the headers’ end', `${GET}\r\nhost: x\r\n`],
  ['before the body', `${post('content-length: 3')}\r\n\r\n`],
  ['in the body', `${post('content-length: 3')}\r\n\r\na`],
  ['in a chunk’s size', chunked('1')],
  ['in a chunk', chunked('3\r\na')],
  ['before the last chunk', chunked('3\r\nabc\r\n')],
  ['in the trailer', chunked('3\r\nabc\r\n0\r\n')],
  ['in a body that is awaited', `${post('content-length: 3', 'expect: 100-continue')}\r\n\r\n`],
]

rows('a socket that is cut off leaves nothing behind', cutOff, async ([, bytes]) => {
  for (const ending of ['end', 'reset'] as const) {
    const { statuses } = await say(bytes, ending)
    expect(statuses.filter((status) => status !== 400 && status !== 100)).toEqual([])
    await isAlive()
    expect(await keys()).toEqual([])
  }
})
