import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { get as getSecurely } from 'node:https'
import { connect } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { memory, Registry } from '../../src/index.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { artifact, image, index, type RunningRegistry, startRegistry } from '../../src/testing/index.ts'
import { basic, testRegistries } from '../support/test-registries.ts'

const start = testRegistries()

describe('startRegistry', () => {
  it('is ready in less than 50 ms', async () => {
    await start() // what is loaded and compiled once
    const times: number[] = []
    for (let i = 0; i < 5; i++) {
      const before = performance.now()
      const { send } = await start()
      expect((await send('GET', '/v2/')).status).toBe(200)
      times.push(performance.now() - before)
    }
    expect(Math.min(...times)).toBeLessThan(50)
  })

  it('listens where it says, and serves what was pushed in code', async () => {
    const { url, host, push, send, registry } = await start()
    expect(url).toBe(`http://${host}`)
    expect(host).toMatch(/^127\.0\.0\.1:\d+$/)
    const app = image({ layers: ['a'] })
    expect(await push('team/app:v1', app)).toEqual(app.descriptor)
    const { status, headers, body } = await send('GET', '/v2/team/app/manifests/v1')
    expect([status, headers['docker-content-digest'], body]).toEqual([200, app.digest, Buffer.from(app.content)])
    expect(await registry.repository('team/app').tags.resolve('v1')).toBe(app.digest)
  })

  it('takes an index with its images, and what is attached to them', async () => {
    const { push, send } = await start()
    const both = index([image({ layers: ['a'] }), image({ layers: ['b'], platform: 'linux/arm64' })])
    const sbom = artifact({ type: 'text/x-sbom', content: 'A', subject: both })
    await push('team/app:v1', both)
    await push('team/app', sbom)
    for (const { digest } of [...both.images, both, sbom]) {
      expect((await send('GET', `/v2/team/app/manifests/${digest}`)).status).toBe(200)
    }
    expect(JSON.parse((await send('GET', '/v2/team/app/tags/list')).body.toString()).tags).toEqual(['v1'])
    const referrers = JSON.parse((await send('GET', `/v2/team/app/referrers/${both.digest}`)).body.toString())
    expect(referrers.manifests).toMatchObject([{ digest: sbom.digest, artifactType: 'text/x-sbom' }])
  })

  it('refuses a reference that is none', async () => {
    const { push } = await start()
    await expect(push('Team/app:v1', image())).rejects.toMatchObject({ code: 'NAME_INVALID' })
    await expect(push('team/app:', image())).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
    await expect(push('localhost:5000/app', image())).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
  })

  it('is over a registry of yours, and leaves it open', async () => {
    const yours = new Registry({ storage: memory() })
    const told: unknown[] = []
    yours.on('manifest.pushed', ({ repository }) => told.push(repository))
    await using running = await startRegistry({ registry: yours })
    await running.push('app:v1', image())
    await running.stop()
    // A registry that is closed has forgotten who listens.
    await yours.repository('later').manifests.put(index([]).content, { mediaType: index([]).mediaType })
    expect(told).toEqual(['app', 'later'])
  })

  it('ends open connections when it is stopped, those in the middle of an answer as well', async () => {
    let registry: RunningRegistry
    {
      await using started = await startRegistry({ fail: [{ path: '/v2/', hold: new Promise(() => {}) }] })
      registry = started
      const idle = connect(Number(registry.host.split(':')[1]), '127.0.0.1')
      await once(idle, 'connect')
      const held = fetch(`${registry.url}/v2/`)
      await vi.waitFor(() => expect(registry.requests.length).toBe(1))
      const closed = once(idle, 'close')
      idle.resume()
      await registry.stop()
      await closed
      await expect(held).rejects.toThrow('fetch failed')
    }
    await expect(fetch(registry.url)).rejects.toThrow('fetch failed')
    expect(registry.requests.lines()).toEqual(['GET /v2/ -'])
  })

  it('keeps no process alive once it is stopped', async () => {
    const output = await run(`
      import { image, startRegistry } from ${BUILT}
      const registry = await startRegistry({ users: { a: 'b' }, auth: 'token', blobRedirects: true, tls: true })
      await registry.push('app:v1', image({ layers: ['a'] }))
      await registry.stop()
      console.log('stopped')`)
    expect(output).toBe('stopped\n')
  })

  it('says what is wrong with its options', async () => {
    await expect(startRegistry({ user: {} } as object)).rejects.toThrow(
      'startRegistry() has no option "user": did you mean "users"?',
    )
    await expect(startRegistry({ like: 'ecs' } as object)).rejects.toThrow(`the option "like" must be one of 'acr'`)
    await expect(startRegistry({ users: ['alice'] } as object)).rejects.toThrow("{ alice: 'secret' } say")
    await expect(startRegistry({ users: { alice: 1 } } as object)).rejects.toThrow("{ alice: 'secret' } say")
    await expect(startRegistry({ repositories: 'app' } as object)).rejects.toThrow(
      'a list of names, not the string "app"',
    )
    await expect(startRegistry({ token: { challenge: 'none' } } as object)).rejects.toThrow('token.challenge')
    await expect(startRegistry({ fail: [{ path: '/v2/' }] })).rejects.toThrow('must say what goes wrong')
    await expect(startRegistry({ fail: [{ stats: 503 } as object] })).rejects.toThrow('did you mean "status"?')
    await expect(startRegistry({ chunks: { min: 1 } } as object)).rejects.toThrow(
      'the option "chunks" has no option "min"',
    )
    await expect(startRegistry({ rateLimit: { requests: -1 } })).rejects.toThrow('rateLimit.requests')
  })
})

describe('startRegistry with tls', () => {
  it('is trusted by who is told of its authority, and by nobody else', async () => {
    const { url, ca = '' } = await start({ tls: true })
    expect(url).toMatch(/^https:/)
    expect(ca).toMatch(/^-----BEGIN CERTIFICATE-----/)
    expect(await statusOf(`${url}/v2/`, { ca })).toBe(200)
    expect(await statusOf(url.replace('127.0.0.1', 'localhost').concat('/v2/'), { ca })).toBe(200)
    await expect(statusOf(`${url}/v2/`, {})).rejects.toThrow('unable to verify the first certificate')
  })

  it('names the package that it needs, where that is missing', async () => {
    const missing = `export const resolve = (name, context, next) => {
      if (name === 'selfsigned') throw Object.assign(new Error(), { code: 'ERR_MODULE_NOT_FOUND' })
      return next(name, context)
    }`
    const output = await run(`
      import { register } from 'node:module'
      register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(missing)}`)})
      const { startRegistry } = await import(${BUILT})
      await startRegistry({ tls: true }).catch(({ name, message }) => console.log(name, message))`)
    expect(output).toBe(
      'TypeError startRegistry({ tls: true }) needs the package selfsigned: npm install --save-dev selfsigned\n',
    )
  })

  it('asks clients for a certificate, if wanted', async () => {
    const { url, ca = '', client } = await start({ tls: 'client' })
    expect(await statusOf(`${url}/v2/`, { ca, ...client })).toBe(200)
    await expect(statusOf(`${url}/v2/`, { ca })).rejects.toThrow(/certificate required|ECONNRESET/)
  })
})

/** What people import, as it is built. */
const BUILT = JSON.stringify(new URL('../../dist/testing/index.js', import.meta.url).href)

/** What a program prints that ends by itself, and well. */
async function run(program: string): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const output: string[] = []
  child.stdout.on('data', (chunk) => output.push(String(chunk)))
  expect(await once(child, 'close')).toEqual([0, null])
  return output.join('')
}

function statusOf(url: string, options: { ca?: string; cert?: string; key?: string }): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    getSecurely(url, { agent: false, ...options }, (response) => resolve(response.resume().statusCode)).on(
      'error',
      reject,
    )
  })
}

describe('requests', () => {
  it('are kept in the order in which they came, with credentials left out', async () => {
    const { send, requests } = await start({ users: { alice: 'secret' } })
    const body = Buffer.from('a blob')
    const digest = digestOf(body)
    await send('GET', '/v2/')
    await send('GET', '/v2/', { headers: { ...basic('alice', 'secret'), cookie: 'a=b', accept: 'text/plain' } })
    await send('POST', `/v2/app/blobs/uploads/?digest=${digest}`, { headers: basic('alice', 'secret'), body })
    await send('GET', '/elsewhere')
    expect(requests.lines()).toEqual([
      'GET /v2/ 401',
      'GET /v2/ 200',
      `POST /v2/app/blobs/uploads/?digest=${digest} 201`,
      'GET /elsewhere 404',
    ])
    expect(requests.at(1)).toMatchObject({ headers: { authorization: 'Basic', cookie: '', accept: 'text/plain' } })
    expect(requests.find({ method: 'POST' })).toMatchObject({
      path: '/v2/app/blobs/uploads/',
      url: `/v2/app/blobs/uploads/?digest=${digest}`,
      origin: 'registry',
      bytes: 6,
      status: 201,
    })
    expect(JSON.stringify([...requests])).not.toContain(basic('alice', 'secret').authorization.split(' ')[1])
  })

  it('are found by method, path, status or a function, and forgotten when told', async () => {
    const { send, requests } = await start()
    await send('GET', '/v2/')
    await send('HEAD', '/v2/app/manifests/v1')
    await send('GET', '/v2/app/manifests/v1?a=b')
    expect(requests.filter({ method: ['GET', 'HEAD'] })).toHaveLength(3)
    expect(requests.filter({ path: '/v2/app/manifests/v1' })).toHaveLength(2)
    expect(requests.filter({ path: /manifests\/v1$/g })).toHaveLength(1)
    expect(requests.filter({ status: 404, method: 'GET' })).toHaveLength(1)
    expect(requests.find((request) => request.url.includes('a=b'))).toBe(requests.at(-1))
    expect(requests.find({ origin: 'storage' })).toBeUndefined()
    requests.clear()
    expect([requests.length, ...requests]).toEqual([0])
  })
})
