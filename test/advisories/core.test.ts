import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createRegistryServer } from '../../src/adapters/node.ts'
import { immutableTags } from '../../src/decorators/immutable-tags.ts'
import { readOnly } from '../../src/decorators/read-only.ts'
import { memory } from '../../src/drivers/memory.ts'
import { RegistryError } from '../../src/errors.ts'
import { createHandler, type HandlerOptions } from '../../src/http/handler.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { client, newRegistry, requestOf } from '../http/support.ts'
import { bytes, descriptorOf, json, pushImage } from '../support/images.ts'
import { close, listen } from '../support/listening.ts'
import { uncaughtErrors } from '../support/uncaught-errors.ts'

const OCI = { 'content-type': MEDIA_TYPES.ociManifest }

async function withImage(registry = newRegistry(), options: Partial<HandlerOptions> = {}) {
  const image = await pushImage(registry.repository('a'), ['layer'], { tags: ['latest'] })
  return { image, ...client(options, registry) }
}

const another = (image: { content: Uint8Array }) => {
  const content = json({ ...JSON.parse(Buffer.from(image.content).toString()), annotations: { n: '2' } })
  return { content, ...descriptorOf(content) }
}

describe('bounded requests', () => {
  it('S01, CVE-2017-11468: refuses a manifest that is too large, before or while it comes', async () => {
    const { send } = client()
    const limit = 4 * 1024 * 1024
    let read = 0
    const body = () =>
      Readable.from(
        (function* () {
          for (;;) {
            read += 65_536
            yield Buffer.alloc(65_536, ' ')
          }
        })(),
        { objectMode: false },
      )
    const announced = await send('PUT', '/v2/a/manifests/x', {
      headers: { ...OCI, 'content-length': String(limit + 1) },
      body: body(),
    })
    expect([announced.status, announced.error.code, read]).toEqual([413, 'MANIFEST_INVALID', 0])
    const endless = await send('PUT', '/v2/a/manifests/x', { headers: OCI, body: body() })
    expect([endless.status, endless.error.code]).toEqual([413, 'MANIFEST_INVALID'])
    expect(read).toBeLessThan(limit + 1024 * 1024)
  })

  it.each(['/v2/_catalog', '/v2/a/tags/list', '/v2/a/referrers/DIGEST'])(
    'S02, N04, CVE-2023-2253: gives %s no more room than it has pages',
    async (path) => {
      const { image, get } = await withImage()
      const url = path.replace('DIGEST', image.digest)
      for (const n of ['1099511627776', '9007199254740992', '9223372036854775808', '1'.repeat(300)]) {
        expect([n, (await get(`${url}?n=${n}`)).status]).toEqual([n, 200])
      }
      for (const n of ['-1', '1e3', '0x10', '', ' 5', '5 ', '1.0', '+1', '１', 'NaN']) {
        expect([n, (await get(`${url}?n=${encodeURIComponent(n)}`)).status]).toEqual([n, 400])
      }
    },
  )

  it('N05, GHSA-pj86-cfqh-vqx6: takes a parameter that is there twice for none', async () => {
    const { send, image } = await withImage()
    for (const query of ['n=1&n=2', 'last=a&last=b']) {
      expect((await send('GET', `/v2/a/tags/list?${query}`)).status).toBe(400)
    }
    const mount = `/v2/b/blobs/uploads/?mount=${image.config.digest}`
    expect((await send('POST', `${mount}&from=a&from=c`)).status).toBe(400)
    const { status } = await send('POST', `${mount}&from[0]=a&mount[x]=y`)
    expect(status).toBe(201) // "from[0]" is another parameter, and names no repository
  })
})

describe('policies hold on each route', () => {
  const writes: readonly (readonly [string, string])[] = [
    ['DELETE', '/v2/a/manifests/latest'],
    ['DELETE', '/v2/a/manifests/DIGEST'],
    ['DELETE', '/v2/a/blobs/CONFIG'],
    ['DELETE', '/v2/a/_wharfage/repository'],
    ['PUT', '/v2/a/manifests/latest'],
    ['PUT', '/v2/a/manifests/DIGEST?tag=latest'],
    ['POST', '/v2/a/blobs/uploads/'],
    ['POST', '/v2/a/blobs/uploads/?digest=CONFIG'],
    ['POST', '/v2/b/blobs/uploads/?mount=CONFIG&from=a'],
  ]

  it.each(writes)('S05, CVE-2026-41888: readOnly refuses %s %s', async (method, path) => {
    const storage = memory()
    const { image } = await withImage(new Registry({ storage, logger: silentLogger }))
    const { send, get } = client({}, new Registry({ storage, use: [readOnly()], logger: silentLogger }))
    const url = path.replace('DIGEST', image.digest).replace('CONFIG', image.config.digest)
    const body = method === 'PUT' ? image.content : ''
    expect((await send(method, url, { headers: OCI, body })).status).toBe(405)
    expect((await get('/v2/a/manifests/latest')).headers['docker-content-digest']).toBe(image.digest)
  })

  const moved = async (path: string) => {
    const registry = new Registry({ storage: memory(), use: [immutableTags()], logger: silentLogger })
    const { image, send, get } = await withImage(registry)
    const { content, digest } = another(image)
    const { status } = await send('PUT', path.replace('DIGEST', digest), { headers: OCI, body: content })
    const tag = async (name: string) => (await get(`/v2/a/manifests/${name}`)).headers['docker-content-digest']
    return [status, (await tag('latest')) === image.digest, await tag('new')]
  }

  it('A03, CVE-2026-31801: immutableTags knows no tag that is special', async () => {
    expect(await moved('/v2/a/manifests/latest')).toEqual([403, true, undefined])
  })

  it.each(['DIGEST?tag=latest', 'DIGEST?tag=new&tag=latest', 'new?tag=latest'])(
    'A04: immutableTags looks at each tag of PUT %s',
    async (reference) => {
      expect(await moved(`/v2/a/manifests/${reference}`)).toEqual([403, true, undefined])
    },
  )

  it('A04: takes a hundred tags of one PUT, and no more', async () => {
    const { send, image } = await withImage()
    const tags = (count: number) => Array.from({ length: count }, (_, i) => `tag=t${i}`).join('&')
    const put = (count: number) =>
      send('PUT', `/v2/a/manifests/${image.digest}?${tags(count)}`, { headers: OCI, body: image.content })
    expect([(await put(100)).status, (await put(101)).status]).toEqual([201, 414])
  })
})

describe('a manifest is one thing to everybody', () => {
  const layer = descriptorOf(bytes('layer'))
  const put = async (manifest: unknown, type: string) => {
    const { send } = await withImage()
    return send('PUT', '/v2/a/manifests/x', { headers: { 'content-type': type }, body: json(manifest) })
  }

  it.each<[string, unknown, string]>([
    [
      'an image with manifests',
      { schemaVersion: 2, config: layer, layers: [layer], manifests: [] },
      MEDIA_TYPES.ociManifest,
    ],
    ['an index with layers', { schemaVersion: 2, manifests: [], layers: [layer] }, MEDIA_TYPES.ociIndex],
    ['an index with a config', { schemaVersion: 2, manifests: [], config: layer }, MEDIA_TYPES.ociIndex],
    [
      'another type inside',
      { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, config: layer, layers: [] },
      MEDIA_TYPES.ociManifest,
    ],
    [
      'N01: a key in another case',
      { schemaVersion: 2, config: layer, layers: [], Layers: [layer] },
      MEDIA_TYPES.ociManifest,
    ],
  ])(
    'S06, CVE-2021-41190, GHSA-qq97-vm5h-rrhg, GHSA-mc8v-mgrf-8f4m, GHSA-77vh-xpmg-72qh: not %s',
    async (_, manifest, type) => {
      const { status, error } = await put(manifest, type)
      expect([status, error.code]).toEqual([400, 'MANIFEST_INVALID'])
    },
  )

  it('S06: is served as the type that it was pushed as, whatever is accepted', async () => {
    const { get } = await withImage()
    const { headers } = await get('/v2/a/manifests/latest', { accept: MEDIA_TYPES.ociIndex })
    expect(headers['content-type']).toBe(MEDIA_TYPES.ociManifest)
  })

  it('N01: not one with the same key twice', async () => {
    const { send } = client()
    const body = `{"schemaVersion":2,"schemaVersion":2,"config":{},"layers":[]}`
    expect((await send('PUT', '/v2/a/manifests/x', { headers: OCI, body })).status).toBe(400)
  })

  it('S10, N02, CVE-2019-16097: changes nothing but itself', async () => {
    const { send, image } = await withImage()
    const text = Buffer.from(image.content).toString()
    const body = text.replace('{', '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}},')
    await send('PUT', '/v2/a/manifests/x', { headers: OCI, body })
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
  })

  it('N03: is not looked into without end', async () => {
    const { send } = client()
    const body = `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`
    const { status, error } = await send('PUT', '/v2/a/manifests/x', { headers: OCI, body })
    expect([status, error.code]).toEqual([400, 'MANIFEST_INVALID'])
  })

  it.each(['text/html', 'image/svg+xml', 'application/xml', 'text/javascript', 'application/xhtml+xml'])(
    'S14: is not %s',
    async (type) => {
      expect((await put({ schemaVersion: 2 }, type)).status).toBe(400)
    },
  )

  it('N11: has a type without line breaks', async () => {
    const { send, image } = await withImage()
    for (const type of ['a/b\r\nx: y', 'a/b\0', 'a/é', 'a b/c']) {
      const { status } = await send('PUT', '/v2/a/manifests/x', {
        headers: { 'content-type': type },
        body: image.content,
      })
      expect([type, status]).toEqual([type, 400])
    }
  })
})

describe('repositories see nothing of one another', () => {
  it('A02, CVE-2024-39897: a digest that is elsewhere is not here, and asking does not bring it', async () => {
    const { send, image } = await withImage()
    for (const method of ['HEAD', 'GET', 'HEAD', 'GET']) {
      expect((await send(method, `/v2/b/blobs/${image.config.digest}`)).status).toBe(404)
      expect((await send(method, `/v2/b/manifests/${image.digest}`)).status).toBe(404)
    }
    expect((await send('GET', '/v2/_catalog')).text).toBe('{"repositories":["a"]}\n')
  })

  it('A10, CVE-2022-31667, CVE-2024-22278: what a URL names is looked for where it says', async () => {
    const { send, image, registry } = await withImage()
    await pushImage(registry.repository('b'), ['other'], { tags: ['v1'] })
    for (const url of [
      `/v2/b/manifests/${image.digest}`,
      `/v2/b/blobs/${image.config.digest}`,
      `/v2/b/manifests/latest`,
      '/v2/a/manifests/v1',
    ]) {
      expect([url, (await send('DELETE', url)).status]).toEqual([url, 404])
    }
    const { headers } = await send('POST', '/v2/a/blobs/uploads/')
    const elsewhere = String(headers.location).replace('/v2/a/', '/v2/b/')
    for (const method of ['GET', 'PATCH', 'DELETE']) expect((await send(method, elsewhere)).status).toBe(404)
    expect((await send('GET', String(headers.location))).status).toBe(204)
  })
})

describe('what is served is nothing that a browser runs', () => {
  it('S14, CVE-2026-13323: neither a blob nor a manifest', async () => {
    const { send, get } = await withImage()
    const html = bytes('<script>alert(document.domain)</script>')
    await send('POST', `/v2/a/blobs/uploads/?digest=${descriptorOf(html).digest}`, { body: html })
    for (const url of [`/v2/a/blobs/${descriptorOf(html).digest}`, '/v2/a/manifests/latest']) {
      expect((await get(url, { accept: 'text/html' })).headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.stringContaining('sandbox'),
      })
    }
    const { headers } = await get(`/v2/a/blobs/${descriptorOf(html).digest}`)
    expect(headers['content-type']).toBe('application/octet-stream')
  })

  it('S12: tells in headers what is meant for clients, and nothing of the storage', async () => {
    const { get, image } = await withImage()
    const known = new Set(
      'accept-ranges cache-control content-digest content-disposition content-length content-security-policy content-type docker-content-digest docker-distribution-api-version etag x-content-type-options x-request-id'.split(
        ' ',
      ),
    )
    for (const url of [`/v2/a/blobs/${image.config.digest}`, '/v2/a/manifests/latest']) {
      const { status, headers } = await get(url)
      expect([status, Object.keys(headers).filter((name) => !known.has(name))]).toEqual([200, []])
    }
  })
})

describe('access', () => {
  it('S11, CVE-2026-4404: has no default', () => {
    expect(() => createHandler(newRegistry(), {} as HandlerOptions)).toThrow(/anyone\(\)/)
    expect(() => createHandler(newRegistry(), { access: undefined } as unknown as HandlerOptions)).toThrow(/anyone\(\)/)
  })

  it('N10: has no Location of a host that a client made up', async () => {
    const { send } = client()
    for (const headers of [{ host: 'evil.test' }, { host: 'a.test', 'x-forwarded-host': 'evil.test' }]) {
      const { headers: answered } = await send('POST', '/v2/a/blobs/uploads/', { headers })
      expect(answered.location).toMatch(/^\/v2\/a\/blobs\/uploads\//)
    }
  })

  it('N09: answers HEAD of a blob without opening it', async () => {
    const { image, registry } = await withImage()
    let opened = 0
    const watched = {
      repositories: registry.repositories.bind(registry),
      repository: (name: string) => {
        const repository = registry.repository(name)
        const open: typeof repository.blobs.open = (...given) => {
          opened++
          return repository.blobs.open(...given)
        }
        return {
          ...repository,
          manifests: repository.manifests,
          blobs: Object.assign(Object.create(repository.blobs), { open }),
        }
      },
    }
    const handler = createHandler(watched as never, {
      access: () => ({ subject: 'a', allows: () => true }),
      logger: silentLogger,
    })
    const answer = await handler(requestOf('HEAD', `/v2/a/blobs/${image.config.digest}`))
    expect([answer?.status, answer?.headers['content-length'], opened]).toEqual([200, String(image.config.size), 0])
  })

  it('N08: is told not to compress what it carries', async () => {
    const { get, image } = await withImage()
    for (const url of [`/v2/a/blobs/${image.config.digest}`, '/v2/a/manifests/latest']) {
      const { headers, body } = await get(url, { 'accept-encoding': 'gzip, br' })
      expect(headers['cache-control']).toContain('no-transform')
      expect([headers['content-encoding'], headers['content-length']]).toEqual([undefined, String(body.byteLength)])
    }
  })

  it('N15: does not end the process by clients that leave', async () => {
    const uncaught = uncaughtErrors()
    const access = ({ method }: { method: string }) =>
      method === 'PUT' ? Promise.reject(new RegistryError('DENIED')) : { subject: 'a', allows: () => true }
    const server = createRegistryServer(newRegistry(), { access, logger: silentLogger })
    const origin = await listen(server)
    for (const head of ['PUT /v2/a/manifests/x', 'POST /v2/a/blobs/uploads/?digest=sha256:'.padEnd(102, '0')]) {
      const socket = connect(Number(new URL(origin).port), '127.0.0.1')
      socket.write(`${head} HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 100000\r\n\r\n`)
      socket.write('part of it', () => socket.resetAndDestroy())
      await once(socket, 'close')
    }
    const answer = await fetch(`${origin}/v2/`, { headers: { connection: 'close' } })
    await close(server)
    expect([answer.status, uncaught]).toEqual([200, []])
  })
})
