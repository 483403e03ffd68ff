// A token server as Docker's token specification has it: RS256, for a registry that trusts its key. Notes what it was asked.
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'

const NAME = 'wharfage-ci'

/**
 * `users` are `{ name: password }`, who may do everything; others may pull. Resolves to `{ origin, requests, config, close }`, where
 * `config` goes into Distribution's `auth`.
 */
export async function startIssuer(scope, users) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const requests = []
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url, 'http://issuer')
    const scopes = searchParams.getAll('scope').flatMap((text) => text.split(' '))
    const user = userOf(request.headers.authorization)
    requests.push({ user: user?.name, scopes })
    if (user && users[user.name] !== user.password) return response.writeHead(401).end()
    const access = scopes.map((text) => grant(text, user !== undefined)).filter(({ actions }) => actions.length > 0)
    const token = tokenFor(privateKey, { subject: user?.name ?? '', audience: searchParams.get('service'), access })
    response.end(JSON.stringify({ token, expires_in: 300, issued_at: new Date().toISOString() }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const jwks = join(await scope.tempDir('issuer'), 'jwks.json')
  const key = { ...publicKey.export({ format: 'jwk' }), kid: NAME, alg: 'RS256', use: 'sig' }
  await writeFile(jwks, JSON.stringify({ keys: [key] }))
  const origin = `http://127.0.0.1:${server.address().port}`
  return {
    origin,
    requests,
    config: { token: { realm: `${origin}/token`, service: NAME, issuer: NAME, jwks, signingalgorithms: ['RS256'] } },
    close: () => server.close(),
  }
}

function userOf(header) {
  const [scheme, encoded = ''] = header?.split(' ') ?? []
  if (scheme !== 'Basic') return undefined
  const [name, password] = Buffer.from(encoded, 'base64').toString().split(':')
  return { name, password }
}

function grant(scope, isUser) {
  const [type, ...rest] = scope.split(':')
  const actions = rest.pop().split(',')
  return { type, name: rest.join(':'), actions: isUser ? actions : actions.filter((action) => action === 'pull') }
}

function tokenFor(key, { subject, audience, access }) {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    ...{ iss: NAME, sub: subject, aud: audience, jti: randomUUID() },
    ...{ iat: now, nbf: now - 10, exp: now + 300, access },
  }
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${encode({ typ: 'JWT', alg: 'RS256', kid: NAME })}.${encode(claims)}`
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`
}
