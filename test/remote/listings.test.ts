import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextLink } from '../../src/remote/pages.ts'
import { sortedPages } from '../../src/remote/sorted-pages.ts'
import { collect, pushImage } from '../support/images.ts'
import { always, rig, status } from './rig.ts'

const TAGS = /\/tags\/list/

/** Answers with one page after the other, each with a link to the next. */
function paged(
  pages: readonly (readonly string[])[],
  link = (n: number) => `</v2/team/app/tags/list?page=${n}>; rel="next"`,
) {
  return always('GET', TAGS, (req, res) => {
    const page = Number(/page=(\d+)/.exec(req.url ?? '')?.[1] ?? 0)
    if (page + 1 < pages.length) res.setHeader('link', link(page + 1))
    res.end(JSON.stringify({ name: 'team/app', tags: pages[page] }))
  })
}

describe('RemoteTags.list', () => {
  it('asks for pages of a thousand, and for no more than it is to give', async () => {
    const { remote, registry, lines } = await rig()
    await pushImage(registry.repository('team/app'), ['a'], { tags: ['v1', 'v2', 'v3'] })
    const { tags } = remote.repository('team/app')
    expect(await collect(tags.list())).toEqual(['v1', 'v2', 'v3'])
    expect(await collect(tags.list({ after: 'v1', limit: 1 }))).toEqual(['v2'])
    expect(lines()).toEqual(['GET /v2/team/app/tags/list?n=1000', 'GET /v2/team/app/tags/list?n=1&last=v1'])
  })

  it.each([
    ['a path', (n: number) => `</v2/team/app/tags/list?page=${n}>; rel="next"`],
    ['a relative one', (n: number) => `<list?page=${n}>;rel=next`],
    [
      'among others',
      (n: number) => `</first>; rel="first", </v2/team/app/tags/list?page=${n}>; title="a, b"; rel="next"`,
    ],
  ])('follows the link to the next page: %s', async (_what, link) => {
    const rigged = await rig()
    rigged.intercept = paged([['a', 'b'], ['c'], ['d']], link)
    expect(await collect(rigged.remote.repository('team/app').tags.list())).toEqual(['a', 'b', 'c', 'd'])
  })

  it('sorts what a registry lists in another order', async () => {
    const rigged = await rig()
    rigged.intercept = paged([
      ['c', 'a'],
      ['B', 'a'],
    ])
    expect(await collect(rigged.remote.repository('team/app').tags.list({ after: 'A' }))).toEqual(['B', 'a', 'c'])
  })

  it('holds no more than 64 MiB of pages', async () => {
    const rigged = await rig()
    let asked = 0
    rigged.intercept = always('GET', TAGS, (_req, res) => {
      asked += 1
      res.setHeader('link', `</v2/team/app/tags/list?page=${asked}>; rel="next"`)
      res.end(`{"tags":["t${asked}"]}${' '.repeat(4_000_000)}`)
    })
    await expect(collect(rigged.remote.repository('team/app').tags.list())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('more than 67108864 bytes'),
    })
    // Once more each, as after an outage, would be as long again.
    expect(asked).toBe(17)
  })

  it('reads null for no tags', async () => {
    const rigged = await rig()
    rigged.intercept = always('GET', TAGS, (_req, res) => res.end('{"name":"team/app","tags":null}'))
    expect(await collect(rigged.remote.repository('team/app').tags.list())).toEqual([])
  })

  it.each([
    [
      'pages that go round in circles',
      paged([['a'], ['b'], ['c']], () => '</v2/team/app/tags/list?page=1>; rel="next"'),
      'UNAVAILABLE',
    ],
    ['a next page on another host', paged([['a'], ['b']], () => '<http://127.0.0.2:1/>; rel="next"'), 'DENIED'],
    ['a list of something else', paged([[1] as never]), 'UNAVAILABLE'],
    ['tags that are none', paged([['a/b']]), 'UNAVAILABLE'],
    ['no JSON', always('GET', TAGS, (_req, res) => res.end('<html>')), 'UNAVAILABLE'],
    ['a 404', always('GET', TAGS, status(404)), 'NAME_UNKNOWN'],
    ['a 500', always('GET', TAGS, status(500)), 'UNAVAILABLE'],
    ['a 403', always('GET', TAGS, status(403)), 'DENIED'],
  ])('rejects %s', async (_what, intercept, code) => {
    const rigged = await rig()
    rigged.intercept = intercept
    await expect(collect(rigged.remote.repository('team/app').tags.list())).rejects.toMatchObject({ code })
  })
})

describe('sortedPages', () => {
  it('gives every name once, in byte order, whatever the pages', async () => {
    const name = fc.stringMatching(/^[a-c_.-]{1,3}$/)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(name)), fc.option(name), async (pages, after) => {
        const listed = await collect(
          sortedPages(
            (async function* () {
              yield* pages
            })(),
            after === null ? {} : { after },
          ),
        )
        const expected = [...new Set(pages.flat())].filter((one) => after === null || one > after).sort()
        expect(listed).toEqual(expected)
      }),
    )
  })

  it('reads no page that a limit makes needless', async () => {
    let read = 0
    const pages = async function* () {
      for (const page of [['a', 'b'], ['c']]) {
        read += 1
        yield page
      }
    }
    expect(await collect(sortedPages(pages(), { limit: 2 }))).toEqual(['a', 'b'])
    expect(read).toBe(1)
  })
})

describe('nextLink', () => {
  it.each([
    [undefined, undefined],
    ['</a>; rel="next"', '/a'],
    ['</a>;rel=next', '/a'],
    ['</a>; rel="prev"', undefined],
    ['</a>; rel="prev", </b>; rel="next"', '/b'],
    ['</a>; rel="nextish"', undefined],
    ['</a?x=1,2;3>; rel="next"; title="x"', '/a?x=1,2;3'],
    ['<', undefined],
    ['no link', undefined],
  ])('reads %j as %j', (header, target) => {
    expect(nextLink(header)).toBe(target)
  })
})
