import { describe, expect, it } from 'vitest'
import type { Access } from '../../src/auth/access.ts'
import type { Backend } from '../../src/backend.ts'
import { RegistryError, type RegistryErrorOptions } from '../../src/errors.ts'
import type { HandlerOptions } from '../../src/http/handler.ts'
import type { HttpRequest } from '../../src/http/message.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { pushImage } from '../support/images.ts'
import { answerOf, client, failing, newRegistry, recordingLogger, requestOf } from './support.ts'

const DIGEST = digestOf(Buffer.from('x'))
const UUID = '7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11'

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
    const answer = await answerOf(newRegistry(), requestOf('GET', '/v2/'), { access, logger })
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
