import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Access, anyone } from '../../src/auth/access.ts'
import { type Backend, decorate, type OperationContext } from '../../src/backend.ts'
import { RegistryError, type RegistryErrorOptions } from '../../src/errors.ts'
import { createHandler, type HandlerOptions } from '../../src/http/handler.ts'
import type { HttpRequest, HttpResponse } from '../../src/http/message.ts'
import type { LogFields, Logger } from '../../src/logger.ts'
import { silentLogger } from '../../src/logger.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { pushImage } from '../support/images.ts'
import { client, newRegistry, read, requestOf } from './support.ts'

const DIGEST = digestOf(Buffer.from('x'))
const UUID = '7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11'

/** A backend that is never to be reached, or fails in one way. */
function failing(error: unknown): Backend {
  return {
    repository: () => {
      throw error
    },
    repositories: () => {
      throw error
    },
  }
}

interface Line {
  readonly level: string
  readonly fields: LogFields
  readonly message: string
}

function recordingLogger(): Logger & { readonly lines: readonly Line[] } {
  const lines: Line[] = []
  const log = (level: string) => (fields: LogFields, message: string) => void lines.push({ level, fields, message })
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error'), lines }
}

async function answerOf(backend: Backend, request: HttpRequest, options: Partial<HandlerOptions> = {}) {
  const response = await createHandler(backend, { access: anyone(), logger: silentLogger, ...options })(request)
  if (response === undefined) throw new Error('not for a registry')
  return read(response)
}

/** Every route, and the access it takes, in the words of Docker's token scopes. */
const ACCESS: readonly (readonly [string, string, string])[] = [
  ['GET', '/v2/', ''],
  ['HEAD', '/v2', ''],
  ['GET', '/v2/_catalog', 'registry:catalog:*'],
  ['GET', `/v2/a/b/blobs/${DIGEST}`, 'repository:a/b:pull'],
  ['HEAD', `/v2/a/b/blobs/${DIGEST}`, 'repository:a/b:pull'],
  ['DELETE', `/v2/a/b/blobs/${DIGEST}`, 'repository:a/b:delete'],
  ['POST', '/v2/a/b/blobs/uploads/', 'repository:a/b:pull repository:a/b:push'],
  ['POST', `/v2/a/b/blobs/uploads/?digest=${DIGEST}`, 'repository:a/b:pull repository:a/b:push'],
  ['POST', `/v2/a/b/blobs/uploads/?mount=${DIGEST}&from=c`, 'repository:a/b:pull repository:a/b:push'],
  ['GET', `/v2/a/b/blobs/uploads/${UUID}`, 'repository:a/b:pull repository:a/b:push'],
  ['PATCH', `/v2/a/b/blobs/uploads/${UUID}`, 'repository:a/b:pull repository:a/b:push'],
  ['PUT', `/v2/a/b/blobs/uploads/${UUID}?digest=${DIGEST}`, 'repository:a/b:pull repository:a/b:push'],
  ['DELETE', `/v2/a/b/blobs/uploads/${UUID}`, 'repository:a/b:pull repository:a/b:push'],
  ['GET', '/v2/a/b/manifests/x', 'repository:a/b:pull'],
  ['HEAD', '/v2/a/b/manifests/x', 'repository:a/b:pull'],
  ['PUT', '/v2/a/b/manifests/x', 'repository:a/b:pull repository:a/b:push'],
  ['PUT', `/v2/a/b/manifests/${DIGEST}?tag=x&tag=y`, 'repository:a/b:pull repository:a/b:push'],
  ['DELETE', '/v2/a/b/manifests/x', 'repository:a/b:delete'],
  ['DELETE', '/v2/a/b/_wharfage/repository', 'repository:a/b:delete'],
  ['GET', '/v2/a/b/tags/list', 'repository:a/b:pull'],
  ['GET', `/v2/a/b/referrers/${DIGEST}`, 'repository:a/b:pull'],
]

describe('createHandler', () => {
  it('passes on what is not for a registry, without asking anybody', async () => {
    const access = {
      authorize: () => {
        throw new Error('asked')
      },
    }
    const handler = createHandler(failing(new Error('reached')), { access })
    expect(await handler(requestOf('GET', '/healthz'))).toBeUndefined()
    expect(await handler(requestOf('DELETE', '/v2beta/x'))).toBeUndefined()
  })

  it.each(['GET', 'HEAD'])('answers the ping of %s', async (method) => {
    const { status, headers, text } = await client().send(method, '/v2/', { headers: { 'x-request-id': 'r1' } })
    expect([status, text]).toEqual([200, method === 'GET' ? '{}' : ''])
    expect(headers).toEqual({
      'docker-distribution-api-version': 'registry/2.0',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'r1',
      'content-type': 'application/json',
      'content-length': '2',
    })
  })

  it.each([undefined, {}, { access: undefined }, { access: {} }])('wants an access controller: %j', (options) => {
    expect(() => createHandler(newRegistry(), { ...options } as HandlerOptions)).toThrow(/"access" is required/)
  })

  it.each([
    { maxPageSize: 0 },
    { maxPageSize: 1.5 },
    { maxManifestBytes: Number.NaN },
    { maxManifestBytes: -1 },
    { publicUrl: 'ftp://x' },
    { publicUrl: 'registry.test' },
    { publicUrl: 'https://u:p@x/' },
    { publicUrl: 'https://x/?q=1' },
    { trustedProxies: ['localhost'] },
    { trustedProxies: ['10.0.0.0/x'] },
    { trustedProxies: ['10.0.0.0/'] },
    { trustedProxies: ['10.0.0.0/8/8'] },
    { trustedProxies: ['10.0.0.0/33'] },
  ])('refuses options that make no sense: %j', (options) => {
    expect(() => createHandler(newRegistry(), { access: anyone(), ...options })).toThrow()
  })
})

describe('access control', () => {
  it.each(ACCESS)('asks once, before the backend, for what %s %s needs: %s', async (method, url, scope) => {
    const log: unknown[] = []
    const access = {
      authorize: async (_: HttpRequest, required: readonly Access[]) => {
        log.push(required.map(({ type, name, action }) => `${type}:${name}:${action}`).join(' '))
        return { subject: undefined, allows: () => true }
      },
    }
    const backend = new Proxy(newRegistry(), {
      get: (target, property: keyof Backend) => {
        if (property !== 'repository' && property !== 'repositories') return Reflect.get(target, property)
        return (argument: never) => {
          log.push('backend')
          return target[property](argument)
        }
      },
    })
    await answerOf(backend, requestOf(method, url), { access })
    expect(log[0]).toBe(scope)
    expect(log.slice(1).every((entry) => entry === 'backend')).toBe(true)
  })

  it.each(ACCESS)('keeps %s %s from the backend and the body unread when it is refused', async (method, url) => {
    const refusal: RegistryErrorOptions = {
      headers: { 'www-authenticate': 'Bearer realm="https://auth.test/token",service="registry.test"' },
    }
    const access = { authorize: () => Promise.reject(new RegistryError('UNAUTHORIZED', refusal)) }
    let read = false
    const body = (async function* () {
      read = true
      yield Buffer.alloc(10)
    })()
    const answer = await answerOf(failing(new Error('reached')), requestOf(method, url, { body }), { access })
    expect([answer.status, answer.headers['www-authenticate'], read]).toEqual([
      401,
      'Bearer realm="https://auth.test/token",service="registry.test"',
      false,
    ])
    expect(answer.headers['docker-distribution-api-version']).toBe('registry/2.0')
    if (method !== 'HEAD') expect(answer.error.code).toBe('UNAUTHORIZED')
  })

  it('refuses in the same words what is there and what is not', async () => {
    const registry = newRegistry()
    const { digest } = await pushImage(registry.repository('a'), ['x'], { tags: ['v1'] })
    const access = { authorize: () => Promise.reject(new RegistryError('DENIED')) }
    const ask = async (url: string) => {
      const headers = { 'x-request-id': 'same' }
      const {
        status,
        headers: answered,
        text,
      } = await answerOf(registry, requestOf('GET', url, { headers }), { access })
      return { status, answered, text }
    }
    const there = await ask('/v2/a/manifests/v1')
    expect(there.status).toBe(403)
    expect(await ask('/v2/a/manifests/v2')).toEqual(there)
    expect(await ask(`/v2/b/manifests/${digest}`)).toEqual(there)
    expect(await ask('/v2/c/tags/list')).toEqual(there)
  })

  it.each([
    ['throws', () => Promise.reject(new Error('database password is hunter2'))],
    [
      'throws at once',
      () => {
        throw new TypeError('x')
      },
    ],
    ['answers nothing', async () => undefined],
    ['answers true', async () => true],
  ])('denies when a controller %s', async (_, authorize) => {
    const logger = recordingLogger()
    const access = { authorize } as unknown as HandlerOptions['access']
    const answer = await answerOf(failing(new Error('reached')), requestOf('GET', '/v2/a/tags/list'), {
      access,
      logger,
    })
    expect([answer.status, answer.text]).toEqual([500, '{"errors":[{"code":"UNKNOWN","message":"unknown error"}]}\n'])
    expect(logger.lines.map(({ level, message }) => [level, message])).toEqual([['error', 'unexpected error']])
  })

  it('asks again for each request of an upload', async () => {
    let mayPush = true
    const access = {
      authorize: async (_: HttpRequest, required: readonly Access[]) => {
        if (!mayPush && required.some(({ action }) => action === 'push')) throw new RegistryError('DENIED')
        return { subject: 'alice', allows: () => true }
      },
    }
    const { send } = client({ access })
    const { headers } = await send('POST', '/v2/a/blobs/uploads/')
    await send('PATCH', String(headers.location), { body: 'x' })
    mayPush = false
    expect((await send('PUT', `${headers.location}?digest=${DIGEST}`)).status).toBe(403)
  })
})

describe('a backend per request', () => {
  it('is chosen by the request, also later', async () => {
    const tenants = { one: newRegistry(), two: newRegistry() }
    await pushImage(tenants.one.repository('a'), ['x'], { tags: ['v1'] })
    const handler = createHandler(async ({ headers }) => (headers.host === 'one.test' ? tenants.one : tenants.two), {
      access: anyone(),
    })
    const ask = async (host: string) =>
      (await handler(requestOf('GET', '/v2/a/tags/list', { headers: { host } })))?.status
    expect([await ask('one.test'), await ask('two.test')]).toEqual([200, 404])
  })

  it('may refuse', async () => {
    const handler = createHandler(
      () => {
        throw new RegistryError('NAME_UNKNOWN', { message: 'no such tenant' })
      },
      { access: anyone() },
    )
    const response = await handler(requestOf('GET', '/v2/'))
    expect(response?.status).toBe(404)
  })
})

describe('the context of an operation', () => {
  async function contextOf(request: HttpRequest, options: Partial<HandlerOptions> = {}): Promise<OperationContext> {
    const seen: OperationContext[] = []
    const backend = decorate(newRegistry(), {
      blobs: (blobs) =>
        new Proxy(blobs, {
          get: (target, property) =>
            property === 'delete'
              ? (_: string, context: OperationContext) => {
                  seen.push(context)
                  return Promise.resolve()
                }
              : Reflect.get(target, property, target),
        }),
    })
    await answerOf(backend, request, options)
    const [context] = seen
    if (context === undefined) throw new Error('the backend was not asked')
    return context
  }

  const url = `/v2/a/blobs/${DIGEST}`

  it('tells who asked, and how', async () => {
    const signal = new AbortController().signal
    const request = requestOf('DELETE', url, {
      headers: { 'user-agent': 'docker/29', 'x-request-id': 'r1' },
      remoteAddress: '192.0.2.1',
      signal,
    })
    const access = { authorize: async () => ({ subject: 'alice', allows: () => true }) }
    expect(await contextOf(request, { access })).toEqual({
      signal,
      actor: 'alice',
      requestId: 'r1',
      request: { address: '192.0.2.1', host: 'registry.test', method: 'DELETE', userAgent: 'docker/29' },
    })
  })

  it('leaves out what is not known', async () => {
    const request = { ...requestOf('DELETE', url), headers: {} }
    const context = await contextOf(request)
    expect(Object.keys(context).sort()).toEqual(['request', 'requestId', 'signal'])
    expect(context.request).toEqual({ method: 'DELETE' })
  })

  it("tells a client's address from behind a trusted proxy, and from nobody else", async () => {
    const headers = { 'x-forwarded-for': '203.0.113.9, 198.51.100.7', 'x-forwarded-host': 'hub.test' }
    const options = { trustedProxies: ['10.0.0.0/8'] }
    const from = async (remoteAddress: string) =>
      (await contextOf(requestOf('DELETE', url, { headers, remoteAddress }), options)).request
    expect(await from('10.1.2.3')).toMatchObject({ address: '198.51.100.7', host: 'hub.test' })
    expect(await from('11.1.2.3')).toMatchObject({ address: '11.1.2.3', host: 'registry.test' })
  })
})

describe('the request id', () => {
  const idOf = async (headers: HttpRequest['headers']) => (await client().get('/v2/', headers)).headers['x-request-id']

  it.each(['abc', 'A-1_2.3:4+5/6=', UUID, 'x'.repeat(128)])('is the client’s where it is sane: %s', async (id) => {
    expect(await idOf({ 'x-request-id': id })).toBe(id)
  })

  it.each([[undefined], [''], ['a b'], ['a"b'], ['a\nb'], ['<script>'], ['é'], ['x'.repeat(129)], [['a', 'b']]])(
    'is random otherwise: %j',
    async (id) => {
      const found = await idOf({ 'x-request-id': id })
      expect(found).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    },
  )
})

describe('errors', () => {
  it.each<readonly [string, unknown, number, string]>([
    [
      'its own, with detail and headers',
      new RegistryError('TOOMANYREQUESTS', { detail: { limit: 5 }, headers: { 'retry-after': '7' } }),
      429,
      '{"errors":[{"code":"TOOMANYREQUESTS","message":"too many requests","detail":{"limit":5}}]}\n',
    ],
    [
      'its own, without detail',
      new RegistryError('DENIED'),
      403,
      '{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}\n',
    ],
    [
      'its own, with a detail that is no JSON',
      new RegistryError('DENIED', { message: 'no', detail: { n: 1n } }),
      403,
      '{"errors":[{"code":"DENIED","message":"no"}]}\n',
    ],
    [
      'an error that it does not know',
      new Error('EACCES: /secret/path'),
      500,
      '{"errors":[{"code":"UNKNOWN","message":"unknown error"}]}\n',
    ],
    ['a string', 'thrown', 500, '{"errors":[{"code":"UNKNOWN","message":"unknown error"}]}\n'],
    ['nothing', undefined, 500, '{"errors":[{"code":"UNKNOWN","message":"unknown error"}]}\n'],
  ])('answers a document for %s', async (_, error, status, text) => {
    const answer = await answerOf(failing(error), requestOf('GET', '/v2/a/tags/list'))
    expect([answer.status, answer.text]).toEqual([status, text])
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      'cache-control': 'no-store',
      'docker-distribution-api-version': 'registry/2.0',
    })
    if (status === 429) expect(answer.headers['retry-after']).toBe('7')
  })

  it('logs what it did not expect, whole', async () => {
    const logger = recordingLogger()
    const err = new Error('EACCES: /secret/path')
    const request = requestOf('GET', '/v2/a/tags/list', { headers: { 'x-request-id': 'r1' } })
    await answerOf(failing(err), request, { logger })
    expect(logger.lines).toEqual([
      {
        level: 'error',
        fields: { err, requestId: 'r1', method: 'GET', url: '/v2/a/tags/list' },
        message: 'unexpected error',
      },
    ])
  })

  it('logs an outage with its cause, and no error of the client', async () => {
    const logger = recordingLogger()
    await answerOf(failing(new RegistryError('DENIED')), requestOf('GET', '/v2/a/tags/list'), { logger })
    expect(logger.lines).toEqual([])
    await answerOf(failing(new RegistryError('UNAVAILABLE')), requestOf('GET', '/v2/a/tags/list'), { logger })
    expect(logger.lines.map(({ message }) => message)).toEqual(['cannot serve a request'])
  })

  it.each([0, 1])('has nothing to say to a client that has gone, and nothing to log (%i turn later)', async (turns) => {
    const logger = recordingLogger()
    const gone = new AbortController()
    const backend = failing(new Error('aborted'))
    const repository = () => {
      if (turns === 0) gone.abort()
      else setImmediate(() => gone.abort())
      return backend.repository('a')
    }
    const request = requestOf('GET', '/v2/a/tags/list', { signal: gone.signal })
    const { status, text } = await answerOf({ ...backend, repository }, request, { logger })
    expect([status, text, logger.lines]).toEqual([499, '', []])
  })

  it('has no body for HEAD', async () => {
    const { status, body, headers } = await answerOf(failing(new Error('x')), requestOf('HEAD', '/v2/a/manifests/x'))
    expect([status, body.length, headers['content-type']]).toEqual([500, 0, 'application/json'])
  })
})

describe('any request', () => {
  it('gets an answer that Node can send, and never a 5xx for what a client wrote', async () => {
    const registry = newRegistry()
    await pushImage(registry.repository('a'), ['x'], { tags: ['v1'] })
    const { handler } = client({ cors: { origins: ['https://ui.test'] }, trustedProxies: ['10.0.0.1'] }, registry)
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary-ascii' }),
      fc.constantFrom('', '*', '0-1', '"x"', 'bytes=0-'),
    )
    const header = fc.constantFrom(
      'range',
      'if-range',
      'if-match',
      'if-none-match',
      'content-range',
      'content-length',
      'content-type',
      'content-encoding',
      'accept',
      'origin',
      'host',
      'forwarded',
      'x-forwarded-for',
      'x-forwarded-host',
      'x-forwarded-proto',
      'x-request-id',
      'user-agent',
      'access-control-request-method',
    )
    const url = fc.oneof(
      fc.constantFrom(
        '/v2/',
        '/v2/_catalog',
        '/v2/a/tags/list',
        '/v2/a/manifests/v1',
        '/v2/a/manifests/v2',
        `/v2/a/blobs/${digestOf(Buffer.from('x'))}`,
        '/v2/a/blobs/uploads/',
        `/v2/a/referrers/${DIGEST}`,
        `/v2/a/blobs/uploads/${UUID}?digest=${DIGEST}`,
        `/v2/a/blobs/uploads/?digest=${DIGEST}`,
      ),
      fc.string().map((rest) => `/v2/${rest}`),
      fc.string().map((query) => `/v2/a/tags/list?${query}`),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'),
        url,
        fc.dictionary(header, text, { maxKeys: 4 }),
        text,
        async (method, target, headers, body) => {
          // A proxy lets at most these through: no controls in headers, as Node's parser has it.
          const sane = Object.fromEntries(
            Object.entries(headers).map(([k, v]) => [k, v.replace(/[^\t\x20-\x7e]/g, '')]),
          )
          const request = requestOf(method, target, { headers: sane, body, remoteAddress: '10.0.0.1' })
          const response = await handler(request)
          if (response === undefined) return
          expect(response.status).toBeLessThan(500)
          assertSendable(response)
          await read(response)
        },
      ),
      { numRuns: 1500 },
    )
  })
})

/** What `ServerResponse.writeHead` would refuse: status, names, and characters of values. */
function assertSendable({ status, headers, body }: HttpResponse): void {
  expect(Number.isInteger(status) && status >= 200).toBe(true)
  for (const [name, value] of Object.entries(headers)) {
    expect(name).toMatch(/^[a-z0-9-]+$/)
    for (const one of typeof value === 'string' ? [value] : value) expect(one).toMatch(/^[\t\x20-\x7e]*$/)
  }
  if (typeof body === 'string') expect(headers['content-length']).toBe(String(Buffer.byteLength(body)))
}
