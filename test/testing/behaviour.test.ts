import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { artifact, image, index, manualClock } from '../../src/testing/index.ts'
import type { ClientResponse } from '../support/http-client.ts'
import { basic, codeOf, type Started, testRegistries } from '../support/test-registries.ts'

const start = testRegistries()
const app = image({ layers: ['a', 'b'] })
const ten = Buffer.from('0123456789')

const json = ({ body }: ClientResponse) => JSON.parse(body.toString())

async function startUpload({ send }: Started): Promise<string> {
  return String((await send('POST', '/v2/app/blobs/uploads/')).headers.location)
}

function put({ send }: Started, reference: string, { content, mediaType }: typeof app): Promise<ClientResponse> {
  return send('PUT', `/v2/app/manifests/${reference}`, { headers: { 'content-type': mediaType }, body: content })
}

describe('rateLimit', () => {
  it('lets so many requests through in a window', async () => {
    const clock = manualClock()
    const { send } = await start({ clock, rateLimit: { requests: 2, windowSeconds: 60 } })
    const get = async () => {
      const response = await send('GET', '/v2/')
      return [response.status, response.headers['retry-after']]
    }
    expect([await get(), await get(), await get()]).toEqual([
      [200, undefined],
      [200, undefined],
      [429, '60'],
    ])
    clock.advance(59_001)
    expect(await get()).toEqual([429, '1'])
    clock.advance(999)
    expect(await get()).toEqual([200, undefined])
  })

  it('counts pulls as Docker Hub does, by user, and tells what is left', async () => {
    const users = { alice: 'secret', bob: 'hunter2' }
    const { send, push } = await start({
      users,
      anonymousPull: true,
      rateLimit: { requests: 1, of: 'pulls', headers: true, retryAfter: false },
    })
    await push('app:v1', app)
    const ask = async (method: string, user: keyof typeof users | 'nobody') => {
      const headers = user === 'nobody' ? {} : basic(user, users[user])
      const response = await send(method, '/v2/app/manifests/v1', { headers })
      const told = ['ratelimit-limit', 'ratelimit-remaining', 'docker-ratelimit-source', 'retry-after']
      return [response.status, ...told.map((name) => response.headers[name])]
    }
    expect(await ask('HEAD', 'alice')).toEqual([200, '1;w=21600', '1;w=21600', 'alice', undefined])
    expect(await ask('GET', 'alice')).toEqual([200, '1;w=21600', '0;w=21600', 'alice', undefined])
    expect(await ask('GET', 'alice')).toEqual([429, '1;w=21600', '0;w=21600', 'alice', undefined])
    expect(await ask('HEAD', 'alice')).toEqual([200, '1;w=21600', '0;w=21600', 'alice', undefined])
    expect(await ask('GET', 'bob')).toEqual([200, '1;w=21600', '0;w=21600', 'bob', undefined])
    expect(await ask('GET', 'nobody')).toEqual([200, '1;w=21600', '0;w=21600', '127.0.0.1', undefined])
    expect((await send('GET', '/v2/app/tags/list')).headers).not.toHaveProperty('ratelimit-limit')
  })
})

describe('what is left out', () => {
  it('referrers: 404, no OCI-Subject, and what was pushed in code is found by the tag', async () => {
    const registry = await start({ referrers: false })
    const subject = app
    const [sbom, signature] = ['sbom', 'signature'].map((type) => artifact({ type: `text/${type}`, subject }))
    if (sbom === undefined || signature === undefined) throw new Error('there are two')
    await registry.push('app:v1', app)
    for (const each of [sbom, signature, sbom]) await registry.push('app', each)
    const missing = await registry.send('GET', `/v2/app/referrers/${app.digest}`)
    expect([missing.status, missing.body.toString()]).toEqual([404, '404 page not found\n'])
    const pushed = await put(registry, sbom.digest, sbom)
    expect([pushed.status, pushed.headers['oci-subject']]).toEqual([201, undefined])
    const list = json(await registry.send('GET', `/v2/app/manifests/${app.digest.replace(':', '-')}`))
    expect(list).toMatchObject({
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [
        { digest: sbom.digest, artifactType: 'text/sbom' },
        { digest: signature.digest, artifactType: 'text/signature' },
      ],
    })
    const whole = await start()
    await whole.push('app:v1', app)
    await whole.push('app', sbom)
    expect((await put(whole, sbom.digest, sbom)).headers['oci-subject']).toBe(app.digest)
    expect(json(await whole.send('GET', '/v2/app/tags/list')).tags).toEqual(['v1'])
  })

  it('deletes: 405, but for uploads', async () => {
    const registry = await start({ deletes: false })
    await registry.push('app:v1', app)
    for (const path of ['manifests/v1', `manifests/${app.digest}`, `blobs/${app.layers[0]?.digest}`]) {
      const refused = await registry.send('DELETE', `/v2/app/${path}`)
      expect([refused.status, codeOf(refused)]).toEqual([405, 'UNSUPPORTED'])
    }
    expect((await registry.send('DELETE', await startUpload(registry))).status).toBe(204)
  })

  it('deletes of what has a tag', async () => {
    const { send, push } = await start({ keepsTagged: true })
    await push('app:v1', app)
    const refused = await send('DELETE', `/v2/app/manifests/${app.digest}`)
    expect([refused.status, codeOf(refused)]).toEqual([400, 'GOOGLE_MANIFEST_DANGLING_TAG'])
    expect((await send('DELETE', '/v2/app/manifests/v1')).status).toBe(202)
    expect((await send('DELETE', `/v2/app/manifests/${app.digest}`)).status).toBe(202)
  })

  it('the catalog: 401, also for who has logged in', async () => {
    const { send } = await start({ catalog: false, users: { alice: 'secret' } })
    expect((await send('GET', '/v2/_catalog', { headers: basic('alice', 'secret') })).status).toBe(401)
  })

  it('mounts: 202, and an upload that goes on', async () => {
    const digest = app.layers[0]?.digest
    const mount = async (mounts: boolean | 'referenced') => {
      const registry = await start({ mounts })
      await registry.push('base:v1', app)
      await registry.registry.repository('base').blobs.put(ten)
      const from = (which = digest) => registry.send('POST', `/v2/app/blobs/uploads/?mount=${which}&from=base`)
      return { ...registry, mounted: await from(), loose: await from(digestOf(ten)) }
    }
    const never = await mount(false)
    expect([never.mounted.status, never.loose.status]).toEqual([202, 202])
    const put = await never.send('PUT', `${never.mounted.headers.location}?digest=${digestOf(ten)}`, { body: ten })
    expect(put.status).toBe(201)
    const referenced = await mount('referenced')
    expect([referenced.mounted.status, referenced.loose.status]).toEqual([201, 202])
    expect((await referenced.send('POST', `/v2/app/blobs/uploads/?mount=${digest}&from=none`)).status).toBe(202)
    const always = await mount(true)
    expect([always.mounted.status, always.loose.status]).toEqual([201, 201])
  })

  it('repositories that were not made', async () => {
    const registry = await start({ repositories: ['made/before'] })
    await registry.push('pushed/before:v1', app)
    registry.createRepository('made/later')
    const status = async (name: string) => {
      const query = `?digest=${digestOf(ten)}`
      const response = await registry.send('POST', `/v2/${name}/blobs/uploads/${query}`, { body: ten })
      return response.status === 404 ? codeOf(response) : response.status
    }
    expect(await status('made/before')).toBe(201)
    expect(await status('pushed/before')).toBe(201)
    expect(await status('made/later')).toBe(201)
    expect(await status('made/never')).toBe('NAME_UNKNOWN')
    expect((await registry.send('POST', '/v2/made/never/blobs/uploads/')).status).toBe(404)
    expect((await registry.send('PUT', '/v2/made/never/manifests/v1')).status).toBe(404)
    expect((await registry.send('GET', '/v2/pushed/before/manifests/v1')).status).toBe(200)
  })

  it('another manifest for a tag', async () => {
    const registry = await start({ immutableTags: true })
    const other = index([app])
    await registry.push('app:v1', app)
    await registry.push('app', other)
    expect((await put(registry, 'v1', app)).status).toBe(201)
    const refused = await put(registry, 'v1', other)
    expect([refused.status, codeOf(refused)]).toEqual([400, 'TAG_INVALID'])
    expect((await put(registry, `${other.digest}?tag=v1`, other)).status).toBe(400)
    expect((await put(registry, 'v2', other)).status).toBe(201)
    await registry.push('app:v1', other) // in code, nothing is refused
  })
})

describe('chunks', () => {
  const patch = async ({ send }: Started, upload: string, range: string | undefined, body: Buffer) => {
    const response = await send('PATCH', upload, {
      headers: range === undefined ? {} : { 'content-range': range },
      body,
    })
    return [response.status, response.headers.range]
  }

  it('none: a blob comes by PUT', async () => {
    const registry = await start({ chunks: false })
    const upload = await startUpload(registry)
    expect(await patch(registry, upload, undefined, ten)).toEqual([405, undefined])
    expect((await registry.send('PUT', `${upload}?digest=${digestOf(ten)}`, { body: ten })).status).toBe(201)
  })

  it('a single one, that brings all', async () => {
    const registry = await start({ chunks: { patches: 'single' } })
    const upload = await startUpload(registry)
    expect(await patch(registry, upload, '0-9', ten)).toEqual([400, undefined])
    expect(await patch(registry, upload, undefined, ten)).toEqual([202, '0-9'])
    expect(await patch(registry, upload, undefined, ten)).toEqual([400, undefined])
    expect((await registry.send('PUT', `${upload}?digest=${digestOf(ten)}`)).status).toBe(201)
  })

  it('of a least size, which is told', async () => {
    const registry = await start({ chunks: { minBytes: 4 } })
    const begun = await registry.send('POST', '/v2/app/blobs/uploads/')
    expect(begun.headers['oci-chunk-min-length']).toBe('4')
    const upload = String(begun.headers.location)
    expect(await patch(registry, upload, '0-4', ten.subarray(0, 5))).toEqual([202, '0-4'])
    expect(await patch(registry, upload, '5-7', ten.subarray(5, 8))).toEqual([202, '0-7'])
    expect(await patch(registry, upload, '8-9', ten.subarray(8))).toEqual([400, undefined])
    const headers = { 'content-range': '8-9' }
    const body = ten.subarray(8)
    expect((await registry.send('PUT', `${upload}?digest=${digestOf(ten)}`, { headers, body })).status).toBe(201)
    const silent = await start({ chunks: { minBytes: 4, announced: false } })
    expect((await silent.send('POST', '/v2/app/blobs/uploads/')).headers).not.toHaveProperty('oci-chunk-min-length')
  })

  it('of a least size, but for what broke off and goes on', async () => {
    const fail = [{ method: 'PATCH', status: 502, after: 2, times: 1 }]
    const registry = await start({ chunks: { minBytes: 4 }, fail })
    const upload = await startUpload(registry)
    expect(await patch(registry, upload, '0-4', ten.subarray(0, 5))).toEqual([502, undefined])
    expect(await patch(registry, upload, '2-9', ten.subarray(2))).toEqual([202, '0-9'])
  })

  it('of a largest size', async () => {
    const registry = await start({ chunks: { maxBytes: 8 } })
    const upload = await startUpload(registry)
    expect(await patch(registry, upload, '0-9', ten)).toEqual([416, undefined])
    expect(await patch(registry, upload, '0-7', ten.subarray(0, 8))).toEqual([202, '0-7'])
    const whole = await startUpload(registry)
    expect(await patch(registry, whole, undefined, ten)).toEqual([202, '0-9'])
  })

  it('answered with 201, and the range of the first', async () => {
    const registry = await start({ chunks: { status: 201, staleRange: true } })
    const upload = await startUpload(registry)
    expect(await patch(registry, upload, '0-3', ten.subarray(0, 4))).toEqual([201, '0-3'])
    expect(await patch(registry, upload, '4-7', ten.subarray(4, 8))).toEqual([201, '0-3'])
    const headers = { 'content-range': '8-9' }
    const body = ten.subarray(8)
    expect((await registry.send('PUT', `${upload}?digest=${digestOf(ten)}`, { headers, body })).status).toBe(201)
  })

  it('at the address that was told, and no other', async () => {
    const registry = await start({ uploadState: true })
    const upload = await startUpload(registry)
    expect(upload).toMatch(/\?_state=/)
    const { send } = registry
    const [path] = upload.split('?')
    expect(codeOf(await send('PATCH', String(path), { body: ten }))).toBe('BLOB_UPLOAD_INVALID')
    expect((await send('PUT', `${path}?digest=${digestOf(ten)}`)).status).toBe(404)
    const patched = await send('PATCH', upload, { body: ten })
    expect(patched.status).toBe(202)
    const done = await send('PUT', `${patched.headers.location}&digest=${digestOf(ten)}`)
    expect([done.status, done.headers.location]).toEqual([201, `/v2/app/blobs/${digestOf(ten)}`])
  })
})

describe('listings', () => {
  const tags = ['a', 'b', 'c', 'd', 'e']

  async function pagesOf({ send }: Started, first: string): Promise<readonly unknown[]> {
    const pages = []
    for (let next: string | undefined = first; next !== undefined; ) {
      const response = await send('GET', next)
      pages.push(json(response).tags ?? json(response).repositories ?? json(response).manifests)
      next = /^<([^>]+)>; rel="next"$/.exec(String(response.headers.link))?.[1]
    }
    return pages
  }

  it('are of small pages, whether that is asked for or not', async () => {
    const registry = await start({ pageSize: 2 })
    for (const tag of tags) await registry.push(`app:${tag}`, app)
    for (const name of ['b', 'c']) await registry.push(`${name}:v1`, app)
    for (const type of ['text/a', 'text/b', 'text/c']) await registry.push('app', artifact({ type, subject: app }))
    const pages = [['a', 'b'], ['c', 'd'], ['e']]
    expect(await pagesOf(registry, '/v2/app/tags/list')).toEqual(pages)
    expect(await pagesOf(registry, '/v2/app/tags/list?n=1000')).toEqual(pages)
    expect(await pagesOf(registry, '/v2/app/tags/list?n=1&last=c')).toEqual([['d'], ['e']])
    expect(await pagesOf(registry, '/v2/_catalog')).toEqual([['app', 'b'], ['c']])
    expect((await pagesOf(registry, `/v2/app/referrers/${app.digest}`)).map((page) => (page as []).length)).toEqual([
      2, 1,
    ])
  })

  it('have links with an origin in them, as uploads have', async () => {
    const registry = await start({ pageSize: 2, urls: 'absolute' })
    for (const tag of tags) await registry.push(`app:${tag}`, app)
    const { headers } = await registry.send('GET', '/v2/app/tags/list')
    expect(headers.link).toBe(`<${registry.url}/v2/app/tags/list?n=2&last=b>; rel="next"`)
    expect(await pagesOf(registry, '/v2/app/tags/list')).toHaveLength(3)
    expect(await startUpload(registry)).toMatch(`${registry.url}/v2/app/blobs/uploads/`)
  })

  it('have links with a token in place of the last entry', async () => {
    const registry = await start({ pageSize: 2, pages: 'token' })
    for (const tag of tags) await registry.push(`app:${tag}`, app)
    const { headers } = await registry.send('GET', '/v2/app/tags/list')
    expect(headers.link).toMatch(/^<\/v2\/app\/tags\/list\?next_page=[\w-]+&n=2>; rel="next"$/)
    expect(await pagesOf(registry, '/v2/app/tags/list')).toEqual([['a', 'b'], ['c', 'd'], ['e']])
    expect(json(await registry.send('GET', '/v2/app/tags/list?last=b')).tags).toEqual(['a', 'b'])
  })

  it('tell more than the specification knows', async () => {
    const { send, push } = await start({ tagDetails: true })
    await push('app:v1', app)
    await push('app:v2', app)
    const { headers, body } = await send('GET', '/v2/app/tags/list')
    expect(headers['content-length']).toBe(String(body.byteLength))
    expect(JSON.parse(body.toString())).toMatchObject({
      name: 'app',
      tags: ['v1', 'v2'],
      child: [],
      manifest: { [app.digest]: { mediaType: app.mediaType, tag: ['v1', 'v2'] } },
    })
    expect((await send('GET', '/v2/none/tags/list')).status).toBe(404)
  })
})

describe('blobRedirects', () => {
  it('sends who wants a blob elsewhere, without credentials', async () => {
    const registry = await start({ blobRedirects: true, users: { alice: 'secret' } })
    await registry.push('app:v1', app)
    const [layer] = app.layers
    const headers = basic('alice', 'secret')
    const path = `/v2/app/blobs/${layer?.digest}`
    expect((await registry.send('GET', path)).status).toBe(401)
    const response = await registry.send('GET', path, { headers })
    expect(response.status).toBe(307)
    const location = String(response.headers.location)
    expect(new URL(location).origin).not.toBe(registry.url)
    const fetched = await fetch(location)
    expect([fetched.status, digestOf(new Uint8Array(await fetched.arrayBuffer()))]).toEqual([200, layer?.digest])
    expect((await fetch(location, { headers })).status).toBe(400)
    expect((await fetch(location.replace(/\?.*/, ''))).status).toBe(403)
    expect((await fetch(location.replace('/app/', '/none/'))).status).toBe(404)
    expect((await fetch(location.replace(String(layer?.digest), app.digest))).status).toBe(403)
    // What `fetch` follows by itself loses its credentials on the way.
    expect((await fetch(registry.url + path, { headers })).status).toBe(200)
    expect(registry.requests.filter({ origin: 'storage' }).map(({ status }) => status)).toEqual([
      200, 400, 403, 404, 403, 200,
    ])
    expect((await registry.send('GET', `/v2/app/blobs/sha256:${'0'.repeat(64)}`, { headers })).status).toBe(404)
  })
})
