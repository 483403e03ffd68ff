import { once } from 'node:events'
import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { anyone, type Grant } from '../../../src/auth/access.ts'
import { type Backend, decorate } from '../../../src/backend.ts'
import { RegistryError } from '../../../src/errors.ts'
import { createHandler } from '../../../src/http/handler.ts'
import { silentLogger } from '../../../src/logger.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../../src/spec/media-types.ts'
import { pushImage } from '../../support/images.ts'
import { type Answer, type Client, client, newRegistry, read, requestOf } from '../support.ts'

const LINK = /^<(.+)>; rel="next"$/

/** Follows `Link` to its end. */
async function pages({ get }: Client, url: string): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  for (let next: string | undefined = url; next !== undefined; ) {
    const answer = await get(next)
    answers.push(answer)
    next = LINK.exec(String(answer.headers.link))?.[1]
  }
  return answers
}

async function withTags(...tags: readonly string[]): Promise<Client> {
  const registry = newRegistry()
  await pushImage(registry.repository('team/app'), ['x'], { tags })
  return client({}, registry)
}

/** A backend whose tags are made up. */
function tagged(list: () => AsyncGenerator<string>): Backend {
  return decorate(newRegistry(), { tags: (tags) => ({ ...tags, list }) as typeof tags })
}

async function* numbered(count: number): AsyncGenerator<string> {
  for (let i = 0; i < count; i++) yield `tag-${String(i).padStart(7, '0')}`
}

describe('listTags', () => {
  it('lists every tag in byte order, with its length', async () => {
    const { get } = await withTags('b', 'a', 'B', '_', 'a-1', 'a.1', '10', '9')
    const { status, headers, text } = await get('/v2/team/app/tags/list')
    expect(text).toBe('{"name":"team/app","tags":["10","9","B","_","a","a-1","a.1","b"]}\n')
    expect([status, headers['content-type'], headers['content-length'], headers.link]).toEqual([
      200,
      'application/json',
      String(text.length),
      undefined,
    ])
  })

  it('lists no tags where there are manifests and no tag', async () => {
    const { get } = await withTags()
    expect((await get('/v2/team/app/tags/list')).text).toBe('{"name":"team/app","tags":[]}\n')
  })

  it.each(['', '?n=10', '?n=0', '?last=x'])('answers 404 for a repository that is not there: %s', async (query) => {
    const { status, error } = await client().get(`/v2/nobody/tags/list${query}`)
    expect([status, error.code]).toEqual([404, 'NAME_UNKNOWN'])
  })

  it.each([
    ['?n=2', ['a', 'b'], '/v2/team/app/tags/list?n=2&last=b'],
    ['?n=2&last=b', ['c', 'd'], '/v2/team/app/tags/list?n=2&last=d'],
    ['?n=2&last=d', ['e'], undefined],
    ['?n=5', ['a', 'b', 'c', 'd', 'e'], undefined],
    ['?n=4', ['a', 'b', 'c', 'd'], '/v2/team/app/tags/list?n=4&last=d'],
    ['?n=100000', ['a', 'b', 'c', 'd', 'e'], undefined],
    ['?n=0', [], undefined],
    ['?n=0&last=a', [], undefined],
    ['?last=c', ['d', 'e'], undefined],
    ['?last=bb', ['c', 'd', 'e'], undefined],
    ['?last=z', [], undefined],
    ['?n=3&last=z', [], undefined],
  ])('pages: %s', async (query, tags, next) => {
    const { get } = await withTags('a', 'b', 'c', 'd', 'e')
    const { status, headers, text } = await get(`/v2/team/app/tags/list${query}`)
    expect([status, JSON.parse(text).tags, headers.link]).toEqual([
      200,
      tags,
      next === undefined ? undefined : `<${next}>; rel="next"`,
    ])
  })

  it('clamps n and keeps to that in the link', async () => {
    const { registry } = await withTags('a', 'b', 'c')
    const { get } = client({ maxPageSize: 2 }, registry)
    const { headers, text } = await get('/v2/team/app/tags/list?n=99999999999999999999')
    expect([JSON.parse(text).tags, headers.link]).toEqual([
      ['a', 'b'],
      '</v2/team/app/tags/list?n=2&last=b>; rel="next"',
    ])
  })

  it('comes by its links to the whole list, behind a mount path', async () => {
    const tags = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    const { registry } = await withTags(...tags)
    const plain = client({}, registry)
    const mounted = {
      ...plain,
      get: (url: string) => plain.send('GET', url, { mountPath: '/deep' }),
    }
    const answers = await pages(mounted, '/deep/v2/team/app/tags/list?n=3')
    expect(answers.map(({ text }) => JSON.parse(text).tags)).toEqual([['a', 'b', 'c'], ['d', 'e', 'f'], ['g']])
  })

  it('answers HEAD without a body', async () => {
    const { send } = await withTags('a')
    const { status, body } = await send('HEAD', '/v2/team/app/tags/list')
    expect([status, body.length]).toEqual([200, 0])
  })

  it('streams a long list whole, in bounded memory, both ways', async () => {
    const count = 100_000
    let taken = 0
    const list = async function* () {
      for await (const tag of numbered(count)) {
        taken++
        yield tag
      }
    }
    const handler = createHandler(tagged(list), { access: anyone() })
    const response = await handler(requestOf('GET', '/v2/a/tags/list'))
    expect(response?.headers['content-length']).toBeUndefined()
    expect(taken).toBeLessThan(count / 5) // nothing reads ahead of the client
    const streamed = response && (await read(response))
    expect(JSON.parse(streamed?.text ?? '').tags).toHaveLength(count)

    const again = await handler(requestOf('GET', '/v2/a/tags/list'))
    const body = again?.body
    if (body === null || typeof body !== 'object' || !('sendTo' in body)) throw new Error('not streamed')
    let text = ''
    const sink = new Writable({
      write(chunk, _, done) {
        text += chunk
        done()
      },
    })
    await body.sendTo(sink)
    expect([sink.writableEnded, text === streamed?.text]).toEqual([false, true])
  })

  it.each(['HEAD', 'GET'])('closes the listing when nobody reads on: %s', async (method) => {
    let closed = false
    const list = async function* () {
      try {
        yield* numbered(100_000)
      } finally {
        closed = true
      }
    }
    const handler = createHandler(tagged(list), { access: anyone() })
    const response = await handler(requestOf(method, '/v2/a/tags/list'))
    const body = response?.body ?? null
    if (body !== null && typeof body === 'object' && 'stream' in body) {
      const stream = body.stream()
      const gone = once(stream, 'close')
      stream.destroy()
      await gone
    }
    expect([response?.status, closed]).toEqual([200, true])
  })

  it('breaks off when the listing fails midway: half a list must not pass for one', async () => {
    const list = async function* () {
      yield* numbered(50_000)
      throw new RegistryError('UNAVAILABLE')
    }
    const handler = createHandler(tagged(list), { access: anyone() })
    const response = await handler(requestOf('GET', '/v2/a/tags/list'))
    await expect(response && read(response)).rejects.toThrow('service unavailable')
  })

  it('answers an error document when the listing fails early', async () => {
    const list = async function* () {
      yield* numbered(10)
      throw new RegistryError('UNAVAILABLE')
    }
    const handler = createHandler(tagged(list), { access: anyone(), logger: silentLogger })
    expect((await handler(requestOf('GET', '/v2/a/tags/list')))?.status).toBe(503)
  })
})

describe('catalog', () => {
  async function withRepositories(grant?: Partial<Grant>, maxPageSize?: number): Promise<Client> {
    const registry = newRegistry()
    for (const name of ['b', 'a', 'a/b', 'a-b', 'c/d/e']) await pushImage(registry.repository(name), ['x'])
    await registry.repository('blobs/only').blobs.put(Buffer.from('x'))
    const access = grant && { authorize: async () => ({ subject: undefined, allows: () => true, ...grant }) }
    return client({ ...(access && { access }), ...(maxPageSize !== undefined && { maxPageSize }) }, registry)
  }

  it('lists the repositories that hold a manifest, in byte order', async () => {
    const { get } = await withRepositories()
    const { status, headers, text } = await get('/v2/_catalog')
    expect(text).toBe('{"repositories":["a","a-b","a/b","b","c/d/e"]}\n')
    expect([status, headers['content-type'], headers['content-length'], headers.link]).toEqual([
      200,
      'application/json',
      String(text.length),
      undefined,
    ])
  })

  it.each([
    ['?n=2', ['a', 'a-b'], '/v2/_catalog?n=2&last=a-b'],
    ['?n=2&last=a-b', ['a/b', 'b'], '/v2/_catalog?n=2&last=b'],
    ['?n=2&last=b', ['c/d/e'], undefined],
    ['?n=1&last=a-b', ['a/b'], '/v2/_catalog?n=1&last=a%2Fb'],
    ['?n=5', ['a', 'a-b', 'a/b', 'b', 'c/d/e'], undefined],
    ['?n=0', [], undefined],
    ['?last=b', ['c/d/e'], undefined],
    ['?last=zzz', [], undefined],
  ])('pages: %s', async (query, names, next) => {
    const { get } = await withRepositories()
    const { status, headers, text } = await get(`/v2/_catalog${query}`)
    expect([status, JSON.parse(text).repositories, headers.link]).toEqual([
      200,
      names,
      next === undefined ? undefined : `<${next}>; rel="next"`,
    ])
  })

  it('gives a page of the largest size without n, and a link to the rest', async () => {
    const session = await withRepositories(undefined, 2)
    const answers = await pages(session, '/v2/_catalog')
    expect(answers.map(({ text }) => JSON.parse(text).repositories)).toEqual([['a', 'a-b'], ['a/b', 'b'], ['c/d/e']])
  })

  it('shows what the caller may pull, asking name by name where that is all a grant can do', async () => {
    const session = await withRepositories({ allows: ({ name }) => !name.startsWith('a/') && name !== 'b' })
    const answers = await pages(session, '/v2/_catalog?n=2')
    expect(answers.map(({ text }) => JSON.parse(text).repositories)).toEqual([['a', 'a-b'], ['c/d/e']])
  })

  it('asks a page at a time, and believes no name that it did not ask about', async () => {
    const asked: (readonly string[])[] = []
    const visible = async (names: readonly string[]) => {
      asked.push(names)
      return ['secret', ...names.filter((name) => name !== 'a-b')].reverse()
    }
    const { get } = await withRepositories({ visible })
    const { text, headers } = await get('/v2/_catalog?n=2')
    expect(JSON.parse(text).repositories).toEqual(['a', 'a/b'])
    expect(headers.link).toBe('</v2/_catalog?n=2&last=a%2Fb>; rel="next"')
    expect(asked).toEqual([
      ['a', 'a-b', 'a/b'],
      ['b', 'c/d/e'],
    ])
  })
})

describe('listReferrers', () => {
  const SUBJECT = digestOf(Buffer.from('the subject'))
  const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: SUBJECT, size: 11 }
  const url = `/v2/team/app/referrers/${SUBJECT}`

  async function withReferrers(options: Parameters<typeof client>[0] = {}): Promise<Client> {
    const registry = newRegistry()
    const repository = registry.repository('team/app')
    for (const n of ['1', '2', '3', '4']) {
      const artifactType = n === '4' ? 'application/x.sbom+json' : 'application/x.signature'
      await pushImage(repository, ['x'], { subject, artifactType, annotations: { n } })
    }
    // An index that has no artifact type.
    const index = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [], subject }),
    )
    await repository.manifests.put(index, { mediaType: MEDIA_TYPES.ociIndex })
    return client(options, registry)
  }

  const manifestsOf = ({ text }: Answer) => JSON.parse(text).manifests

  it('answers an index, in byte order of digests, with types and annotations', async () => {
    const { get } = await withReferrers()
    const answer = await get(url)
    expect([answer.status, answer.headers['content-type'], answer.headers['content-length']]).toEqual([
      200,
      MEDIA_TYPES.ociIndex,
      String(answer.body.length),
    ])
    const { schemaVersion, mediaType, manifests } = JSON.parse(answer.text)
    expect([schemaVersion, mediaType, manifests.length]).toEqual([2, MEDIA_TYPES.ociIndex, 5])
    const digests = manifests.map(({ digest }: { digest: string }) => digest)
    expect(digests).toEqual([...digests].sort())
    const sbom = manifests.find(({ artifactType }: { artifactType?: string }) => artifactType?.includes('sbom'))
    expect(sbom).toMatchObject({ mediaType: MEDIA_TYPES.ociManifest, annotations: { n: '4' } })
    expect([answer.headers['oci-filters-applied'], answer.headers.link]).toEqual([undefined, undefined])
  })

  it.each([`/v2/nobody/referrers/${SUBJECT}`, `/v2/team/app/referrers/${digestOf(Buffer.from('x'))}`])(
    'answers an empty index where nothing refers: %s',
    async (path) => {
      const { get } = await withReferrers()
      const { status, text } = await get(path)
      expect([status, text]).toEqual([
        200,
        `{"schemaVersion":2,"mediaType":"${MEDIA_TYPES.ociIndex}","manifests":[]}\n`,
      ])
    },
  )

  it.each([
    ['application/x.signature', 3],
    ['application%2Fx.sbom%2Bjson', 1],
    ['application/none', 0],
    ['', 1],
  ])('filters by artifactType=%s, and says so', async (type, count) => {
    const { get } = await withReferrers()
    const answer = await get(`${url}?artifactType=${type}`)
    expect([answer.status, answer.headers['oci-filters-applied'], manifestsOf(answer).length]).toEqual([
      200,
      'artifactType',
      count,
    ])
  })

  it('pages by n, keeping the filter', async () => {
    const session = await withReferrers()
    const all = manifestsOf(await session.get(`${url}?artifactType=application/x.signature`))
    const answers = await pages(session, `${url}?n=2&artifactType=application/x.signature`)
    expect(answers.map((answer) => manifestsOf(answer).length)).toEqual([2, 1])
    expect(answers.flatMap(manifestsOf)).toEqual(all)
    expect(answers[0]?.headers.link).toMatch(/artifactType=application%2Fx.signature/)
  })

  it('pages by itself before an index grows too large', async () => {
    const session = await withReferrers({ maxManifestBytes: 700 })
    const answers = await pages(session, url)
    expect(answers.length).toBeGreaterThan(1)
    expect(answers.flatMap(manifestsOf)).toHaveLength(5)
    for (const { body } of answers) expect(body.length).toBeLessThanOrEqual(700)
  })

  it('gives one descriptor at least, however large', async () => {
    const answers = await pages(await withReferrers({ maxManifestBytes: 1 }), url)
    expect(answers.map((answer) => manifestsOf(answer).length)).toEqual([1, 1, 1, 1, 1])
  })

  it('clamps n to the largest page', async () => {
    const answers = await pages(await withReferrers({ maxPageSize: 3 }), `${url}?n=1000`)
    expect(answers.map((answer) => manifestsOf(answer).length)).toEqual([3, 2])
  })
})
