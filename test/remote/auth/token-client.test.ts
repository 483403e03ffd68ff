import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { TokenClient, type TokenRequest } from '../../../src/remote/auth/token-client.ts'
import type { Credentials } from '../../../src/remote/credentials/credentials.ts'
import { urlRules } from '../../../src/remote/transport/url-rules.ts'
import { plainSend } from '../support/plain-send.ts'
import { type Answer, type Answerer, recordingServers } from '../support/recording-server.ts'

const BOB: Credentials = { username: 'bob', password: 'secret' }
const BOB_BASIC = `Basic ${Buffer.from('bob:secret').toString('base64')}`
const SCOPES = ['repository:a/b:pull', 'repository:c:pull']

const start = recordingServers()

async function tokenServer(answer: Answerer) {
  const server = await start(answer)
  return { ...server, ask: asker(server.origin) }
}

function asker(origin: string) {
  const client = new TokenClient({ name: 'registry.example', rules: urlRules(new URL(origin)), send: plainSend })
  return (credentials?: Credentials, more: Partial<TokenRequest> = {}) =>
    client.fetch({
      realm: { url: new URL(`${origin}/token`), credentials: true, publicOnly: false },
      service: 'r',
      scopes: SCOPES,
      credentials,
      signal: new AbortController().signal,
      ...more,
    })
}

describe('TokenClient.fetch', () => {
  it('posts an identity token, and takes the one that comes in its place', async () => {
    const body = { access_token: 'T', refresh_token: 'J', expires_in: 300, issued_at: '2030-01-01T00:00:00Z' }
    const { requests, ask } = await tokenServer(() => ({ body }))
    expect(await ask({ identityToken: 'I' })).toEqual({
      text: 'T',
      expiresInSeconds: 300,
      issuedAt: Date.parse('2030-01-01T00:00:00Z'),
      identityToken: 'J',
    })
    expect(requests.map(({ method, path }) => [method, path])).toEqual([['POST', '/token']])
    expect(requests[0]?.headers).toMatchObject({ 'content-type': 'application/x-www-form-urlencoded' })
    expect(requests[0]?.headers.authorization).toBe(undefined)
    expect(Object.fromEntries(new URLSearchParams(requests[0]?.body))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'I',
      service: 'r',
      scope: 'repository:a/b:pull repository:c:pull',
      client_id: 'wharfage',
    })
  })

  it.each([404, 405])('posts the password where GET is answered %i', async (status) => {
    const { requests, ask } = await tokenServer(({ method }) =>
      method === 'GET' ? { status } : { body: { token: 'T' } },
    )
    expect(await ask(BOB)).toMatchObject({ text: 'T' })
    expect(requests.map(({ method, headers }) => [method, headers.authorization])).toEqual([
      ['GET', BOB_BASIC],
      ['POST', undefined],
    ])
    expect(Object.fromEntries(new URLSearchParams(requests[1]?.body))).toMatchObject({
      grant_type: 'password',
      username: 'bob',
      password: 'secret',
    })
  })

  it('prefers the name that Docker gave to a token', async () => {
    const { ask } = await tokenServer(() => ({ body: { token: 'T', access_token: 'A' } }))
    expect(await ask()).toEqual({
      text: 'T',
      expiresInSeconds: undefined,
      issuedAt: undefined,
      identityToken: undefined,
    })
  })

  it.each<[credentials: Credentials]>([[BOB], [{ identityToken: 'I' }]])(
    'asks as nobody where its realm may not have credentials: %j',
    async (credentials) => {
      const { origin, requests, ask } = await tokenServer(() => ({ body: { token: 'T' } }))
      await ask(credentials, { realm: { url: new URL(`${origin}/token`), credentials: false, publicOnly: false } })
      expect(requests.map(({ method, body, headers }) => [method, body, headers.authorization])).toEqual([
        ['GET', '', undefined],
      ])
      expect(requests[0]?.query.get('account')).toBe(null)
    },
  )

  it('follows a redirect on the same origin, with the password', async () => {
    const { requests, ask } = await tokenServer(({ path }) =>
      path.startsWith('/token') ? { status: 302, headers: { location: '/other?x=1' } } : { body: { token: 'T' } },
    )
    expect(await ask(BOB)).toMatchObject({ text: 'T' })
    expect(requests.map(({ path, headers }) => [path.slice(0, 8), headers.authorization])).toEqual([
      ['/token?s', BOB_BASIC],
      ['/other?x', BOB_BASIC],
    ])
  })

  it('posts again where it is told to', async () => {
    const { requests, ask } = await tokenServer(({ path }) =>
      path.startsWith('/token') ? { status: 307, headers: { location: '/other' } } : { body: { token: 'T' } },
    )
    await ask({ identityToken: 'I' })
    expect(requests.map(({ method, path }) => [method, path])).toEqual([
      ['POST', '/token'],
      ['POST', '/other'],
    ])
    expect(requests[1]?.body).toBe(requests[0]?.body)
  })

  it('follows no redirect to another origin', async () => {
    const other = await start(() => ({ body: { token: 'T' } }))
    const { ask } = await tokenServer(() => ({ status: 307, headers: { location: `${other.origin}/token` } }))
    await expect(ask(BOB)).rejects.toMatchObject({ code: 'DENIED' })
    await expect(ask()).rejects.toMatchObject({ code: 'DENIED' })
    expect(other.requests).toEqual([])
  })

  it('follows five redirects, and no sixth', async () => {
    const chain = (length: number) =>
      tokenServer((_, count) =>
        count <= length ? { status: 302, headers: { location: `/${count}` } } : { body: { token: 'T' } },
      )
    expect(await (await chain(5)).ask()).toMatchObject({ text: 'T' })
    const longer = await chain(6)
    await expect(longer.ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(longer.requests).toHaveLength(6)
  })

  const HUGE = { token: 'T', padding: 'x'.repeat(64 * 1024) }
  it.each<[what: string, answer: Answer, code: string, message: string]>([
    ['401', { status: 401 }, 'UNAUTHORIZED', 'refuses the user "bob" (401): wharfage login registry.example'],
    ['403', { status: 403 }, 'DENIED', 'refuses the user "bob" (403): wharfage login registry.example'],
    ['400', { status: 400 }, 'UNAUTHORIZED', 'refuses the user "bob" (400): wharfage login registry.example'],
    ['500', { status: 500 }, 'UNAVAILABLE', 'answers 500'],
    ['410', { status: 410 }, 'UNAVAILABLE', 'answers 410'],
    ['204', { status: 204 }, 'UNAVAILABLE', 'answers 204'],
    ['a redirect to nowhere', { status: 302 }, 'UNAVAILABLE', 'answers 302'],
    ['no JSON', { body: '<html>' }, 'UNAVAILABLE', 'answers with something that is no token'],
    ['JSON that is no object', { body: [] }, 'UNAVAILABLE', 'answers with something that is no token'],
    ['more than 64 KiB', { body: HUGE }, 'UNAVAILABLE', 'answers with something that is no token'],
    ['no token', { body: { token: '' } }, 'UNAVAILABLE', 'answers without a token'],
    ['a token that is no text', { body: { token: 1 } }, 'UNAVAILABLE', 'answers without a token'],
    [
      'a token with a line break',
      { body: { token: 'a\r\nx: y' } },
      'UNAVAILABLE',
      'answers with a token that fits into no header',
    ],
  ])('tells of an answer with %s', async (_what, answer, code, message) => {
    const { origin, ask } = await tokenServer(() => answer)
    await expect(ask(BOB)).rejects.toMatchObject({
      code,
      message: `the token server of registry.example, ${new URL(origin).host}, ${message}`,
    })
  })

  it.each([
    [429, 'TOOMANYREQUESTS'],
    [503, 'UNAVAILABLE'],
  ])('hands on how long to wait with %i', async (status, code) => {
    const { ask } = await tokenServer(() => ({ status, headers: { 'retry-after': '17' } }))
    await expect(ask()).rejects.toMatchObject({ code, headers: { 'retry-after': '17' } })
  })

  it('says which login would help where nobody asked', async () => {
    const { origin, ask } = await tokenServer(() => ({ status: 401 }))
    await expect(ask()).rejects.toMatchObject({
      message: `the token server of registry.example, ${new URL(origin).host}, refuses what it was asked without a login (401): wharfage login registry.example`,
    })
  })

  it('tells of an answer that breaks off', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"token":'))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const ask = asker(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      await expect(ask()).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringMatching(/broke off its answer$/),
      })
    } finally {
      server.close()
    }
  })

  it('never says a secret', async () => {
    for (const status of [400, 401, 403, 404, 429, 500]) {
      const { ask } = await tokenServer(({ headers, body }) => ({ status, body: `${headers.authorization} ${body}` }))
      for (const credentials of [BOB, { identityToken: 'secret' }]) {
        const error: unknown = await ask(credentials).catch((caught: unknown) => caught)
        expect(error).toBeInstanceOf(Error)
        expect(JSON.stringify([String(error), error])).not.toMatch(/secret"|Ym9iOnNlY3JldA|: secret/)
        expect(String((error as Error).message)).not.toContain('secret')
      }
    }
  })

  it('ends with its caller', async () => {
    const leaving = new AbortController()
    const { ask } = await tokenServer(() => {
      leaving.abort(new Error('gone'))
      return { body: { token: 'T' } }
    })
    await expect(ask(BOB, { signal: leaving.signal })).rejects.toThrow('gone')
  })
})
