import { describe, expect, it, vi } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import { image, manualClock } from '../../src/testing/index.ts'
import { codeOf, type Started, testRegistries } from '../support/test-registries.ts'

const start = testRegistries()
const app = image({ layers: [Buffer.from('0123456789')] })
const [layer] = app.layers
const blob = `/v2/app/blobs/${layer?.digest}`

async function startUpload({ send }: Started): Promise<string> {
  return String((await send('POST', '/v2/app/blobs/uploads/')).headers.location)
}

describe('rules of fail', () => {
  it('answer so often with a status, and let the registry answer then', async () => {
    const registry = await start({ fail: [{ method: 'PATCH', path: /uploads/, status: 503, times: 2 }] })
    const upload = await startUpload(registry)
    const patch = () => registry.send('PATCH', upload, { body: Buffer.from('abc') })
    const refused = await patch()
    expect([refused.status, codeOf(refused)]).toEqual([503, 'UNAVAILABLE'])
    expect((await patch()).status).toBe(503)
    const { status, headers } = await patch()
    expect([status, headers.range]).toEqual([202, '0-2'])
  })

  it('have a code and headers of their own, and let some through first', async () => {
    const registry = await start()
    const headers = { 'Retry-After': '7' }
    const rule = registry.fail({ path: '/v2/', skip: 1, status: 429, headers, code: 'SLOW_DOWN' })
    expect((await registry.send('GET', '/v2/')).status).toBe(200)
    const refused = await registry.send('GET', '/v2/')
    expect([refused.status, refused.headers['retry-after'], codeOf(refused), rule.hits]).toEqual([
      429,
      '7',
      'SLOW_DOWN',
      1,
    ])
    rule.remove()
    expect((await registry.send('GET', '/v2/')).status).toBe(200)
    registry.fail({ status: 429 })
    expect(codeOf(await registry.send('GET', '/v2/'))).toBe('TOOMANYREQUESTS')
  })

  it('act one at a time: the first that fits', async () => {
    const { send } = await start({
      fail: [{ method: 'HEAD', status: 500 }, { status: 502, times: 1 }, { status: 504 }],
    })
    const statuses = []
    for (const method of ['HEAD', 'GET', 'GET']) statuses.push((await send(method, '/v2/')).status)
    expect(statuses).toEqual([500, 502, 504])
  })

  it('break the connection before the registry has seen the request', async () => {
    const registry = await start({ fail: [{ method: 'DELETE', drop: true, times: 1 }] })
    await registry.push('app:v1', app)
    await expect(registry.send('DELETE', '/v2/app/manifests/v1')).rejects.toThrow('socket hang up')
    expect((await registry.send('HEAD', '/v2/app/manifests/v1')).status).toBe(200)
    expect(registry.requests.lines()).toEqual(['DELETE /v2/app/manifests/v1 -', 'HEAD /v2/app/manifests/v1 200'])
  })

  it('lose an answer alone', async () => {
    const registry = await start({ fail: [{ method: 'DELETE', drop: 'answer' }] })
    await registry.push('app:v1', app)
    await expect(registry.send('DELETE', '/v2/app/manifests/v1')).rejects.toThrow('socket hang up')
    expect((await registry.send('HEAD', '/v2/app/manifests/v1')).status).toBe(404)
  })

  it('break an upload off in its middle, and keep what has come', async () => {
    const registry = await start({ fail: [{ method: 'PATCH', drop: true, after: 4, times: 1 }] })
    const upload = await startUpload(registry)
    await expect(registry.send('PATCH', upload, { body: Buffer.from('0123456789') })).rejects.toThrow(
      /ECONNRESET|hang up/,
    )
    await vi.waitFor(async () => expect((await registry.send('GET', upload)).headers.range).toBe('0-3'))
    const headers = { 'content-range': '4-9' }
    expect((await registry.send('PATCH', upload, { headers, body: Buffer.from('456789') })).status).toBe(202)
    const digest = digestOf(Buffer.from('0123456789'))
    expect((await registry.send('PUT', `${upload}?digest=${digest}`)).status).toBe(201)
    expect(registry.requests.find({ method: 'PATCH' })?.status).toBeUndefined()
  })

  it('answer in the middle of an upload', async () => {
    const registry = await start({ fail: [{ method: 'PATCH', status: 502, after: 4, times: 1 }] })
    const upload = await startUpload(registry)
    expect((await registry.send('PATCH', upload, { body: Buffer.from('0123456789') })).status).toBe(502)
    expect((await registry.send('GET', upload)).headers.range).toBe('0-3')
  })

  it('break an answer off in its middle', async () => {
    const { url, push } = await start({ fail: [{ method: 'GET', path: /blobs/, drop: true, after: 4, times: 1 }] })
    await push('app:v1', app)
    const response = await fetch(url + blob)
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '10'])
    const received: Uint8Array[] = []
    await expect(
      (async () => {
        for await (const chunk of response.body ?? []) received.push(chunk)
      })(),
    ).rejects.toThrow('terminated')
    expect(Buffer.concat(received).toString()).toBe('0123')
    expect(await (await fetch(url + blob)).text()).toBe('0123456789')
  })

  it('hold an answer back until the test lets go, also in its middle', async () => {
    let letGo = () => {}
    const hold = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const { url, push, requests } = await start({
      fail: [
        { path: /blobs/, hold, after: 4 },
        { path: '/v2/', hold: () => hold },
      ],
    })
    await push('app:v1', app)
    const blobs = await fetch(url + blob)
    const reader = (blobs.body ?? new ReadableStream<Uint8Array>()).getReader()
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('0123')
    const ping = fetch(`${url}/v2/`)
    await vi.waitFor(() => expect(requests.length).toBe(2))
    expect(requests.at(1)?.status).toBeUndefined()
    letGo()
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('456789')
    expect((await ping).status).toBe(200)
  })

  it('take their time by the clock of the registry', async () => {
    const clock = manualClock()
    const { url, requests } = await start({ clock, fail: [{ delayMs: 60_000, times: 1 }] })
    const slow = fetch(`${url}/v2/`)
    await vi.waitFor(() => expect(clock.sleeping).toBe(1))
    expect(requests.lines()).toEqual(['GET /v2/ -'])
    clock.advance(60_000)
    expect((await slow).status).toBe(200)
  })

  it('let go of a client that gives up', async () => {
    const clock = manualClock()
    const { url } = await start({ clock, fail: [{ delayMs: 60_000 }] })
    const controller = new AbortController()
    const slow = fetch(`${url}/v2/`, { signal: controller.signal })
    await vi.waitFor(() => expect(clock.sleeping).toBe(1))
    controller.abort()
    await expect(slow).rejects.toThrow()
    await vi.waitFor(() => expect(clock.sleeping).toBe(0))
  })

  it('tell a wrong digest, or none', async () => {
    const wrong = `sha256:${'0'.repeat(64)}`
    const { send, push } = await start({
      fail: [
        { headers: { 'Docker-Content-Digest': wrong }, times: 1 },
        { headers: { 'docker-content-digest': null }, times: 1 },
      ],
    })
    await push('app:v1', app)
    const told = []
    for (let i = 0; i < 3; i++) told.push((await send('HEAD', '/v2/app/manifests/v1')).headers['docker-content-digest'])
    expect(told).toEqual([wrong, undefined, app.digest])
  })

  it('change a byte of what is sent', async () => {
    const { send, push } = await start({ fail: [{ path: /blobs|manifests/, corrupt: true }] })
    await push('app:v1', app)
    const corrupt = await send('GET', blob)
    expect([corrupt.status, corrupt.body.toString()]).toEqual([200, '1123456789'])
    const manifest = await send('GET', '/v2/app/manifests/v1')
    expect(manifest.body).toHaveLength(app.content.byteLength)
    expect(digestOf(manifest.body)).not.toBe(app.digest)
  })
})
