import { describe, expect, it } from 'vitest'
import { RegistryError } from '../../src/errors.ts'
import { answerOf, failing, recordingLogger, requestOf } from './support.ts'

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
