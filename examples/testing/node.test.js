// @ts-check
// The same under Node's own runner, which has a hook to stop the registry: node --test
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { image, startRegistry } from 'wharfage/testing'
import { readManifest } from './client.js'

const app = image({ layers: ['a', 'b'] })

describe('readManifest', () => {
  it('reads what a tag points to', async (t) => {
    const registry = await startRegistry()
    t.after(registry.stop)
    await registry.push('team/app:v1', app)
    const { digest, manifest } = await readManifest(registry.url, 'team/app', 'v1')
    assert.equal(digest, app.digest)
    assert.deepEqual(manifest.layers, app.layers)
  })

  it('logs in where a token is asked for', async (t) => {
    const registry = await startRegistry({ auth: 'token', users: { alice: 'secret' } })
    t.after(registry.stop)
    await registry.push('team/app:v1', app)
    const credentials = { username: 'alice', password: 'secret' }
    assert.equal((await readManifest(registry.url, 'team/app', 'v1', credentials)).digest, app.digest)
    assert.deepEqual(
      registry.requests.filter({ method: 'GET' }).map(({ path, status }) => [path, status]),
      [
        ['/v2/team/app/manifests/v1', 401],
        ['/token', 200],
        ['/v2/team/app/manifests/v1', 200],
      ],
    )
  })

  it('comes back after an answer that failed', async (t) => {
    const registry = await startRegistry()
    t.after(registry.stop)
    await registry.push('team/app:v1', app)
    const failure = registry.fail({ method: 'GET', status: 503, times: 1 })
    const sleep = async () => {}
    assert.equal((await readManifest(registry.url, 'team/app', 'v1', { sleep })).digest, app.digest)
    assert.equal(failure.hits, 1)
  })

  it('gives up on a registry that keeps failing', async (t) => {
    const registry = await startRegistry({ fail: [{ status: 502 }] })
    t.after(registry.stop)
    const sleep = async () => {}
    await assert.rejects(readManifest(registry.url, 'team/app', 'v1', { sleep }), /cannot be read: 502/)
    assert.equal(registry.requests.length, 3)
  })
})
