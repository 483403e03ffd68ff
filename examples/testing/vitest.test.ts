// A client is tested against a registry that runs in the test, and stops with it: npx vitest run
// `await using` is TypeScript's, and JavaScript's from Node 24 on; node.test.js beside this does without.
import { describe, expect, it } from 'vitest'
import { image, startRegistry } from 'wharfage/testing'
import { readManifest } from './client.js'

const app = image({ layers: ['a', 'b'] })

describe('readManifest', () => {
  it('reads what a tag points to', async () => {
    await using registry = await startRegistry()
    await registry.push('team/app:v1', app)
    const { digest, manifest } = await readManifest(registry.url, 'team/app', 'v1')
    expect(digest).toBe(app.digest)
    expect(manifest.layers).toEqual(app.layers)
  })

  it('logs in where a token is asked for, and asks for no more than it needs', async () => {
    await using registry = await startRegistry({ auth: 'token', users: { alice: 'secret' } })
    await registry.push('team/app:v1', app)
    const credentials = { username: 'alice', password: 'secret' }
    expect((await readManifest(registry.url, 'team/app', 'v1', credentials)).digest).toBe(app.digest)
    expect(registry.requests.lines()).toEqual([
      'GET /v2/team/app/manifests/v1 401',
      expect.stringMatching(/^GET \/token\?.*scope=repository%3Ateam%2Fapp%3Apull 200$/),
      'GET /v2/team/app/manifests/v1 200',
    ])
    const wrong = readManifest(registry.url, 'team/app', 'v1', { username: 'alice', password: 'wrong' })
    await expect(wrong).rejects.toThrow('does not know')
  })

  it('waits as long as it is told, and comes back', async () => {
    await using registry = await startRegistry({
      fail: [{ path: /manifests/, status: 503, times: 2, headers: { 'retry-after': '7' } }],
    })
    await registry.push('team/app:v1', app)
    const waits: number[] = []
    const sleep = async (ms: number) => void waits.push(ms)
    expect((await readManifest(registry.url, 'team/app', 'v1', { sleep })).digest).toBe(app.digest)
    expect(waits).toEqual([7000, 7000])
  })

  it.each(['docker-hub', 'ghcr', 'quay'] as const)('reads from %s', async (like) => {
    await using registry = await startRegistry({ like, anonymousPull: true })
    await registry.push('team/app:v1', app)
    expect((await readManifest(registry.url, 'team/app', 'v1')).digest).toBe(app.digest)
  })
})
