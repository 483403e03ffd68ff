import { createServer } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { registryListener } from '../../../src/adapters/node.ts'
import { type TokenIssuerOptions, tokenIssuer } from '../../../src/auth/issuer/token-issuer.ts'
import { rules } from '../../../src/auth/rules/rules.ts'
import { memory } from '../../../src/drivers/memory.ts'
import { RegistryError } from '../../../src/errors.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import type { Credentials } from '../../../src/remote/credentials/credentials.ts'
import { RemoteBackend } from '../../../src/remote/remote-backend.ts'
import { pushImage } from '../../support/images.ts'
import { close, listen } from '../../support/listening.ts'
import { EC } from '../token/support.ts'

/** A registry that gives out tokens, over HTTP, and our own client of it. */
async function served(options: TokenIssuerOptions = {}) {
  const registry = new Registry({ storage: memory(), logger: silentLogger })
  const access = tokenIssuer({
    keys: EC.privateKey,
    permissions: rules(['library/*: anonymous pull', 'library/*: user(alice) push', 'home/{user}/*: pull, push']),
    check: ({ username, password }) => (password === 'wonderland' ? { subject: username } : undefined),
    identity: (subject) => ({ subject }),
    ...options,
  })
  const seen: string[] = []
  const listener = registryListener(registry, { access, logger: silentLogger })
  const server = createServer((req, res) => {
    seen.push(`${req.method} ${req.url?.split('?')[0]}`)
    listener(req, res)
  })
  const url = await listen(server)
  onTestFinished(() => close(server))
  const as = (credentials?: Credentials) => {
    const remote = new RemoteBackend(url, { credentials: () => Promise.resolve(credentials) })
    onTestFinished(() => remote.close())
    return remote
  }
  /** What `docker login` keeps in place of a password. */
  const refreshTokenOf = async (username: string): Promise<string> => {
    const body = new URLSearchParams({
      ...{ grant_type: 'password', username, password: 'wonderland', service: 'wharfage', client_id: 'docker' },
      access_type: 'offline',
    })
    const response = await fetch(`${url}/v2/_wharfage/token`, { method: 'POST', body })
    return ((await response.json()) as { refresh_token: string }).refresh_token
  }
  const tokens = () => seen.filter((line) => line.endsWith('/v2/_wharfage/token'))
  return { as, refreshTokenOf, tokens }
}

const denied = (code: 'UNAUTHORIZED' | 'DENIED') => (error: unknown) => RegistryError.is(error, code)

describe('our own client', () => {
  it('pushes and pulls with a password, by a token for each repository', async () => {
    const { as, tokens } = await served()
    const remote = as({ username: 'alice', password: 'wonderland' })
    const { digest } = await pushImage(remote.repository('home/alice/app'), ['layer'], { tags: ['v1'] })
    await pushImage(remote.repository('library/app'), ['layer'], { tags: ['v1'] })
    expect((await remote.repository('home/alice/app').manifests.stat('v1')).digest).toBe(digest)
    expect(new Set(tokens())).toEqual(new Set(['GET /v2/_wharfage/token']))
  })

  it('pushes and pulls with a refresh token', async () => {
    const { as, refreshTokenOf, tokens } = await served()
    const remote = as({ identityToken: await refreshTokenOf('alice') })
    const { digest } = await pushImage(remote.repository('home/alice/app'), ['layer'], { tags: ['v1'] })
    expect((await remote.repository('home/alice/app').manifests.stat('v1')).digest).toBe(digest)
    expect(new Set(tokens())).toEqual(new Set(['POST /v2/_wharfage/token']))
  })

  it('pulls without logging in what everybody may, and no more', async () => {
    const { as } = await served()
    const { digest } = await pushImage(
      as({ username: 'alice', password: 'wonderland' }).repository('library/app'),
      ['layer'],
      { tags: ['v1'] },
    )
    const nobody = as()
    expect((await nobody.repository('library/app').manifests.stat('v1')).digest).toBe(digest)
    await expect(pushImage(nobody.repository('library/app'), ['layer'])).rejects.toSatisfy(denied('UNAUTHORIZED'))
    await expect(nobody.repository('home/alice/app').manifests.stat('v1')).rejects.toSatisfy(denied('UNAUTHORIZED'))
  })

  it('is refused what its user may not do, a wrong password, and a token of who has left', async () => {
    const people = new Set(['alice', 'bob'])
    const identity = (subject: string) => (people.has(subject) ? { subject } : undefined)
    const { as, refreshTokenOf } = await served({ identity })
    const head = (credentials: Credentials) => as(credentials).repository('home/alice/app').manifests.stat('v1')
    await expect(head({ username: 'bob', password: 'wonderland' })).rejects.toSatisfy(denied('UNAUTHORIZED'))
    await expect(head({ username: 'alice', password: 'x' })).rejects.toSatisfy(denied('UNAUTHORIZED'))
    const identityToken = await refreshTokenOf('alice')
    await expect(head({ identityToken })).rejects.toSatisfy((error) => !denied('UNAUTHORIZED')(error))
    people.delete('alice')
    await expect(head({ identityToken })).rejects.toSatisfy(denied('UNAUTHORIZED'))
  })
})
