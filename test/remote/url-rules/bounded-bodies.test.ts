// P06: what a registry sends without end is read up to a limit, and the connection is ended.
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/spec/digest.ts'
import { bytes } from '../../support/images.ts'
import { always, type Rig, rig } from '../rig.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** What sockets and streams take on their way, on both sides. */
const ON_THE_WAY = 8 * MIB

interface Flood {
  /** Bytes that the server got rid of. */
  readonly sent: number
  /** Resolves when the client has ended the connection. */
  readonly closed: Promise<void>
}

/** Answers everything with bytes that never end. */
function flood(rigged: Rig, code: number, headers: Record<string, string>, start = ''): Flood {
  const chunk = Buffer.alloc(64 * KIB, ' ')
  let sent = 0
  let closed = () => {}
  const state = {
    get sent() {
      return sent
    },
    closed: new Promise<void>((resolve) => {
      closed = resolve
    }),
  }
  const pour = (res: ServerResponse) => {
    while (!res.destroyed && res.write(chunk)) sent += chunk.byteLength
  }
  rigged.intercept = always('GET', /./, (_, res) => {
    res.on('drain', () => pour(res)).on('close', closed)
    res.writeHead(code, headers).write(start)
    pour(res)
  })
  return state
}

const ONCE = { retries: { attempts: 1 } }

describe('P06: an endless answer', () => {
  const DIGEST = digestOf(bytes('x'))
  const MANIFEST = { 'content-type': 'application/vnd.oci.image.manifest.v1+json', 'docker-content-digest': DIGEST }
  const JSON_TYPE = { 'content-type': 'application/json' }

  it.each<
    [
      what: string,
      code: number,
      headers: Record<string, string>,
      use: (rigged: Rig) => Promise<unknown>,
      error: string,
      max: number,
    ]
  >([
    [
      'as a manifest',
      200,
      MANIFEST,
      ({ remote }) => remote.repository('a').manifests.get(DIGEST),
      'SIZE_INVALID',
      4 * MIB,
    ],
    [
      'as a page of tags',
      200,
      JSON_TYPE,
      ({ remote }) => remote.repository('a').tags.list()[Symbol.asyncIterator]().next(),
      'SIZE_INVALID',
      4 * MIB,
    ],
    [
      'as a page of the catalog',
      200,
      JSON_TYPE,
      ({ remote }) => remote.repositories()[Symbol.asyncIterator]().next(),
      'SIZE_INVALID',
      4 * MIB,
    ],
    ['as an error', 403, JSON_TYPE, ({ remote }) => remote.ping(), 'DENIED', 64 * KIB],
    [
      'as the body of a redirect',
      307,
      { location: 'file:///x' },
      ({ remote }) => remote.repository('a').blobs.open(DIGEST),
      'DENIED',
      64 * KIB,
    ],
    [
      'as a challenge',
      401,
      { 'www-authenticate': 'Basic realm="r"' },
      ({ remote }) => remote.ping(),
      'UNAUTHORIZED',
      64 * KIB,
    ],
    ['as a ping', 200, JSON_TYPE, ({ remote }) => remote.ping(), '', 64 * KIB],
  ])('%s is ended', async (_what, code, headers, use, error, max) => {
    const rigged = await rig(ONCE)
    const state = flood(rigged, code, headers)
    const used = use(rigged)
    if (error === '') await used
    else await expect(used).rejects.toMatchObject({ code: error })
    await state.closed
    expect(state.sent).toBeLessThan(max + ON_THE_WAY)
  })

  it('as a token is ended', async () => {
    const rigged = await rig(ONCE)
    const state = flood(rigged, 200, JSON_TYPE, '{"token":"')
    const pour = rigged.intercept
    rigged.intercept = (req, res) => {
      if (req.url?.startsWith('/token')) return pour(req, res)
      res.writeHead(401, { 'www-authenticate': `Bearer realm="${rigged.url}/token"` }).end()
      return true
    }
    await expect(rigged.remote.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await state.closed
    expect(state.sent).toBeLessThan(64 * KIB + ON_THE_WAY)
  })

  it('in place of a blob is ended where the blob ends', async () => {
    const rigged = await rig(ONCE)
    const state = flood(rigged, 200, { 'content-length': '1000000000' })
    const { body } = await rigged.remote.repository('a').blobs.open(DIGEST, { range: { start: 0, end: 10 } })
    let size = 0
    for await (const chunk of body.stream()) size += (chunk as Buffer).byteLength
    expect(size).toBe(10)
    await state.closed
    expect(state.sent).toBeLessThan(MIB + ON_THE_WAY)
  })
})
