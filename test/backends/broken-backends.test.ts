// The suite itself: that each of these backends, which break the contract in one way, fails where it says so.
import { afterAll, describe, expect, it } from 'vitest'
import { testBackend } from '../../src/testing/backend-contract.ts'
import { BROKEN_BLOBS, closeLeaked } from './broken/blobs.ts'
import type { Broken } from './broken/broken.ts'
import { BROKEN_MANIFESTS } from './broken/manifests.ts'
import { BROKEN_REPOSITORIES, BROKEN_TAGS } from './broken/tags.ts'
import { BROKEN_UPLOADS } from './broken/uploads.ts'
import { type CollectedTest, collectTests } from './collect-tests.ts'
import { decoratedStorage } from './stacks.ts'

const SUITES: Readonly<Record<string, Readonly<Record<string, Broken>>>> = {
  blobs: BROKEN_BLOBS,
  uploads: BROKEN_UPLOADS,
  manifests: BROKEN_MANIFESTS,
  tags: BROKEN_TAGS,
  repositories: BROKEN_REPOSITORIES,
}

afterAll(closeLeaked)

function testsOf({ by, lacks = [] }: Pick<Broken, 'by' | 'lacks'>): readonly CollectedTest[] {
  return collectTests((runner) => testBackend(runner, decoratedStorage(by, { lacks })))
}

function named(tests: readonly CollectedTest[], name: string): CollectedTest {
  const found = tests.filter((test) => test.name === `Backend > ${name}`)
  expect(found.map((test) => test.name)).toEqual([`Backend > ${name}`])
  return found[0] as CollectedTest // the one that was just found
}

for (const [group, all] of Object.entries(SUITES)) {
  describe(`testBackend, of broken ${group}`, () => {
    it.each(Object.entries(all))('finds out %s', async (_, broken) => {
      await expect(named(testsOf(broken), broken.fails).run()).rejects.toThrow()
      // What claims a lack that it has not is nothing but that.
      if ((broken.lacks ?? []).length === 0) await named(testsOf({ by: (inner) => inner }), broken.fails).run()
    })
  })
}

describe('testBackend', () => {
  it('has tests of different names, with every lack as without', () => {
    for (const lacks of [[], ['write'], ['isolation', 'resume', 'conditional tags', 'catalog', 'blob list']] as const) {
      const names = testsOf({ by: (inner) => inner, lacks }).map(({ name }) => name)
      expect(names.length).toBeGreaterThan(60)
      expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
    }
  })
})
