import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { anyone } from '../../../src/auth/access.ts'
import { createHandler } from '../../../src/http/handler.ts'
import { silentLogger } from '../../../src/logger.ts'
import { type Digest, digestOf } from '../../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../../src/spec/media-types.ts'
import { collect, descriptorOf, json, type PushedImage, pushImage } from '../../support/images.ts'
import { type Client, client, newRegistry, requestOf } from '../support.ts'

const NAME = 'team/app'
const MISSING = digestOf(Buffer.from('missing'))
const OCI = { 'content-type': MEDIA_TYPES.ociManifest }

const pathOf = (reference: string) => `/v2/${NAME}/manifests/${reference}`

/** A registry with one image, `v1`, and what is needed to push it again. */
async function withImage(
  options: Parameters<typeof client>[0] = {},
): Promise<Client & { readonly image: PushedImage }> {
  const registry = newRegistry()
  const image = await pushImage(registry.repository(NAME), ['a layer'], { tags: ['v1'] })
  return { ...client(options, registry), image }
}

/** Other images over the same blobs: only the manifest differs. */
function variant(
  { config, layers }: PushedImage,
  fields: object,
): { readonly content: Uint8Array; readonly digest: Digest } {
  const content = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers, ...fields })
  return { content, digest: digestOf(content) }
}

describe('getManifest', () => {
  it.each(['tag', 'digest'])('answers the bytes as they were pushed, by %s', async (by) => {
    const { get, image } = await withImage()
    const { status, headers, body } = await get(pathOf(by === 'tag' ? 'v1' : image.digest), { 'x-request-id': 'r1' })
    expect(status).toBe(200)
    expect(headers).toEqual({
      'docker-distribution-api-version': 'registry/2.0',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'r1',
      'content-type': MEDIA_TYPES.ociManifest,
      'content-length': String(image.content.byteLength),
      'docker-content-digest': image.digest,
      etag: `"${image.digest}"`,
      'cache-control': by === 'tag' ? 'no-cache, no-transform' : 'max-age=31536000, immutable, no-transform',
      'content-security-policy': "default-src 'none'; sandbox",
    })
    expect(body.equals(image.content)).toBe(true)
  })

  it.each([undefined, '*/*', 'application/json', MEDIA_TYPES.dockerManifest, 'text/html;q=1, nonsense'])(
    'gives the stored type, whatever Accept says: %s',
    async (accept) => {
      const { get } = await withImage()
      const { status, headers } = await get(pathOf('v1'), accept === undefined ? {} : { accept })
      expect([status, headers['content-type']]).toEqual([200, MEDIA_TYPES.ociManifest])
    },
  )

  it.each([
    ['if-none-match', (digest: Digest) => `"${digest}"`, 304],
    ['if-none-match', () => `"${MISSING}"`, 200],
    ['if-match', (digest: Digest) => `"${digest}"`, 200],
    ['if-match', () => `"${MISSING}"`, 412],
  ])('obeys %s (%#) with %i, for GET as for HEAD', async (name, value, status) => {
    const { send, image } = await withImage()
    for (const method of ['GET', 'HEAD']) {
      const headers = { [name]: value(image.digest) }
      const answer = await send(method, pathOf('v1'), { headers })
      expect(answer.status).toBe(status)
      if (status === 304) expect(answer.headers.etag).toBe(`"${image.digest}"`)
    }
  })

  it.each([pathOf('nope'), pathOf(MISSING), '/v2/nobody/manifests/v1'])(
    'answers 404 to what is not there: %s',
    async (url) => {
      const { get, send } = await withImage()
      const { status, error } = await get(url)
      expect([status, error.code]).toEqual([404, 'MANIFEST_UNKNOWN'])
      const head = await send('HEAD', url)
      expect([head.status, head.body.length]).toEqual([404, 0])
    },
  )

  it('marks what an authenticated user got as private', async () => {
    const grant = { subject: 'alice', allows: () => true }
    const { get, image } = await withImage({ access: { authorize: async () => grant } })
    expect((await get(pathOf('v1'))).headers['cache-control']).toBe('private, no-cache, no-transform')
    expect((await get(pathOf(image.digest))).headers['cache-control']).toBe(
      'private, max-age=31536000, immutable, no-transform',
    )
  })
})

describe('headManifest', () => {
  it('answers the headers of a GET and no body', async () => {
    const { send, get, image } = await withImage()
    const head = await send('HEAD', pathOf('v1'), { headers: { 'x-request-id': 'r1' } })
    expect([head.status, head.body.length]).toEqual([200, 0])
    expect(head.headers).toEqual((await get(pathOf('v1'), { 'x-request-id': 'r1' })).headers)
    expect(head.headers['content-length']).toBe(String(image.content.byteLength))
  })
})

describe('putManifest', () => {
  it('answers 201 with the location by digest', async () => {
    const { send, get, image } = await withImage()
    const { content, digest } = variant(image, { annotations: { n: '2' } })
    const { status, headers, body } = await send('PUT', pathOf('v2'), {
      body: content,
      headers: { ...OCI, 'x-request-id': 'r1' },
    })
    expect([status, body.length]).toEqual([201, 0])
    expect(headers).toEqual({
      'docker-distribution-api-version': 'registry/2.0',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'r1',
      location: pathOf(digest),
      'docker-content-digest': digest,
      etag: `"${digest}"`,
      'content-length': '0',
    })
    expect((await get(pathOf('v2'))).body.equals(content)).toBe(true)
  })

  it.each([
    'application/vnd.oci.image.manifest.v1+json; charset=utf-8',
    ' application/vnd.oci.image.manifest.v1+json ',
    undefined,
    '',
  ])('finds the type without parameters, or in the bytes: %s', async (type) => {
    const { send, get, image } = await withImage()
    const { content } = variant(image, { annotations: { n: '3' } })
    const headers = type === undefined ? {} : { 'content-type': type }
    expect((await send('PUT', pathOf('v3'), { body: content, headers })).status).toBe(201)
    expect((await get(pathOf('v3'))).headers['content-type']).toBe(MEDIA_TYPES.ociManifest)
  })

  it.each([
    ['no type at all', undefined, '{"schemaVersion":2}'],
    ['a type that is none', 'nonsense', '{}'],
    ['a type with a space', 'application/x y', '{}'],
    ['a type beyond ASCII', 'application/\u00e9', '{}'],
    ['an endless type', `application/${'x'.repeat(300)}`, '{}'],
    ['no JSON', MEDIA_TYPES.ociManifest, 'not json'],
    ['nothing', MEDIA_TYPES.ociManifest, ''],
    ['a list', MEDIA_TYPES.ociManifest, '[]'],
    [
      'another type in the bytes',
      MEDIA_TYPES.dockerManifest,
      `{"schemaVersion":2,"mediaType":"${MEDIA_TYPES.ociIndex}"}`,
    ],
  ])('refuses %s', async (_, type, body) => {
    const { send } = await withImage()
    const headers = type === undefined ? {} : { 'content-type': type }
    const { status, error } = await send('PUT', pathOf('bad'), { body, headers })
    expect([status, error.code]).toEqual([400, 'MANIFEST_INVALID'])
  })

  it('stores a manifest of a type of its own as it is', async () => {
    const { send, get } = client()
    const headers = { 'content-type': 'application/vnd.example.thing.v1+json' }
    expect((await send('PUT', pathOf('thing'), { body: '{"a":1}', headers })).status).toBe(201)
    const { headers: answered, text } = await get(pathOf('thing'))
    expect([answered['content-type'], text]).toEqual(['application/vnd.example.thing.v1+json', '{"a":1}'])
  })

  it('refuses what references blobs that are not here', async () => {
    const { send, image } = await withImage()
    const { status, error } = await send('PUT', '/v2/other/manifests/v1', { body: image.content, headers: OCI })
    expect([status, error.code]).toEqual([400, 'MANIFEST_BLOB_UNKNOWN'])
  })

  it('checks the digest in the path', async () => {
    const { send, image } = await withImage()
    const { status, error } = await send('PUT', pathOf(MISSING), { body: image.content, headers: OCI })
    expect([status, error.code]).toEqual([400, 'DIGEST_INVALID'])
  })

  it('stores by sha512 what is pushed by it', async () => {
    const { send, get, image } = await withImage()
    const { content } = variant(image, { annotations: { n: '512' } })
    const digest = digestOf(content, 'sha512')
    const { status, headers } = await send('PUT', pathOf(digest), { body: content, headers: OCI })
    expect([status, headers['docker-content-digest'], headers.location]).toEqual([201, digest, pathOf(digest)])
    expect((await get(pathOf(digest))).headers['docker-content-digest']).toBe(digest)
  })

  it('sets several tags at once, and confirms each', async () => {
    const { send, get, image } = await withImage()
    const { content, digest } = variant(image, { annotations: { n: '4' } })
    const tags = Array.from({ length: 12 }, (_, i) => `t${i}`)
    const url = `${pathOf(digest)}?${tags.map((tag) => `tag=${tag}`).join('&')}`
    const { status, headers } = await send('PUT', url, { body: content, headers: OCI })
    expect([status, headers['oci-tag']]).toEqual([201, tags])
    for (const tag of tags) expect((await get(pathOf(tag))).headers['docker-content-digest']).toBe(digest)
  })

  it('sets the tag in the path along with those in the query', async () => {
    const { send, registry, image } = await withImage()
    const { headers } = await send('PUT', `${pathOf('v2')}?tag=latest&tag=v2`, { body: image.content, headers: OCI })
    expect(headers['oci-tag']).toEqual(['v2', 'latest'])
    expect(await collect(registry.repository(NAME).tags.list())).toEqual(['latest', 'v1', 'v2'])
  })

  it('sets no tag by digest alone', async () => {
    const { send, registry, image } = await withImage()
    const { content, digest } = variant(image, { annotations: { n: '5' } })
    const { headers } = await send('PUT', pathOf(digest), { body: content, headers: OCI })
    expect(headers['oci-tag']).toBeUndefined()
    expect(await collect(registry.repository(NAME).tags.list())).toEqual(['v1'])
  })

  it.each([
    ['plainly', (text: string) => text],
    ['with its key escaped', (text: string) => text.replace('"subject"', '"\\u0073ubject"')],
  ])('confirms a subject that is spelled %s', async (_, spell) => {
    const { send, image } = await withImage()
    const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: MISSING, size: 7 }
    const body = spell(Buffer.from(variant(image, { subject }).content).toString())
    const { status, headers } = await send('PUT', pathOf('signature'), { body, headers: OCI })
    expect([status, headers['oci-subject']]).toEqual([201, MISSING])
  })

  it('takes four megabytes and refuses a byte more with 413', async () => {
    const { send, image } = await withImage()
    const limit = 4 * 1024 * 1024
    const padded = (size: number) => {
      const { byteLength } = variant(image, { annotations: { pad: '' } }).content
      return variant(image, { annotations: { pad: 'x'.repeat(size - byteLength) } }).content
    }
    expect((await send('PUT', pathOf('big'), { body: padded(limit), headers: OCI })).status).toBe(201)
    const { status, error } = await send('PUT', pathOf('big'), { body: padded(limit + 1), headers: OCI })
    expect([status, error.code, error.detail]).toEqual([413, 'MANIFEST_INVALID', { limit }])
  })

  it('reads nothing of what announces to be too large, and stops where the rest does not end', async () => {
    const { send } = await withImage({ maxManifestBytes: 1000 })
    let chunks = 0
    const endless = (async function* () {
      for (;;) {
        chunks++
        yield Buffer.alloc(100)
        await setImmediate()
      }
    })()
    const announced = await send('PUT', pathOf('x'), { body: endless, headers: { ...OCI, 'content-length': '1001' } })
    expect([announced.status, chunks]).toEqual([413, 0])
    expect([(await send('PUT', pathOf('x'), { body: endless, headers: OCI })).status, chunks]).toEqual([413, 11])
  })

  it('leaves a request that is too large to be answered: behind it is the socket', async () => {
    const { send } = await withImage({ maxManifestBytes: 100 })
    const body = Readable.from(Array(10).fill(Buffer.alloc(60)), { objectMode: false })
    const { status } = await send('PUT', pathOf('x'), { body, headers: OCI })
    expect([status, body.destroyed]).toEqual([413, false])
    body.destroy()
  })

  it('refuses encoded content', async () => {
    const { send, image } = await withImage()
    const headers = { ...OCI, 'content-encoding': 'gzip' }
    expect((await send('PUT', pathOf('v2'), { body: image.content, headers })).status).toBe(415)
  })
})

describe('putManifest of large manifests', () => {
  /** How often the backend is reached in one turn of the event loop when ten come at once. */
  async function mostPerTurn(bytes: number): Promise<number> {
    const registry = newRegistry()
    let turn = 0
    const turns: number[] = []
    const backend = {
      repositories: registry.repositories,
      repository: (name: string) => {
        const repository = registry.repository(name)
        const put: typeof repository.manifests.put = (...given) => {
          turns.push(turn)
          return repository.manifests.put(...given)
        }
        return { ...repository, manifests: Object.assign(Object.create(repository.manifests), { put }) }
      },
    }
    const body = Buffer.from(`{"schemaVersion":2,"a":"${'x'.repeat(bytes)}"}`)
    const chunks = () => Readable.from([body.subarray(0, 10), body.subarray(10)])
    const headers = { 'content-type': MEDIA_TYPES.ociManifest }
    const handler = createHandler(backend, { access: anyone(), logger: silentLogger })
    const counting = new AbortController()
    const count = async () => {
      for (; !counting.signal.aborted; turn += 1) await setImmediate()
    }
    const counted = count()
    const puts = Array.from({ length: 10 }, () =>
      handler(requestOf('PUT', '/v2/a/manifests/x', { headers, body: chunks() })),
    )
    expect((await Promise.all(puts)).map((answer) => answer?.status)).toEqual(puts.map(() => 400))
    counting.abort()
    await counted
    return Math.max(...turns.map((each) => turns.filter((other) => other === each).length))
  }

  it('looks at one per turn of the event loop', async () => {
    expect(await mostPerTurn(70_000)).toBe(1)
  })

  it('does not hold up small ones', async () => {
    expect(await mostPerTurn(10)).toBeGreaterThan(1)
  })
})

describe('putManifest with preconditions', () => {
  type Value = (current: Digest) => string
  const current: Value = (digest) => `"${digest}"`
  const other: Value = () => `"${MISSING}"`

  it.each<readonly [string, string, Value, number]>([
    ['v1', 'if-match', current, 201],
    ['v1', 'if-match', () => '*', 201],
    ['v1', 'if-match', other, 412],
    ['v1', 'if-match', (digest) => `W/"${digest}"`, 412],
    ['v1', 'if-match', (digest) => `"${MISSING}", "${digest}"`, 201],
    ['v1', 'if-match', () => '"x", "y"', 412],
    ['v1', 'if-match', () => '"not a digest"', 412],
    ['v1', 'if-match', () => '', 412],
    ['new', 'if-match', current, 412],
    ['new', 'if-match', () => '*', 412],
    ['new', 'if-none-match', () => '*', 201],
    ['v1', 'if-none-match', () => '*', 412],
    ['v1', 'if-none-match', current, 412],
    ['v1', 'if-none-match', (digest) => `W/"${digest}"`, 412],
    ['v1', 'if-none-match', other, 201],
    ['new', 'if-none-match', other, 201],
  ])('moves tag %s under %s (%#): %s gives %i', async (tag, name, value, status) => {
    const { send, get, image } = await withImage()
    const { content, digest } = variant(image, { annotations: { next: 'one' } })
    const headers = { ...OCI, [name]: value(image.digest) }
    const answer = await send('PUT', pathOf(tag), { body: content, headers })
    expect(answer.status).toBe(status)
    if (status === 412) expect(answer.error.code).toBe('DENIED')
    const now = (await get(pathOf(tag))).headers['docker-content-digest']
    const before = tag === 'v1' ? image.digest : undefined
    expect(now).toBe(status === 201 ? digest : before)
  })

  it('lets one of two people move a tag, and tells the other', async () => {
    const { send, image } = await withImage()
    const headers = { ...OCI, 'if-match': `"${image.digest}"` }
    const move = (n: string) =>
      send('PUT', pathOf('v1'), { body: variant(image, { annotations: { n } }).content, headers })
    const statuses = (await Promise.all([move('mine'), move('yours')])).map(({ status }) => status)
    expect(statuses.sort()).toEqual([201, 412])
  })

  it.each<readonly [string, Value, boolean, number]>([
    ['if-none-match', () => '*', true, 412],
    ['if-none-match', () => '*', false, 201],
    ['if-match', () => '*', true, 201],
    ['if-match', () => '*', false, 412],
    ['if-match', current, true, 201],
    ['if-match', other, true, 412],
  ])('asks of a PUT by digest whether the manifest is there: %s (%#)', async (name, value, exists, status) => {
    const { send, image } = await withImage()
    const { content, digest } = exists ? image : variant(image, { annotations: { n: 'new' } })
    const headers = { ...OCI, [name]: value(digest) }
    expect((await send('PUT', pathOf(digest), { body: content, headers })).status).toBe(status)
  })
})

describe('deleteManifest', () => {
  it('takes away a tag and leaves the manifest', async () => {
    const { send, get, image } = await withImage()
    const { status, headers } = await send('DELETE', pathOf('v1'))
    expect([status, headers['content-length']]).toEqual([202, '0'])
    expect((await get(pathOf('v1'))).status).toBe(404)
    expect((await get(pathOf(image.digest))).status).toBe(200)
    const again = await send('DELETE', pathOf('v1'))
    expect([again.status, again.error.code]).toEqual([404, 'MANIFEST_UNKNOWN'])
  })

  it('takes away a manifest and the tags that point to it', async () => {
    const { send, get, image } = await withImage()
    expect((await send('DELETE', pathOf(image.digest))).status).toBe(202)
    expect((await get(pathOf(image.digest))).status).toBe(404)
    expect((await get(pathOf('v1'))).status).toBe(404)
    expect((await send('DELETE', pathOf(image.digest))).error.code).toBe('MANIFEST_UNKNOWN')
  })
})

describe('deleteRepository', () => {
  it('takes away everything under the name', async () => {
    const { send, get, image } = await withImage()
    const { status, headers } = await send('DELETE', `/v2/${NAME}/_wharfage/repository`)
    expect([status, headers['content-length']]).toEqual([202, '0'])
    expect((await get(pathOf('v1'))).status).toBe(404)
    expect((await get(`/v2/${NAME}/blobs/${image.config.digest}`)).status).toBe(404)
    expect((await get('/v2/_catalog')).text).toBe('{"repositories":[]}\n')
  })

  it('leaves repositories inside it', async () => {
    const { send, get, registry } = await withImage()
    await pushImage(registry.repository(`${NAME}/inner`), ['x'], { tags: ['v1'] })
    await send('DELETE', `/v2/${NAME}/_wharfage/repository`)
    expect((await get('/v2/_catalog')).text).toBe(`{"repositories":["${NAME}/inner"]}\n`)
  })
})

describe('an index', () => {
  it('may list a blob as its child, as the build cache does', async () => {
    const { send, get, registry } = client()
    const layer = Buffer.from('cached layer')
    await registry.repository(NAME).blobs.put(layer)
    const body = json({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [descriptorOf(layer, 'application/vnd.oci.image.layer.v1.tar')],
    })
    const headers = { 'content-type': MEDIA_TYPES.ociIndex }
    expect((await send('PUT', pathOf('cache'), { body, headers })).status).toBe(201)
    expect((await get(pathOf('cache'))).body.equals(body)).toBe(true)
  })
})
