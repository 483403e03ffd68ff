import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memory } from '../../src/drivers/memory.ts'
import { silentLogger } from '../../src/logger.ts'
import { listRepositories } from '../../src/storage/catalog.ts'
import type { ListKeysOptions, StorageDriver } from '../../src/storage/driver.ts'
import { RepositoryLayout } from '../../src/storage/layout.ts'
import { StorageCore } from '../../src/storage/storage-core.ts'
import { TagStore } from '../../src/storage/tag-store.ts'
import { collect } from '../support/images.ts'

/** Counts what a store of pages would be asked for. */
function counting(driver: StorageDriver) {
  const counted = { lists: 0, entries: 0, gets: 0 }
  const proxy = new Proxy(driver, {
    get(target, name: keyof StorageDriver) {
      if (name === 'list') return (prefix: string, options?: ListKeysOptions) => counted_(target.list(prefix, options))
      if (name === 'get') counted.gets++
      const member = target[name]
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  async function* counted_<T>(entries: AsyncIterable<T>) {
    counted.lists++
    for await (const entry of entries) {
      counted.entries++
      yield entry
    }
  }
  return { counted, core: new StorageCore(proxy, { logger: silentLogger }) }
}

async function take(names: AsyncIterable<string>, count: number): Promise<string[]> {
  const taken: string[] = []
  for await (const name of names) {
    taken.push(name)
    if (taken.length === count) break
  }
  return taken
}

const content = Buffer.from(`sha256:${'0'.repeat(64)}`)

describe('a page of tags', () => {
  it('costs what is on it, however many tags there are', async () => {
    const driver = memory()
    const layout = new RepositoryLayout('team/app')
    const tags = Array.from({ length: 1000 }, (_, i) => [`v${i}`, `v${i}.2`, `v${i}.2.3-rc1`]).flat()
    for (const tag of tags) await driver.put(layout.tagCurrent(tag), content)
    const sorted = [...tags].sort()
    for (const at of [0, 777, 1500, 2950]) {
      const { core, counted } = counting(driver)
      const after = at === 0 ? {} : { after: sorted[at - 1] ?? '' }
      const page = await take(new TagStore(core, 'team/app').list({ ...after, limit: 100 }), 100)
      expect(page).toEqual(sorted.slice(at, at + 100))
      expect(counted.lists).toBe(1)
      expect(counted.entries).toBeLessThan(500)
      expect(counted.gets).toBeLessThan(10)
    }
  })
})

describe('a page of the catalog', () => {
  it('costs what is on it, however many repositories there are', async () => {
    const driver = memory()
    const names = Array.from({ length: 1000 }, (_, i) => [`app-${i}`, `app-${i}/x`, `team${i % 10}/app${i}`]).flat()
    for (const name of names) await driver.put(new RepositoryLayout(name).tagCurrent('v1'), content)
    const sorted = [...names].sort()
    for (const at of [0, 777, 1500, 2950]) {
      const { core, counted } = counting(driver)
      const after = at === 0 ? {} : { after: sorted[at - 1] ?? '' }
      const page = await take(listRepositories(core, { ...after, limit: 50 }), 50)
      expect(page).toEqual(sorted.slice(at, at + 50))
      // One call for each name, and those that were looked ahead at.
      expect(counted.lists).toBeLessThan(250)
      expect(counted.entries).toBeLessThan(2_500)
    }
  })

  const component = fc.string({ unit: fc.constantFrom('a', 'b', '0', '-', '.', '_'), minLength: 1, maxLength: 3 })
  const name = fc
    .array(component, { minLength: 1, maxLength: 3 })
    .map((components) => components.map((one) => `a${one}a`).join('/'))

  it('is what a sorted set has there, from any name on', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(name, { maxLength: 30 }),
        name,
        fc.integer({ min: 1, max: 9 }),
        async (names, from, n) => {
          const driver = memory()
          for (const one of names) await driver.put(new RepositoryLayout(one).tagCurrent('v1'), content)
          const core = new StorageCore(driver, { logger: silentLogger })
          const sorted = [...new Set(names)].sort()
          expect(await collect(listRepositories(core))).toEqual(sorted)
          for (const after of [from, ...sorted]) {
            const rest = sorted.filter((one) => one > after)
            expect(await take(listRepositories(core, { after, limit: n }), n)).toEqual(rest.slice(0, n))
            expect(await collect(listRepositories(core, { after }))).toEqual(rest)
          }
        },
      ),
    )
  })
})
