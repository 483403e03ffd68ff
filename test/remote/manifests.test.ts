import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { collect, descriptorOf, json, pushImage } from '../support/images.ts'
import { always, first, rig, status } from './rig.ts'

const INDEX = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] })
const DIGEST = digestOf(INDEX)
const MANIFEST = /\/manifests\//
const REFERRERS = /\/referrers\//
const PUT = { mediaType: MEDIA_TYPES.ociIndex }

describe('RemoteManifests', () => {
  it('asks for every kind of manifest, by HEAD and by GET', async () => {
    const { remote, registry, seen } = await rig()
    await registry.repository('team/app').manifests.put(INDEX, { ...PUT, tags: ['v1'] })
    const { manifests } = remote.repository('team/app')
    const descriptor = { mediaType: MEDIA_TYPES.ociIndex, digest: DIGEST, size: INDEX.byteLength }
    expect(await manifests.stat('v1')).toEqual(descriptor)
    expect(await manifests.get('v1')).toEqual({ descriptor, content: Buffer.from(INDEX) })
    for (const { headers } of seen) {
      expect(headers.accept?.split(', ')).toEqual([
        'application/vnd.oci.image.manifest.v1+json',
        'application/vnd.oci.image.index.v1+json',
        'application/vnd.docker.distribution.manifest.v2+json',
        'application/vnd.docker.distribution.manifest.list.v2+json',
        '*/*',
      ])
    }
  })

  it.each(['content-length', 'content-type', 'docker-content-digest'])(
    'gets what a HEAD does not tell: %s',
    async (name) => {
      const rigged = await rig()
      await rigged.registry.repository('team/app').manifests.put(INDEX, { ...PUT, tags: ['v1'] })
      rigged.intercept = always('HEAD', MANIFEST, (_req, res) => {
        const headers = {
          'content-length': String(INDEX.byteLength),
          'content-type': MEDIA_TYPES.ociIndex,
          'docker-content-digest': DIGEST,
          [name]: undefined,
        }
        for (const [key, value] of Object.entries(headers)) if (value !== undefined) res.setHeader(key, value)
        res.writeHead(200).end()
      })
      expect(await rigged.remote.repository('team/app').manifests.stat('v1')).toMatchObject({
        digest: DIGEST,
        mediaType: MEDIA_TYPES.ociIndex,
        size: INDEX.byteLength,
      })
      expect(rigged.lines()).toEqual(['HEAD /v2/team/app/manifests/v1', 'GET /v2/team/app/manifests/v1'])
    },
  )

  it.each([
    ['under a digest', DIGEST, {}],
    ['under a tag, by its header', 'v1', { 'docker-content-digest': DIGEST }],
  ])('rejects other bytes %s', async (_what, reference, headers) => {
    const rigged = await rig()
    rigged.intercept = always('GET', MANIFEST, (_req, res) =>
      res.writeHead(200, { 'content-type': MEDIA_TYPES.ociIndex, ...headers }).end('{"schemaVersion":2}'),
    )
    await expect(rigged.remote.repository('team/app').manifests.get(reference)).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    })
  })

  it('reads no more than four megabytes', async () => {
    const rigged = await rig()
    rigged.intercept = always('GET', MANIFEST, (_req, res) => {
      res.writeHead(200, { 'content-type': MEDIA_TYPES.ociIndex })
      const more = () => {
        while (res.write(Buffer.alloc(65_536, ' ')));
        res.once('drain', more)
      }
      more()
    })
    await expect(rigged.remote.repository('team/app').manifests.get('v1')).rejects.toMatchObject({
      code: 'SIZE_INVALID',
      message: expect.stringContaining('more than 4194304 bytes'),
    })
  })

  it('puts by tag, by digest, or with several tags at once', async () => {
    const { remote, lines } = await rig()
    const { manifests } = remote.repository('team/app')
    await manifests.put(INDEX, { ...PUT, tags: ['v1'] })
    await manifests.put(INDEX, { ...PUT, tags: ['v2', 'latest'] })
    await manifests.put(INDEX, PUT)
    expect(lines()).toEqual([
      'PUT /v2/team/app/manifests/v1',
      `PUT /v2/team/app/manifests/${DIGEST}?tag=v2&tag=latest`,
      `PUT /v2/team/app/manifests/${DIGEST}`,
    ])
  })

  it('puts one tag after the other where a registry knows no parameter for them', async () => {
    const rigged = await rig()
    rigged.intercept = always('PUT', /\?tag=/, status(201))
    await rigged.remote.repository('team/app').manifests.put(INDEX, { ...PUT, tags: ['v1', 'latest'] })
    expect(rigged.lines()).toEqual([
      `PUT /v2/team/app/manifests/${DIGEST}?tag=v1&tag=latest`,
      'PUT /v2/team/app/manifests/v1',
      'PUT /v2/team/app/manifests/latest',
    ])
  })

  it.each([
    ['null', null, { 'if-none-match': '*' }],
    ['any', 'any', { 'if-match': '*' }],
    ['a digest', DIGEST, { 'if-match': `"${DIGEST}"` }],
  ] as const)('sends along what a tag is expected to be: %s', async (_what, expected, headers) => {
    const { remote, registry, seen } = await rig()
    const tag = expected === null ? 'new' : 'v1'
    await registry.repository('team/app').manifests.put(INDEX, { ...PUT, tags: ['v1'] })
    await remote.repository('team/app').manifests.put(INDEX, { ...PUT, tags: [tag], expected })
    expect(seen.at(-1)?.headers).toMatchObject(headers)
  })

  it('rejects a tag that is not as expected, without sending the manifest', async () => {
    const { remote, registry, lines } = await rig()
    await registry.repository('team/app').manifests.put(INDEX, { ...PUT, tags: ['v1'] })
    const put = remote.repository('team/app').manifests.put(INDEX, { ...PUT, tags: ['v1'], expected: null })
    await expect(put).rejects.toMatchObject({ code: 'DENIED', status: 412 })
    expect(lines()).toEqual(['HEAD /v2/team/app/manifests/v1'])
  })

  it('is not sent again on a condition that it may have met already', async () => {
    const rigged = await rig()
    rigged.intercept = always('PUT', MANIFEST, async (req) => {
      await rigged.registry.repository('team/app').manifests.put(INDEX, { ...PUT, tags: ['v1'] })
      req.socket.destroy()
    })
    const put = rigged.remote.repository('team/app').manifests.put(INDEX, { ...PUT, tags: ['v1'], expected: null })
    await expect(put).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(rigged.lines()).toEqual(['HEAD /v2/team/app/manifests/v1', 'PUT /v2/team/app/manifests/v1'])
  })

  it('rejects when the registry says that it stored something else', async () => {
    const rigged = await rig()
    rigged.intercept = always('PUT', MANIFEST, status(201, { 'docker-content-digest': digestOf(Buffer.from('other')) }))
    await expect(rigged.remote.repository('team/app').manifests.put(INDEX, PUT)).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    })
  })
})

describe('RemoteManifests.referrers', () => {
  const noApi = always('GET', REFERRERS, status(404))

  it('reads all pages of the API, in byte order', async () => {
    const rigged = await rig()
    const entries = ['one', 'two', 'three'].map((text) => ({ ...descriptorOf(json(text)), artifactType: 'text/plain' }))
    const page = (manifests: unknown[]) => json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests })
    rigged.intercept = always('GET', REFERRERS, (req, res) => {
      const isFirst = !req.url?.includes('page=2')
      res.setHeader('content-type', MEDIA_TYPES.ociIndex)
      if (isFirst) res.setHeader('link', `<${req.url}?page=2>; rel="next"`)
      res.end(page(isFirst ? entries.slice(0, 2) : entries.slice(2)))
    })
    const found = await collect(rigged.remote.repository('team/app').manifests.referrers(DIGEST))
    expect(found.map(({ digest }) => digest)).toEqual(entries.map(({ digest }) => digest).sort())
  })

  it('keeps the fallback tag where there is no API, and reads it', async () => {
    const rigged = await rig()
    const { registry, remote } = rigged
    const image = await pushImage(registry.repository('team/app'), ['a'], { tags: ['v1'] })
    rigged.intercept = (req, res) => {
      // As a registry that knows nothing of subjects answers.
      const { writeHead } = res
      res.writeHead = ((code: number, headers: Record<string, unknown>) => {
        const { 'oci-subject': _, ...rest } = headers
        return writeHead.call(res, code, rest as never)
      }) as typeof writeHead
      return noApi(req, res)
    }
    const subject = descriptorOf(image.content, MEDIA_TYPES.ociManifest)
    const repository = remote.repository('team/app')
    const signature = await pushImage(repository, ['s'], { subject, artifactType: 'application/x-signature' })
    const sbom = await pushImage(repository, ['b'], { subject, artifactType: 'application/x-sbom' })
    const tag = image.digest.replace(':', '-')
    const { content } = await registry.repository('team/app').manifests.get(tag)
    const entry = (pushed: typeof sbom, artifactType: string) => ({
      ...descriptorOf(pushed.content, MEDIA_TYPES.ociManifest),
      artifactType,
    })
    expect(JSON.parse(Buffer.from(content).toString())).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [entry(signature, 'application/x-signature'), entry(sbom, 'application/x-sbom')],
    })
    const listed = async (artifactType?: string) =>
      (await collect(repository.manifests.referrers(image.digest, { ...(artifactType && { artifactType }) }))).map(
        ({ digest }) => digest,
      )
    expect(await listed()).toEqual([signature.digest, sbom.digest].sort())
    expect(await listed('application/x-sbom')).toEqual([sbom.digest])
    await repository.manifests.delete(sbom.digest)
    expect(await listed()).toEqual([signature.digest])
  })

  it('tries again when somebody else changed the fallback tag in between', async () => {
    const rigged = await rig()
    const { registry, remote } = rigged
    const image = await pushImage(registry.repository('team/app'), ['a'], { tags: ['v1'] })
    const subject = descriptorOf(image.content, MEDIA_TYPES.ociManifest)
    const tag = image.digest.replace(':', '-')
    const other = { ...descriptorOf(json('other')), mediaType: MEDIA_TYPES.ociManifest, artifactType: 'text/other' }
    const theirs = json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [other] })
    const race = first('PUT', new RegExp(tag), async (_req, res) => {
      await registry.repository('team/app').manifests.put(theirs, { ...PUT, tags: [tag] })
      status(412)(_req, res)
    })
    rigged.intercept = (req, res) => {
      if (req.method === 'PUT' && !req.url?.includes(tag)) {
        const { writeHead } = res
        res.writeHead = ((code: number, headers: Record<string, unknown>) => {
          const { 'oci-subject': _, ...rest } = headers
          return writeHead.call(res, code, rest as never)
        }) as typeof writeHead
      }
      return noApi(req, res) === true || race(req, res)
    }
    const signature = await pushImage(remote.repository('team/app'), ['s'], { subject, artifactType: 'text/sign' })
    const found = await collect(remote.repository('team/app').manifests.referrers(image.digest))
    expect(found.map(({ digest }) => digest)).toEqual([signature.digest, other.digest].sort())
  })

  it('does not take an outage for an API that is not there', async () => {
    const rigged = await rig()
    rigged.intercept = always('GET', REFERRERS, status(500))
    await expect(collect(rigged.remote.repository('team/app').manifests.referrers(DIGEST))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
  })
})
