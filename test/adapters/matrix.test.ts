import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { anyone } from '../../src/auth/access.ts'
import { streamBody } from '../../src/bytes.ts'
import { memory } from '../../src/drivers/memory.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from '../../src/http/message.ts'
import { type LogFields, type Logger, silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { collect } from '../support/images.ts'
import { withResolvers } from '../support/with-resolvers.ts'
import { call, open } from './client.ts'
import { MOUNTS, type Mount, ofHandler, ofRegistry } from './mounts.ts'

const UPLOADS = '/v2/team/app/blobs/uploads/'

function describeMatrix(name: string, cases: (mount: Mount) => void): void {
  describe.each(MOUNTS)(`$name: ${name}`, cases)
}

function openRegistry(): Registry {
  return new Registry({ storage: memory() })
}

const OPEN = { access: anyone(), logger: silentLogger }

describeMatrix('a registry', (mount) => {
  it('takes 5 MB and gives back the same bytes, whole, by range and without', async () => {
    await using registry = openRegistry()
    await using running = await mount.start(ofRegistry(registry, OPEN))
    const content = randomBytes(5_000_000)
    const digest = digestOf(content)

    const begun = await call(mount, running, { method: 'POST', path: UPLOADS, body: '' })
    expect(begun.status).toBe(202)
    const location = String(begun.headers.location)
    const sent = await call(mount, running, { method: 'PATCH', path: location, body: content })
    expect([sent.status, sent.headers.range]).toEqual([202, '0-4999999'])
    const done = await call(mount, running, { method: 'PUT', path: `${location}?digest=${digest}`, body: '' })
    expect([done.status, done.body.byteLength]).toEqual([201, 0])

    const path = `/v2/team/app/blobs/${digest}`
    const whole = await call(mount, running, { path })
    expect([whole.status, whole.headers['content-length'], whole.body.equals(content)]).toEqual([200, '5000000', true])
    const part = await call(mount, running, { path, headers: { range: 'bytes=1000-1999' } })
    expect([part.status, part.body.equals(content.subarray(1000, 2000))]).toEqual([206, true])
    const head = await call(mount, running, { method: 'HEAD', path })
    expect([head.status, head.headers['content-length'], head.body.byteLength]).toEqual([200, '5000000', 0])
  })

  it('answers with locations below the path that it is mounted at', async () => {
    await using registry = openRegistry()
    await using running = await mount.start(ofRegistry(registry, OPEN), { path: '/registry' })
    const begun = await call(mount, running, { method: 'POST', path: `/registry${UPLOADS}`, body: '' })
    expect(begun.status).toBe(202)
    expect(begun.headers.location).toMatch(/^\/registry\/v2\/team\/app\/blobs\/uploads\/[^/]+$/)
    const status = await call(mount, running, { path: String(begun.headers.location) })
    expect(status.status).toBe(204)
    const outside = await call(mount, running, { method: 'POST', path: UPLOADS, body: '' })
    expect([outside.status, outside.body.toString()]).toEqual([418, 'host'])
  })

  it('passes on what is not its own', async () => {
    await using registry = openRegistry()
    await using running = await mount.start(ofRegistry(registry, OPEN))
    for (const path of ['/', '/v1/', '/v20/', '/api/users?v2=1']) {
      const answer = await call(mount, running, { path })
      expect([path, answer.status, answer.body.toString()]).toEqual([path, 418, 'host'])
    }
  })

  it('says that a body parser took the body, and stores nothing', async () => {
    const logged: string[] = []
    const logger: Logger = { ...silentLogger, error: (_fields: LogFields, message) => void logged.push(message) }
    await using registry = openRegistry()
    await using running = await mount.start(ofRegistry(registry, { ...OPEN, logger }), { parser: true })
    const content = Buffer.from('{"schemaVersion":2}')
    const path = `${UPLOADS}?digest=${digestOf(content)}`
    const headers = { 'content-type': 'application/json' }
    const answer = await call(mount, running, { method: 'POST', path, headers, body: content })
    const { errors } = JSON.parse(answer.body.toString())
    expect([answer.status, errors[0].code]).toEqual([500, 'UNKNOWN'])
    expect(errors[0].message).toContain('mount the registry before body parsers')
    expect(logged.some((message) => message.includes('mount the registry before body parsers'))).toBe(true)
    expect(await collect(registry.repository('team/app').blobs.list())).toEqual([])
    const bodiless = await call(mount, running, { path: '/v2/' })
    expect(bodiless.status).toBe(200)
  })
})

/** Answers every request under `/v2/` with `respond`. */
function handlerOf(respond: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>): HttpHandler {
  return async (request) => (request.url.startsWith('/v2/') ? respond(request) : undefined)
}

describeMatrix('a response', (mount) => {
  const start = (respond: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>) =>
    mount.start(ofHandler(handlerOf(respond), { logger: silentLogger }))

  it('stays a 201 without a body', async () => {
    await using running = await start(() => ({ status: 201, headers: { location: '/v2/x' }, body: null }))
    const answer = await call(mount, running, { method: 'PUT', path: '/v2/x', body: 'content' })
    expect([answer.status, answer.headers.location, answer.body.byteLength]).toEqual([201, '/v2/x', 0])
  })

  it('repeats a header that has several values', async () => {
    const challenges = ['Basic realm="a"', 'Bearer realm="b"']
    await using running = await start(() => ({ status: 401, headers: { 'www-authenticate': challenges }, body: 'no' }))
    const answer = await call(mount, running, { path: '/v2/' })
    expect(answer.headers['www-authenticate']).toBe(challenges.join(', '))
    expect(answer.body.toString()).toBe('no')
  })

  it('is a 500 when the handler throws, and the next request is served', async () => {
    let fails = true
    await using running = await start(() => {
      if (!fails) return { status: 200, headers: {}, body: 'well' }
      fails = false
      throw new Error('a defect')
    })
    expect((await call(mount, running, { path: '/v2/' })).status).toBe(500)
    expect((await call(mount, running, { path: '/v2/' })).body.toString()).toBe('well')
  })

  it('breaks off when its body fails midway, and the next request is served', async () => {
    await using running = await start(({ method }) => {
      if (method === 'HEAD') return { status: 200, headers: {}, body: null }
      async function* failing() {
        yield Buffer.alloc(1000)
        throw new Error('the disk is gone')
      }
      const body = streamBody(Readable.from(failing()), 5000)
      return { status: 200, headers: { 'content-length': '5000' }, body }
    })
    await expect(call(mount, running, { path: '/v2/' })).rejects.toThrow()
    expect((await call(mount, running, { method: 'HEAD', path: '/v2/' })).status).toBe(200)
  })

  it('reaches a client that is still sending', async () => {
    await using running = await start(() => ({ status: 401, headers: {}, body: 'no entry' }))
    const chunk = Buffer.alloc(64 * 1024)
    const attempts = Array.from({ length: 20 }, async () => {
      const headers = { 'content-length': 50_000_000 }
      const { sink, answered } = open(mount, running, { method: 'PUT', path: '/v2/x', headers })
      sink.on('error', () => {})
      const fill = () => {
        while (!sink.destroyed && !sink.writableEnded) if (!sink.write(chunk)) return void sink.once('drain', fill)
      }
      fill()
      const { status, source } = await answered
      const body = Buffer.concat(await collect<Buffer>(source)).toString()
      sink.destroy()
      return `${status} ${body}`
    })
    expect(await Promise.all(attempts)).toEqual(Array(20).fill('401 no entry'))
  })
})

describeMatrix('a client that leaves', (mount) => {
  it('aborts the signal, and the body that it was sending fails', async () => {
    const started = withResolvers<void>()
    const failed = withResolvers<unknown>()
    const aborted = withResolvers<void>()
    const respond = async ({ body, signal }: HttpRequest): Promise<HttpResponse> => {
      signal.addEventListener('abort', () => aborted.resolve())
      try {
        for await (const _ of body) started.resolve()
        failed.resolve(undefined)
      } catch (error) {
        failed.resolve(error)
      }
      return { status: 201, headers: {}, body: null }
    }
    await using running = await mount.start(ofHandler(handlerOf(respond), { logger: silentLogger }))
    const { sink, answered, abandon } = open(mount, running, { method: 'PUT', path: '/v2/x' })
    answered.catch(() => {})
    sink.on('error', () => {})
    sink.write(Buffer.alloc(1000))
    await started.promise
    abandon()
    await aborted.promise
    expect(await failed.promise).toBeInstanceOf(Error)
  })

  it('aborts the signal, and what it was reading from is released', async () => {
    const aborted = withResolvers<void>()
    const closed = withResolvers<void>()
    const respond = ({ signal }: HttpRequest): HttpResponse => {
      signal.addEventListener('abort', () => aborted.resolve())
      const endless = new Readable({ read: () => void endless.push(Buffer.alloc(64 * 1024)) })
      endless.on('error', () => {}).once('close', () => closed.resolve())
      return { status: 200, headers: { 'content-length': '10000000000' }, body: streamBody(endless, 10_000_000_000) }
    }
    await using running = await mount.start(ofHandler(handlerOf(respond), { logger: silentLogger }))
    const { sink, answered, abandon } = open(mount, running, { path: '/v2/x' })
    sink.end()
    const { source } = await answered
    source.on('error', () => {})
    await new Promise((resolve) => source.once('data', resolve))
    abandon()
    await Promise.all([aborted.promise, closed.promise])
    expect(source.destroyed).toBe(true)
  })
})
