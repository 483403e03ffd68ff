import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SignJWT } from 'jose'
import { generate } from 'selfsigned'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RunningCommand } from './support/server-process.ts'

const EXAMPLES = fileURLToPath(new URL('../examples/', import.meta.url))
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wharfage-example-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

function start(name: string, env: NodeJS.ProcessEnv = {}): RunningCommand {
  const options = { cwd: directory, env: { ...process.env, PORT: '0', ...env } }
  return new RunningCommand([join(EXAMPLES, `${name}.js`)], options)
}

/** It ends when asked, and had nothing to complain of. */
async function stop(example: RunningCommand): Promise<void> {
  example.kill('SIGTERM')
  expect([await example.exit, example.stderr]).toEqual([{ code: 0, signal: null }, ''])
}

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

async function status(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<number> {
  const answer = await fetch(url, { method, headers: { connection: 'close', ...headers } })
  await answer.arrayBuffer()
  return answer.status
}

/** Publishes the key of {@link privateKey}, as an identity provider does. */
async function provider() {
  const server = createServer((incoming, response) => {
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const documents: Record<string, object> = {
      '/jwks.json': { keys: [publicKey.export({ format: 'jwk' })] },
      '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/jwks.json` },
    }
    const found = documents[incoming.url ?? '']
    response.writeHead(found ? 200 : 404).end(JSON.stringify(found))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => void server.close().closeAllConnections(),
  }
}

function sign(claims: Record<string, unknown>): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).setIssuedAt().setExpirationTime('5m').sign(privateKey)
}

describe('examples/sessions.js', () => {
  it('lets users of the service do with their own repositories what they like', async () => {
    await using example = start('sessions')
    const origin = await example.listening()
    const login = await fetch(`${origin}/login`, {
      method: 'POST',
      body: new URLSearchParams({ name: 'alice' }),
      headers: { connection: 'close' },
    })
    const { token } = (await login.json()) as { token: string }
    const cookie = String(login.headers.get('set-cookie')).split(';')[0] ?? ''
    const uploads = `${origin}/v2/alice/app/blobs/uploads/`
    expect(await status(`${origin}/v2/`)).toBe(401)
    expect(await status(uploads, { authorization: basic('alice', token) }, 'POST')).toBe(202)
    expect(await status(`${origin}/v2/bob/app/tags/list`, { authorization: basic('alice', token) })).toBe(403)
    expect(await status(uploads, { cookie, 'sec-fetch-site': 'same-origin' }, 'POST')).toBe(202)
    expect(await status(uploads, { cookie, 'sec-fetch-site': 'cross-site' }, 'POST')).toBe(403)
    expect(await status(`${origin}/v2/alice/app/tags/list`, { cookie, 'sec-fetch-site': 'cross-site' })).toBe(404)
    await stop(example)
  })
})

describe('examples/identity-provider.js', () => {
  it('takes the tokens of the provider', async () => {
    await using idp = await provider()
    await using example = start('identity-provider', { ISSUER: idp.issuer })
    const origin = await example.listening()
    const access = [{ type: 'repository', name: 'team/app', actions: ['pull'] }]
    const token = await sign({ iss: idp.issuer, aud: 'registry.example', sub: 'alice', access })
    const other = await sign({ iss: idp.issuer, aud: 'other.example', sub: 'alice', access })
    expect(await status(`${origin}/v2/team/app/tags/list`, { authorization: `Bearer ${token}` })).toBe(404)
    expect(await status(`${origin}/v2/team/b/tags/list`, { authorization: `Bearer ${token}` })).toBe(401)
    expect(await status(`${origin}/v2/`, { authorization: `Bearer ${other}` })).toBe(401)
    const { headers } = await fetch(`${origin}/v2/`, { headers: { connection: 'close' } })
    expect(headers.get('www-authenticate')).toBe(`Bearer realm="${idp.issuer}/token",service="registry.example"`)
    await stop(example)
  })
})

describe('examples/mutual-tls.js', () => {
  it('knows clients by their certificates', async () => {
    const ec = { keyType: 'ec', algorithm: 'sha256' } as const
    const ca = await generate([{ name: 'commonName', value: 'authority' }], {
      ...ec,
      extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
    })
    const by = { ca: { cert: ca.cert, key: ca.private } }
    const names = [{ name: 'subjectAltName' as const, altNames: [{ type: 2 as const, value: 'localhost' }] }]
    const server = await generate([{ name: 'commonName', value: 'localhost' }], {
      ...ec,
      ...by,
      extensions: [...names],
    })
    const client = await generate(
      [
        { name: 'commonName', value: 'ci' },
        { shortName: 'OU', value: 'build' },
      ],
      { ...ec, ...by },
    )
    const files = { 'cert.pem': server.cert, 'key.pem': server.private, 'ca.pem': ca.cert }
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
    await using example = start('mutual-tls')
    const origin = await example.listening()
    const ask = async (path: string, identity: object, method = 'GET') => {
      const sent = request(origin + path, { ca: ca.cert, servername: 'localhost', agent: false, method, ...identity })
      sent.end()
      const [answer] = await once(sent, 'response')
      answer.resume()
      await once(answer, 'end')
      return answer.statusCode
    }
    const own = { cert: client.cert, key: client.private }
    expect(await ask('/v2/team/app/blobs/uploads/', own, 'POST')).toBe(202)
    expect(await ask('/v2/other/app/blobs/uploads/', own, 'POST')).toBe(403)
    await expect(ask('/v2/', {})).rejects.toThrow()
    await stop(example)
  })
})

describe('examples/ci-tokens.js', () => {
  it('lets a workflow push that the condition lets in, and everybody pull', async () => {
    await using ci = await provider()
    await using example = start('ci-tokens', { ISSUER: ci.issuer })
    const origin = await example.listening()
    const workflow = (ref: string) =>
      sign({ iss: ci.issuer, aud: 'registry.example', sub: 'repo:org/app', repository: 'org/app', ref })
    const tokenFor = async (scope: string, authorization?: string) => {
      const headers = { connection: 'close', ...(authorization !== undefined && { authorization }) }
      const answer = await fetch(`${origin}/v2/_wharfage/token?service=wharfage&scope=${scope}`, { headers })
      return { code: answer.status, token: ((await answer.json()) as { token?: string }).token }
    }
    const scope = 'repository:org/app:pull,push'
    const { token } = await tokenFor(scope, basic('ci', await workflow('refs/heads/main')))
    const uploads = `${origin}/v2/org/app/blobs/uploads/`
    expect(await status(uploads, { authorization: `Bearer ${token}` }, 'POST')).toBe(202)
    expect((await tokenFor(scope, basic('ci', await workflow('refs/heads/topic')))).code).toBe(401)
    const anonymous = await tokenFor(scope)
    expect(await status(uploads, { authorization: `Bearer ${anonymous.token}` }, 'POST')).toBe(401)
    expect(await status(`${origin}/v2/org/app/tags/list`, { authorization: `Bearer ${anonymous.token}` })).toBe(404)
    await stop(example)
  })
})
