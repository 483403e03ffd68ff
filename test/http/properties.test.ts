import { isAbsolute, join, relative } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import { isRepositoryName, isTag } from '../../src/spec/name.ts'
import { blobData, digestOfLinkKey, REPOSITORIES, RepositoryLayout } from '../../src/storage/layout.ts'
import { pushImage } from '../support/images.ts'
import { type Client, client } from './support.ts'

const RUNS = process.env.WHARFAGE_SOAK === 'large' ? 10_000 : 100

// Components that are names of ours as well, or of the file system's, and all that separates them.
const component = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'ab',
    'a-b',
    'a--b',
    'a.b',
    'a_b',
    'a__b',
    '0',
    'con',
    'blobs',
    'uploads',
    'manifests',
    'tags',
  ),
  fc.stringMatching(/^[a-z0-9]{1,3}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,3})?$/),
)
const name = fc.array(component, { minLength: 1, maxLength: 4 }).map((components) => components.join('/'))
const tag = fc.oneof(
  fc.constantFrom('a', 'A', '_', '0', '10', '9', 'a.b', 'a-b', 'a_b', 'latest'),
  fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,6}$/),
)

const digest = fc
  .tuple(fc.uint8Array(), fc.constantFrom('sha256' as const, 'sha512' as const))
  .map(([content, algorithm]) => digestOf(content, algorithm))

describe('a name that is accepted', () => {
  it('has keys below the root, from which it can be told', () => {
    fc.assert(
      fc.property(name, tag, digest, (repository, label, content) => {
        fc.pre(isRepositoryName(repository) && isTag(label))
        const layout = new RepositoryLayout(repository)
        const keys = [
          layout.revisionLink(content),
          layout.layerLink(content),
          layout.tagCurrent(label),
          blobData(content),
        ]
        for (const key of keys) {
          const path = join('/root', ...key.split('/'))
          expect(isAbsolute(relative('/root', path)) || relative('/root', path).startsWith('..')).toBe(false)
          expect(relative('/root', path).split(/[\\/]/).join('/')).toBe(key)
        }
        expect(layout.root.slice(REPOSITORIES.length + 1)).toBe(repository)
        expect(layout.tagCurrent(label).slice(layout.tags.length + 1)).toBe(`${label}/current/link`)
        expect(digestOfLinkKey(layout.revisions, layout.revisionLink(content))).toBe(content)
      }),
      { numRuns: RUNS * 10 },
    )
  })
})

describe('a list in pages', () => {
  const byBytes = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other))

  it('holds every name once, in order, whatever the size of a page', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { maxLength: 12 }), fc.integer({ min: 1, max: 14 }), async (names, n) => {
        const { registry, ...rest } = client()
        for (const one of names) await registry.repository(one).manifests.put(Buffer.from('x'), { mediaType: 'a/b' })
        expect(await allPages(rest, `/v2/_catalog?n=${n}`, 'repositories')).toEqual(pagesOf(names.sort(byBytes), n))
      }),
      { numRuns: RUNS },
    )
  })

  it('holds every tag once, in order, from wherever it begins', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(tag, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 14 }),
        fc.option(tag, { nil: undefined }),
        async (tags, n, last) => {
          const { registry, ...rest } = client()
          await pushImage(registry.repository('a'), ['x'], { tags })
          const after = last === undefined ? '' : `&last=${last}`
          const expected = tags.sort(byBytes).filter((one) => last === undefined || byBytes(one, last) > 0)
          expect(await allPages(rest, `/v2/a/tags/list?n=${n}${after}`, 'tags')).toEqual(pagesOf(expected, n))
        },
      ),
      { numRuns: RUNS },
    )
  })

  const pagesOf = (items: readonly string[], n: number): readonly (readonly string[])[] => {
    const pages = []
    for (let i = 0; i === 0 || i < items.length; i += n) pages.push(items.slice(i, i + n))
    return pages
  }

  async function allPages({ get }: Pick<Client, 'get'>, first: string, field: string) {
    const pages = []
    for (let url: string | undefined = first; url !== undefined; ) {
      const { text, headers }: Awaited<ReturnType<Client['get']>> = await get(url)
      pages.push(JSON.parse(text)[field])
      url = /^<([^<>]*)>; rel="next"$/.exec(String(headers.link))?.[1]
    }
    return pages
  }
})

describe('a blob', () => {
  const position = fc.integer({ min: 0, max: 40 })
  const range = fc.oneof(
    fc.tuple(position, position).map(([first, last]) => ({ text: `${first}-${last}`, first, last })),
    position.map((first) => ({ text: `${first}-`, first, last: Number.POSITIVE_INFINITY })),
    position.map((count) => ({ text: `-${count}`, count })),
  )
  const condition = fc.constantFrom('mine', 'other', '*', undefined)

  /** What RFC 9110 says, §13.2.2 and §14.2, with slices. */
  function model(content: Buffer, asked: Asked): readonly unknown[] {
    const { ifMatch, ifNoneMatch, ifRange, range } = asked
    if (ifMatch === 'other') return [412]
    if (ifNoneMatch === 'mine' || ifNoneMatch === '*') return [304, '']
    const whole = [200, content.toString('latin1')]
    if (range === undefined || ifRange === 'other') return whole
    if ('count' in range) {
      if (range.count === 0) return [416]
      if (content.length === 0) return whole
      return [206, content.subarray(-range.count).toString('latin1')]
    }
    if (range.first > range.last || range.first >= content.length) return [416]
    return [206, content.subarray(range.first, range.last + 1).toString('latin1')]
  }

  interface Asked {
    readonly range:
      | { readonly text: string; readonly count: number }
      | { readonly text: string; readonly first: number; readonly last: number }
      | undefined
    readonly ifMatch: string | undefined
    readonly ifNoneMatch: string | undefined
    readonly ifRange: string | undefined
  }

  it('is given in part, or not at all, as a slice of it would be', async () => {
    const asked: fc.Arbitrary<Asked> = fc.record({
      range: fc.option(range, { nil: undefined, freq: 8 }),
      ifMatch: condition,
      ifNoneMatch: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(undefined, 'other') }, condition),
      ifRange: condition,
    })
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 32 }), asked, async (bytes, one) => {
        const content = Buffer.from(bytes)
        const { registry, get } = client()
        const digest = digestOf(content)
        await registry.repository('a').blobs.put(content)
        const tagOf = (which: string) =>
          which === '*' ? '*' : `"${which === 'mine' ? digest : digestOf(Buffer.from('other'))}"`
        const { status, body } = await get(`/v2/a/blobs/${digest}`, {
          ...(one.range && { range: `bytes=${one.range.text}` }),
          ...(one.ifMatch && { 'if-match': tagOf(one.ifMatch) }),
          ...(one.ifNoneMatch && { 'if-none-match': tagOf(one.ifNoneMatch) }),
          ...(one.ifRange && { 'if-range': tagOf(one.ifRange) }),
        })
        expect(status >= 400 ? [status] : [status, body.toString('latin1')]).toEqual(model(content, one))
      }),
      { numRuns: RUNS * 5 },
    )
  })
})
