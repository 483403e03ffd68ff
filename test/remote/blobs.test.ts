import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import { seededBytes } from '../../src/testing/seeded.ts'
import { bytes, collect } from '../support/images.ts'
import { uncaughtErrors } from '../support/uncaught-errors.ts'
import { always, first, rig, status } from './rig.ts'

const HELLO = bytes('hello world')
const DIGEST = digestOf(HELLO)
const BLOB = /\/blobs\/sha256:/
const UPLOAD = /\/blobs\/uploads\/./

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield bytes(text)
}

async function textOf(reader: Promise<{ readonly body: { stream(): Readable } }>): Promise<string> {
  return Buffer.concat(await collect<Buffer>((await reader).body.stream())).toString()
}

/** What was asked for, ids of uploads left out. */
function plain(lines: readonly string[]): string[] {
  return lines.map((line) =>
    line.replace(/uploads\/[0-9a-f-]{36}/, 'uploads/ID').replace(/sha256(:|%3A)[0-9a-f]{64}/g, 'D'),
  )
}

describe('RemoteBlobs.put', () => {
  it.each([
    ['bytes', () => HELLO],
    ['a stream', () => pieces('hello ', 'world')],
  ])('sends %s in one request after the first, the digest known', async (_what, content) => {
    const { remote, registry, lines, seen } = await rig()
    const { blobs } = remote.repository('team/app')
    const put = await blobs.put(content(), { digest: DIGEST, size: HELLO.byteLength })
    expect(put).toEqual({ mediaType: 'application/octet-stream', digest: DIGEST, size: 11 })
    expect(plain(lines())).toEqual(['POST /v2/team/app/blobs/uploads/', 'PUT /v2/team/app/blobs/uploads/ID?digest=D'])
    expect(seen[1]?.headers).toMatchObject({ 'content-length': '11', 'content-type': 'application/octet-stream' })
    expect(await textOf(registry.repository('team/app').blobs.open(DIGEST))).toBe('hello world')
  })

  it('hashes a stream as it passes, the digest unknown', async () => {
    const { remote, lines, seen } = await rig()
    const { digest, size } = await remote.repository('team/app').blobs.put(pieces('hello ', 'world'))
    expect({ digest, size }).toEqual({ digest: DIGEST, size: 11 })
    expect(plain(lines())).toEqual([
      'POST /v2/team/app/blobs/uploads/',
      'PATCH /v2/team/app/blobs/uploads/ID',
      'PUT /v2/team/app/blobs/uploads/ID?digest=D',
    ])
    expect(seen[1]?.headers['transfer-encoding']).toBe('chunked')
  })

  it.each([
    ['bytes', () => HELLO, {}],
    ['a stream of known size', () => pieces('hello wor', 'ld'), { size: 11 }],
  ])('sends %s in chunks of at most maxChunkBytes', async (_what, content, options) => {
    const { remote, registry, seen } = await rig({ maxChunkBytes: 4 })
    await remote.repository('team/app').blobs.put(content(), { digest: DIGEST, ...options })
    const chunks = seen.map(({ method, headers }) => [method, headers['content-range'], headers['content-length']])
    expect(chunks).toEqual([
      ['POST', undefined, '0'],
      ['PATCH', '0-3', '4'],
      ['PATCH', '4-7', '4'],
      ['PATCH', '8-10', '3'],
      ['PUT', undefined, '0'],
    ])
    expect(await registry.repository('team/app').blobs.stat(DIGEST)).toMatchObject({ size: 11 })
  })

  it('sends a stream of unknown size in chunks as well', async () => {
    const { remote, registry, lines } = await rig({ maxChunkBytes: 4 })
    await remote.repository('team/app').blobs.put(pieces('hello wor', 'ld'))
    expect(lines().filter((line) => line.startsWith('PATCH'))).toHaveLength(3)
    expect(await textOf(registry.repository('team/app').blobs.open(DIGEST))).toBe('hello world')
  })

  it.each([
    ['fewer', 12],
    ['more', 10],
  ])('rejects SIZE_INVALID for %s bytes than announced, and cancels', async (_what, size) => {
    const { remote, registry, lines } = await rig()
    const put = remote.repository('team/app').blobs.put(pieces('hello ', 'world'), { digest: DIGEST, size })
    await expect(put).rejects.toMatchObject({ code: 'SIZE_INVALID' })
    expect(lines().at(-1)).toMatch(/^DELETE /)
    await expect(registry.repository('team/app').blobs.stat(DIGEST)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  })

  it('rejects with the error of the stream that it was given', async () => {
    const { remote } = await rig()
    const broken = new Error('the disk is gone')
    const content = Readable.from(
      (async function* () {
        yield bytes('hello ')
        throw broken
      })(),
    )
    await expect(remote.repository('team/app').blobs.put(content, { digest: DIGEST })).rejects.toBe(broken)
  })

  it('rejects with the error of a stream that fails before the upload has begun', async () => {
    const uncaught = uncaughtErrors()
    const rigged = await rig()
    const content = new Readable({ read: () => {} })
    rigged.intercept = first('POST', /./, (_req, res) => {
      content.once('close', () => res.writeHead(202, { location: '/v2/team/app/blobs/uploads/1' }).end())
      content.destroy(new Error('no such file'))
    })
    const put = rigged.remote.repository('team/app').blobs.put(content, { digest: DIGEST })
    await expect(put).rejects.toThrow('no such file')
    expect(uncaught).toEqual([])
  })

  it('waits no longer than a few seconds to cancel with a registry that has fallen silent', async () => {
    const deadline = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
      expect(ms).toBeLessThanOrEqual(10_000)
      return AbortSignal.abort(new Error('late'))
    })
    onTestFinished(() => deadline.mockRestore())
    const rigged = await rig()
    const abort = new AbortController()
    rigged.intercept = (req) => {
      if (req.method === 'PUT') abort.abort(new Error('enough'))
      return req.method === 'PUT' || req.method === 'DELETE'
    }
    const put = rigged.remote.repository('team/app').blobs.put(HELLO, { signal: abort.signal })
    await expect(put).rejects.toThrow('enough')
    expect(deadline).toHaveBeenCalledOnce()
  })

  it('takes a blob that is there for stored when the answer was lost', async () => {
    const rigged = await rig()
    const { blobs } = rigged.registry.repository('team/app')
    rigged.intercept = always('PUT', UPLOAD, async (req) => {
      await blobs.put(req)
      req.socket.destroy()
    })
    const put = await rigged.remote.repository('team/app').blobs.put(pieces('hello world'), { digest: DIGEST })
    expect(put).toMatchObject({ digest: DIGEST, size: 11 })
  })

  it('tells the size of a blob that is there, and not how much of it was sent', async () => {
    const rigged = await rig()
    await rigged.registry.repository('team/app').blobs.put(HELLO)
    rigged.intercept = always('PUT', UPLOAD, (req) => void req.once('data', () => req.socket.destroy()))
    const slow = async function* () {
      yield bytes('hello')
      await new Promise(() => {})
    }
    const put = rigged.remote.repository('team/app').blobs.put(slow(), { digest: DIGEST })
    expect(await put).toMatchObject({ digest: DIGEST, size: 11 })
  })

  it('leaves no upload at a registry that takes no chunks as small as maxChunkBytes', async () => {
    const rigged = await rig({ maxChunkBytes: 4 })
    rigged.intercept = (_req, res) => {
      res.setHeader('oci-chunk-min-length', '5')
      return false
    }
    const { blobs } = rigged.remote.repository('team/app')
    await expect(blobs.put(HELLO)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(blobs.mount(DIGEST, 'team/base')).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    expect(rigged.seen.map(({ method }) => method)).toEqual(['POST', 'DELETE', 'POST', 'DELETE'])
  })

  it('tells an answer that comes before the end of the bytes', async () => {
    const rigged = await rig()
    rigged.intercept = always('PUT', UPLOAD, status(413, { connection: 'close' }))
    const endless = async function* () {
      for (;;) yield seededBytes(65_536, 1)
    }
    const put = rigged.remote.repository('team/app').blobs.put(endless(), { digest: DIGEST })
    await expect(put).rejects.toMatchObject({ code: expect.stringMatching(/^(SIZE_INVALID|UNAVAILABLE)$/) })
  })
})

describe('RemoteUpload', () => {
  it('goes on from what the registry has when the answer to a chunk was lost', async () => {
    const rigged = await rig()
    const upload = await rigged.remote.repository('team/app').blobs.startUpload()
    rigged.intercept = first('PATCH', UPLOAD, async (_req, res) => {
      const { blobs } = rigged.registry.repository('team/app')
      const half = await blobs.resumeUpload(upload.id)
      await half.append(bytes('hello'))
      res.socket?.destroy()
    })
    expect(await upload.append(HELLO)).toBe(11)
    expect(rigged.seen.map(({ method, headers }) => [method, headers['content-range']])).toEqual([
      ['POST', undefined],
      ['PATCH', '0-10'],
      ['GET', undefined],
      ['PATCH', '5-10'],
    ])
    expect(await upload.commit(DIGEST)).toMatchObject({ digest: DIGEST, size: 11 })
  })

  it('knows after a broken stream how far it is', async () => {
    const rigged = await rig()
    const upload = await rigged.remote.repository('team/app').blobs.startUpload()
    rigged.intercept = first('PATCH', UPLOAD, async (req, res) => {
      const half = await rigged.registry.repository('team/app').blobs.resumeUpload(upload.id)
      await half.append(bytes('hello'))
      req.socket.destroy()
      res.destroy()
    })
    await expect(upload.append(pieces('hello world'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(upload.offset).toBe(5)
    await upload.append(pieces(' world'), { at: 5 })
    expect(await upload.commit(DIGEST)).toMatchObject({ size: 11 })
  })

  it.each([
    ['a location without a query', false],
    ['one with state', true],
  ])('is found by its id: %s', async (_what, withState) => {
    const rigged = await rig()
    if (withState) {
      rigged.intercept = (_req, res) => {
        const { writeHead } = res
        res.writeHead = ((code: number, headers: Record<string, string>) =>
          writeHead.call(res, code, {
            ...headers,
            ...(headers.location && { location: `${headers.location}?s=1` }),
          })) as typeof writeHead
        return false
      }
    }
    const { blobs } = rigged.remote.repository('team/app')
    const upload = await blobs.startUpload()
    await upload.append(bytes('hello'))
    const other = await blobs.resumeUpload(upload.id)
    expect(other.offset).toBe(5)
    await expect(rigged.remote.repository('team/other').blobs.resumeUpload(upload.id)).rejects.toMatchObject({
      code: 'BLOB_UPLOAD_UNKNOWN',
    })
  })
})

describe('RemoteBlobs.open', () => {
  it('goes on where a connection broke off', async () => {
    const rigged = await rig()
    const content = seededBytes(3_000_000, 7)
    const { digest } = await rigged.registry.repository('team/app').blobs.put(content)
    rigged.intercept = first('GET', BLOB, (_req, res) => {
      res.writeHead(200, { 'content-length': String(content.byteLength) })
      res.write(content.subarray(0, 1_000_000), () => res.destroy())
    })
    const { body } = await rigged.remote.repository('team/app').blobs.open(digest)
    const read = Buffer.concat(await collect<Buffer>(body.stream()))
    expect(read.equals(content)).toBe(true)
    const [, again] = rigged.seen
    expect(again?.headers.range).toMatch(/^bytes=\d+-2999999$/)
  })

  it('rejects UNAVAILABLE when no byte comes any more', async () => {
    const rigged = await rig({ retries: { attempts: 3, sleep: () => Promise.resolve() } })
    await rigged.registry.repository('team/app').blobs.put(HELLO)
    rigged.intercept = always('GET', BLOB, (req, res) => {
      const start = Number(/bytes=(\d+)/.exec(req.headers.range ?? '')?.[1] ?? 0)
      res.writeHead(start === 0 ? 200 : 206, {
        'content-length': String(11 - start),
        ...(start > 0 && { 'content-range': `bytes ${start}-10/11` }),
      })
      if (start === 0) res.write('hello', () => res.destroy())
      else {
        res.flushHeaders()
        setImmediate(() => res.destroy())
      }
    })
    await expect(textOf(rigged.remote.repository('team/app').blobs.open(DIGEST))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
    expect(rigged.lines()).toHaveLength(3)
  })

  it.each([
    ['other bytes', 'hello WORLD', 'DIGEST_INVALID'],
    ['more bytes than its range', 'hello world!', 'SIZE_INVALID'],
  ])('ends with an error on %s', async (_what, sent, code) => {
    const rigged = await rig()
    rigged.intercept = always('GET', BLOB, (_req, res) => {
      if (code === 'SIZE_INVALID') res.writeHead(206, { 'content-range': 'bytes 0-10/11' })
      else res.writeHead(200, { 'content-length': String(sent.length) })
      res.end(sent)
    })
    const { blobs } = rigged.remote.repository('team/app')
    await expect(textOf(blobs.open(DIGEST, { range: { start: 0 } }))).rejects.toMatchObject({ code })
    if (code === 'SIZE_INVALID') return
    await expect(textOf(blobs.open(DIGEST))).rejects.toMatchObject({ code })
    expect(await textOf(blobs.open(DIGEST, { verify: false }))).toBe(sent)
  })

  it.each(['hello WORLD', ''])('hands on no last byte of %j where something else was asked for', async (sent) => {
    const rigged = await rig()
    rigged.intercept = always('GET', BLOB, (_req, res) => {
      res.writeHead(200, { 'content-length': String(sent.length) }).write(sent.slice(0, 5))
      setImmediate(() => res.end(sent.slice(5)))
    })
    const { body } = await rigged.remote.repository('team/app').blobs.open(DIGEST)
    let bytesRead = 0
    const read = new Promise((resolve, reject) => {
      const stream = body.stream().once('end', resolve).once('error', reject)
      stream.on('data', (chunk: Buffer) => {
        bytesRead += chunk.byteLength
      })
    })
    await expect(read).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
    expect(bytesRead).toBeLessThan(Math.max(1, sent.length))
  })

  it.each([
    ['breaks', (_abort: AbortController, res: ServerResponse) => void res.destroy()],
    ['is aborted', (abort: AbortController) => abort.abort(new Error('enough'))],
  ])('fails its reader alone when an answer %s before that one is there', async (_what, end) => {
    const uncaught = uncaughtErrors()
    const rigged = await rig({ retries: { attempts: 1 } })
    const abort = new AbortController()
    let answer: ServerResponse | undefined
    rigged.intercept = always('GET', BLOB, (_req, res) => {
      answer = res
      res.writeHead(200, { 'content-length': '11' }).write('hello')
    })
    const { body } = await rigged.remote.repository('team/app').blobs.open(DIGEST, { signal: abort.signal })
    const stream = body.stream()
    const closed = new Promise((resolve) => stream.once('close', resolve)) // `once()` would hear the error
    if (answer) end(abort, answer)
    await closed
    await expect(collect(stream)).rejects.toThrow(/broke off|enough/)
    expect(uncaught).toEqual([])
  })

  it('cuts a range out of what a registry without ranges sends', async () => {
    const rigged = await rig()
    rigged.intercept = always('GET', BLOB, (_req, res) => res.writeHead(200, { 'content-length': '11' }).end(HELLO))
    const { blobs } = rigged.remote.repository('team/app')
    expect(await textOf(blobs.open(DIGEST, { range: { start: 2, end: 8 } }))).toBe('llo wo')
    await expect(blobs.open(DIGEST, { range: { start: 11 } })).rejects.toMatchObject({ code: 'RANGE_INVALID' })
  })

  it('ends when its signal does, with its reason', async () => {
    const rigged = await rig()
    rigged.intercept = always('GET', BLOB, (_req, res) => res.writeHead(200, { 'content-length': '11' }).write('hello'))
    const abort = new AbortController()
    const { body } = await rigged.remote.repository('team/app').blobs.open(DIGEST, { signal: abort.signal })
    const reading = collect(body.stream())
    abort.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
  })
})

describe('RemoteBlobs.mount', () => {
  it('is not done by a registry that cannot even drop the upload it began instead', async () => {
    const rigged = await rig()
    rigged.intercept = always('DELETE', UPLOAD, status(400))
    await expect(rigged.remote.repository('team/app').blobs.mount(DIGEST, 'team/base')).rejects.toMatchObject({
      code: 'BLOB_UNKNOWN',
    })
    expect(rigged.lines().filter((line) => line.startsWith('DELETE'))).toHaveLength(1)
  })

  it('asks with the source, and moves no byte', async () => {
    const { remote, registry, lines } = await rig()
    await registry.repository('team/base').blobs.put(HELLO)
    expect(await remote.repository('team/app').blobs.mount(DIGEST, 'team/base')).toMatchObject({ size: 11 })
    expect(plain(lines())).toEqual([
      'POST /v2/team/app/blobs/uploads/?mount=D&from=team%2Fbase',
      'HEAD /v2/team/app/blobs/D',
    ])
  })

  it('cancels the upload that a registry begins instead, and rejects BLOB_UNKNOWN', async () => {
    const { remote, lines } = await rig()
    await expect(remote.repository('team/app').blobs.mount(DIGEST, 'team/base')).rejects.toMatchObject({
      code: 'BLOB_UNKNOWN',
    })
    expect(plain(lines())).toEqual([
      'POST /v2/team/app/blobs/uploads/?mount=D&from=team%2Fbase',
      'DELETE /v2/team/app/blobs/uploads/ID',
    ])
  })
})
