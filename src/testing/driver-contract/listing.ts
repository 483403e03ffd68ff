import assert from 'node:assert/strict'
import type { ListKeysOptions, StorageDriver } from '../../storage/driver.ts'
import { seededRandom } from '../seeded.ts'
import { type ContractContext, entries, listed, text } from './context.ts'

/** Names that sort otherwise by component, by case or by locale than by byte. */
const NAMES = [
  'a',
  'a-',
  'a-b',
  'a.b',
  'a0',
  'a_b',
  'a+',
  'a=',
  'ab',
  'A',
  'B',
  '0',
  '0.1.2',
  '0.1.20',
  '-',
  '_',
  'z',
  'aa',
]

export function testListing({ runner: { describe, it }, create }: ContractContext): void {
  describe('list', () => {
    it('gives nothing where nothing is', async () => {
      const driver = await create()
      await driver.put('l/key', text('x'))
      for (const prefix of ['nothing', 'l/ke', 'l/key', 'l/key/below', 'l/keys']) {
        assert.deepEqual(await listed(driver, prefix), [], prefix)
        assert.deepEqual(await listed(driver, prefix, { shallow: true }), [], prefix)
      }
      assert.deepEqual(await listed(driver, ''), ['l/key'])
    })

    it('goes in byte order of keys, a folder counting as name/', async () => {
      const driver = await create()
      for (const key of ['l/a0', 'l/a/c', 'l/a-b', 'l/a.b', 'l/a/b', 'l/A', 'l/a_b', 'l/ab'])
        await driver.put(key, text(key))
      assert.deepEqual(await listed(driver, 'l'), ['l/A', 'l/a-b', 'l/a.b', 'l/a/b', 'l/a/c', 'l/a0', 'l/a_b', 'l/ab'])
      assert.deepEqual(await listed(driver, 'l', { shallow: true }), [
        'l/A',
        'l/a-b',
        'l/a.b',
        'l/a/',
        'l/a0',
        'l/a_b',
        'l/ab',
      ])
    })

    it('tells sizes and dates right, where it tells them', async () => {
      const driver = await create()
      for (const size of [0, 1, 1000]) await driver.put(`l/${size}`, new Uint8Array(size))
      for (const entry of await entries(driver, 'l')) {
        const stat = await driver.stat(entry.key)
        if (!entry.isPrefix && entry.size !== undefined) assert.equal(entry.size, stat?.size)
        if (!entry.isPrefix && entry.modifiedAt) assert.equal(entry.modifiedAt.getTime(), stat?.modifiedAt.getTime())
      }
    })

    it('goes on after a key or a folder, there or not', async () => {
      const driver = await create()
      for (const key of ['l/a-b', 'l/a/b', 'l/a/c', 'l/a0', 'l/b']) await driver.put(key, text(key))
      const cases: [after: string, options: ListKeysOptions, expected: string[]][] = [
        ['k', {}, ['l/a-b', 'l/a/b', 'l/a/c', 'l/a0', 'l/b']],
        ['l/', {}, ['l/a-b', 'l/a/b', 'l/a/c', 'l/a0', 'l/b']],
        ['l/', { shallow: true }, ['l/a-b', 'l/a/', 'l/a0', 'l/b']],
        ['l/a-b', {}, ['l/a/b', 'l/a/c', 'l/a0', 'l/b']],
        ['l/a/b', {}, ['l/a/c', 'l/a0', 'l/b']],
        ['l/a/bb', {}, ['l/a/c', 'l/a0', 'l/b']],
        ['l/a/c', {}, ['l/a0', 'l/b']],
        ['l/b', {}, []],
        ['l/c', {}, []],
        ['m', {}, []],
        ['l/a-b', { shallow: true }, ['l/a/', 'l/a0', 'l/b']],
        ['l/a', { shallow: true }, ['l/a-b', 'l/a/', 'l/a0', 'l/b']],
        ['l/a/', { shallow: true }, ['l/a0', 'l/b']],
        ['l/a/', {}, ['l/a/b', 'l/a/c', 'l/a0', 'l/b']],
        ['l/0/', { shallow: true }, ['l/a-b', 'l/a/', 'l/a0', 'l/b']],
        ['l/a0', { shallow: true }, ['l/b']],
      ]
      for (const [after, options, expected] of cases) {
        assert.deepEqual(await listed(driver, 'l', { ...options, after }), expected, `after ${after}`)
      }
    })

    it('pages through more than a thousand keys, whole and shallow', async () => {
      const driver = await create()
      const keys = Array.from({ length: 1203 }, (_, index) => `l/${index}`)
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(keys.slice(at, at + 50).map((key) => driver.put(key, text(''), { durable: false })))
      }
      const sorted = keys.sort()
      assert.deepEqual(await listed(driver, 'l'), sorted)
      assert.deepEqual(await listed(driver, 'l', { shallow: true }), sorted)
      assert.deepEqual(await paged(driver, 'l', 100, {}), sorted)
    })

    it('agrees with a sorted set of any keys, from any point on', async () => {
      const random = seededRandom(20_240_601)
      for (let round = 0; round < 12; round++) {
        const driver = await create()
        const keys = someKeys(random, 40)
        await Promise.all(keys.map((key) => driver.put(`l/${key}`, text(key), { durable: false })))
        const all = keys.map((key) => `l/${key}`).sort()
        assert.deepEqual(await listed(driver, 'l'), all)
        for (let pick = 0; pick < 10; pick++) {
          const after = `l/${someKeys(random, 1)[0]}`
          assert.deepEqual(
            await listed(driver, 'l', { after }),
            all.filter((key) => key > after),
            `after ${after}`,
          )
        }
        const folders = [...new Set(all.map((key) => key.slice(0, key.lastIndexOf('/'))))]
        for (const folder of folders) {
          const children = childrenOf(all, folder)
          assert.deepEqual(await listed(driver, folder, { shallow: true }), children)
          for (const pageSize of [1, 2, 3]) {
            assert.deepEqual(await paged(driver, folder, pageSize, { shallow: true }), children)
          }
        }
        for (const pageSize of [1, 7]) assert.deepEqual(await paged(driver, 'l', pageSize, {}), all)
      }
    })

    it('gives every key that is there all the time while others come and go', async () => {
      const driver = await create()
      const staying = Array.from({ length: 60 }, (_, index) => `l/stay/${index % 7}/${index}`)
      await Promise.all(staying.map((key) => driver.put(key, text(key), { durable: false })))
      let isListing = true
      const churn = async () => {
        for (let i = 0; isListing; i++) {
          const key = `l/stay/${i % 9}/churn/${i % 5}`
          await driver.put(key, text(key), { durable: false })
          await driver.delete(key, { durable: false })
        }
      }
      const list = async () => {
        for (let round = 0; round < 10; round++) {
          const found = (await listed(driver, 'l')).filter((key) => !key.includes('churn'))
          assert.deepEqual(found, [...staying].sort())
        }
        isListing = false
      }
      await Promise.all([churn(), list()])
    })
  })
}

/** Some keys, none of which is the folder of another. */
function someKeys(random: () => number, count: number): string[] {
  const keys = new Set<string>()
  const folders = new Set<string>()
  for (let tries = 0; keys.size < count && tries < count * 10; tries++) {
    const segments = Array.from(
      { length: 1 + Math.floor(random() * 3) },
      () => NAMES[Math.floor(random() * NAMES.length)] ?? 'a',
    )
    const parents = segments.slice(1).map((_, index) => segments.slice(0, index + 1).join('/'))
    const key = segments.join('/')
    if (folders.has(key) || parents.some((parent) => keys.has(parent))) continue
    keys.add(key)
    for (const parent of parents) folders.add(parent)
  }
  return [...keys]
}

function childrenOf(keys: readonly string[], folder: string): string[] {
  const children = new Set<string>()
  for (const key of keys) {
    if (!key.startsWith(`${folder}/`)) continue
    const slash = key.indexOf('/', folder.length + 1)
    children.add(slash < 0 ? key : key.slice(0, slash + 1))
  }
  return [...children].sort()
}

/** Lists page by page, each from the last entry of the one before. */
async function paged(driver: StorageDriver, prefix: string, size: number, options: ListKeysOptions): Promise<string[]> {
  const all: string[] = []
  for (let after: string | undefined; ; ) {
    let count = 0
    for await (const entry of driver.list(prefix, after === undefined ? options : { ...options, after })) {
      after = entry.isPrefix ? `${entry.key}/` : entry.key
      all.push(after)
      if (++count === size) break
    }
    if (count < size) return all
  }
}
