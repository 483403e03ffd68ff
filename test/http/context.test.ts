import { describe, expect, it } from 'vitest'
import { decorate, type OperationContext } from '../../src/backend.ts'
import type { HandlerOptions } from '../../src/http/handler.ts'
import type { HttpRequest } from '../../src/http/message.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { answerOf, client, newRegistry, requestOf } from './support.ts'

const DIGEST = digestOf(Buffer.from('x'))
const UUID = '7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11'

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

  it.each([
    [`${url}?ns=docker.io`, {}, 'docker.io'],
    [`${url}?n=1&ns=localhost%3A5000`, {}, 'localhost:5000'],
    [url, { 'oci-namespace': 'quay.io' }, 'quay.io'],
    [`${url}?ns=docker.io`, { 'oci-namespace': 'quay.io' }, 'docker.io'],
    [`${url}?ns=`, {}, undefined],
    [`${url}?dns=docker.io`, {}, undefined],
    [url, { 'oci-namespace': '' }, undefined],
  ])('tells which registry the client has in mind: %s %j', async (of, headers, namespace) => {
    expect((await contextOf(requestOf('DELETE', of, { headers }))).namespace).toBe(namespace)
  })

  it('is refused to a client that has two registries in mind', async () => {
    const { status, error } = await client().send('GET', `${url}?ns=docker.io&ns=quay.io`)
    expect([status, error.code, error.detail]).toEqual([400, 'UNSUPPORTED', { parameter: 'ns' }])
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
