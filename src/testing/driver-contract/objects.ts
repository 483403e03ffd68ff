import assert from 'node:assert/strict'
import { seededBytes } from '../seeded.ts'
import { assertBytes, assertContent, assertMissing, type ContractContext, listed, readBody, text } from './context.ts'

const VALID_KEYS = [
  'a',
  '0',
  'A-b.c_d+e=f',
  'docker/registry/v2/blobs/sha256/ab/abcdef/data',
  'docker/registry/v2/repositories/a.b/c__d/e-f/_manifests/tags/V1.0/current/link',
  '...',
  '.hidden/..more/x..',
  '-/_/+/=',
  `long/${'n'.repeat(255)}/end`,
]

const INVALID_KEYS = [
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  'a/../b',
  '../a',
  'a/.',
  'a/./b',
  'a b',
  'a\\b',
  'a\0b',
  'a\nb',
  'ä',
  'a%2e',
  'a:b',
  '~',
  '*',
  `${'n'.repeat(256)}`,
]

const SIZES = [0, 1, 2, 4095, 4096, 16_384, 16_385, 65_536, 65_537, 1_048_576, 1_048_577, 3_000_000]

export function testObjects({ runner: { describe, it }, create, reopen }: ContractContext): void {
  describe('put and get', () => {
    it('give back exactly the bytes, of any size', async () => {
      const driver = await create()
      for (const size of SIZES) await driver.put(`sizes/${size}`, seededBytes(size, size))
      for (const size of SIZES) await assertContent(driver, `sizes/${size}`, seededBytes(size, size))
      const other = await reopen(driver)
      for (const size of SIZES) await assertContent(other, `sizes/${size}`, seededBytes(size, size))
    })

    it('take every valid key', async () => {
      const driver = await create()
      for (const key of VALID_KEYS) await driver.put(`t/${key}`, text(key))
      for (const key of VALID_KEYS) await assertContent(driver, `t/${key}`, text(key))
    })

    it('refuse what is not a key, and so do all others', async () => {
      const driver = await create()
      for (const key of INVALID_KEYS) {
        const label = JSON.stringify(key)
        await assert.rejects(driver.put(key, text('x')), `put ${label}`)
        await assert.rejects(driver.get(key), `get ${label}`)
        await assert.rejects(driver.read(key), `read ${label}`)
        await assert.rejects(driver.stat(key), `stat ${label}`)
        await assert.rejects(driver.delete(key), `delete ${label}`)
        await assert.rejects(driver.createUpload(key), `createUpload ${label}`)
        await assert.rejects(driver.resumeUpload(key), `resumeUpload ${label}`)
        if (key !== '') await assert.rejects(driver.deletePrefix(key), `deletePrefix ${label}`)
        if (key !== '') await assert.rejects(listed(driver, key), `list ${label}`)
      }
      assert.deepEqual(await listed(driver, ''), [])
    })

    it('replace what was there, also by something shorter', async () => {
      const driver = await create()
      for (const content of ['first', 'the second, longer', 'third', '']) {
        await driver.put('k/replaced', text(content))
        await assertContent(driver, 'k/replaced', text(content))
      }
      assert.deepEqual(await listed(driver, 'k'), ['k/replaced'])
    })

    it('keep the bytes apart from those of the caller', async () => {
      const driver = await create()
      const content = text('kept')
      await driver.put('k/mine', content)
      content.fill(0)
      const first = await driver.get('k/mine')
      first.content.fill(0)
      await assertContent(driver, 'k/mine', text('kept'))
    })

    it('let readers see the old bytes or the new ones, never a mixture', async () => {
      const driver = await create()
      const versions = Array.from({ length: 8 }, (_, index) => new Uint8Array(100_000 + index * 1000).fill(index))
      await driver.put('k/torn', versions[0] ?? new Uint8Array())
      let isWriting = true
      const write = async () => {
        for (let round = 0; round < 5; round++) for (const content of versions) await driver.put('k/torn', content)
        isWriting = false
      }
      const read = async () => {
        while (isWriting) {
          const { content } = await driver.get('k/torn')
          assertBytes(content, versions[content[0] ?? 0] ?? new Uint8Array(), 'what was read')
        }
      }
      await Promise.all([write(), read(), read()])
    })

    it('leave one of the contents when several put at once', async () => {
      const driver = await create()
      const contents = Array.from({ length: 16 }, (_, index) => `content ${index}`)
      await Promise.all(contents.map((content) => driver.put('k/raced', text(content))))
      const { content } = await driver.get('k/raced')
      assert.ok(contents.includes(Buffer.from(content).toString()))
      assert.deepEqual(await listed(driver, 'k'), ['k/raced'])
    })

    it('write what need not be durable, visible to others at once', async () => {
      const driver = await create()
      await driver.put('k/intent', text('intent'), { durable: false })
      await assertContent(await reopen(driver), 'k/intent', text('intent'))
      await driver.delete('k/intent', { durable: false })
      assert.equal(await driver.stat('k/intent'), undefined)
    })
  })

  describe('what is absent', () => {
    it('is not found, at any depth and beside what is there', async () => {
      const driver = await create()
      await driver.put('there/file', text('x'))
      for (const key of ['nothing', 'there', 'there/fil', 'there/file2', 'there/file/below', 'no/such/folder']) {
        await assertMissing(driver.get(key), key)
        await assertMissing(driver.read(key), key)
        assert.equal(await driver.stat(key), undefined, key)
        await driver.delete(key)
        await driver.deletePrefix(`${key}/x`)
      }
      await assertContent(driver, 'there/file', text('x'))
    })
  })

  describe('stat', () => {
    it('tells size and date', async () => {
      const driver = await create()
      const before = Date.now()
      await driver.put('k/stat', text('12345'))
      const stat = await driver.stat('k/stat')
      assert.equal(stat?.key, 'k/stat')
      assert.equal(stat.size, 5)
      // By the store's own clock, which may be another machine's.
      assert.ok(Math.abs(stat.modifiedAt.getTime() - before) < 15 * 60_000)
    })

    it('tells the version that get and read tell, another one after each change', async () => {
      const driver = await create()
      if (!(await driver.conditionalPuts())) return
      const seen = new Set<string | undefined>()
      for (let i = 0; i < 200; i++) {
        // Quickly, within one tick of most clocks.
        await driver.put('k/version', text(`same size ${100 + i}`), { durable: i % 10 === 0 })
        const version = (await driver.stat('k/version'))?.version
        assert.ok(version)
        assert.equal((await driver.get('k/version')).stat.version, version)
        seen.add(version)
      }
      assert.equal(seen.size, 200)
    })
  })

  describe('read', () => {
    it('gives half-open ranges, cut to what is there', async () => {
      const driver = await create()
      const content = seededBytes(200_000, 7)
      await driver.put('k/range', content)
      const ranges: [start: number, end?: number][] = [
        [0],
        [0, 1],
        [1, 2],
        [199_999],
        [199_999, 200_000],
        [65_535, 131_073],
        [100, 100],
        [0, 1_000_000],
        [200_000],
        [300_000, 400_000],
        [5, 2 ** 40],
        [2 ** 40],
      ]
      for (const [start, end] of ranges) {
        const { stat, body } = await driver.read('k/range', { range: end === undefined ? { start } : { start, end } })
        const expected = content.subarray(start, end)
        assert.equal(stat.size, content.byteLength)
        assert.equal(body.size, expected.byteLength)
        assertBytes(await readBody(body), expected, `[${start}, ${end})`)
      }
    })

    it('goes on with the bytes it opened while they are replaced and deleted', async () => {
      const driver = await create()
      const content = seededBytes(3_000_000, 8)
      await driver.put('k/open', content)
      const replaced = await driver.read('k/open')
      await driver.put('k/open', text('new'))
      const deleted = await driver.read('k/open')
      await driver.delete('k/open')
      assertBytes(await readBody(replaced.body), content)
      assertBytes(await readBody(deleted.body), text('new'))
    })
  })

  describe('delete', () => {
    it('removes one key and none of its neighbours', async () => {
      const driver = await create()
      const keys = ['d/a', 'd/a-b', 'd/a.b', 'd/a0', 'd/ab', 'd/b/a', 'da']
      for (const key of keys) await driver.put(key, text(key))
      await driver.delete('d/a')
      await driver.delete('d/a')
      assert.equal(await driver.stat('d/a'), undefined)
      for (const key of keys.slice(1)) await assertContent(driver, key, text(key))
    })

    it('takes a folder away with its last key', async () => {
      const driver = await create()
      await driver.put('d/one/two/three/key', text('x'))
      await driver.put('d/other', text('x'))
      await driver.delete('d/one/two/three/key')
      assert.deepEqual(await listed(driver, 'd', { shallow: true }), ['d/other'])
    })

    it('does not disturb writes beside it', async () => {
      const driver = await create()
      for (let round = 0; round < 20; round++) {
        const keys = Array.from({ length: 8 }, (_, index) => `d/race/deep/er/${round}-${index}`)
        await Promise.all(keys.map((key) => driver.put(key, text(key))))
        await Promise.all(keys.map((key, index) => (index % 2 ? driver.put(key, text(key)) : driver.delete(key))))
        for (const [index, key] of keys.entries()) {
          if (index % 2) await assertContent(driver, key, text(key))
          else assert.equal(await driver.stat(key), undefined)
          await driver.delete(key)
        }
      }
    })
  })

  describe('deletePrefix', () => {
    it('removes what is below a folder, and nothing beside it', async () => {
      const driver = await create()
      const below = ['p/a/1', 'p/a/2/3', 'p/a/2/4/5']
      const beside = ['p/ab', 'p/a-b/1', 'p/a.b', 'p/a0/1', 'p/b/a/1', 'pa/1']
      for (const key of [...below, ...beside]) await driver.put(key, text(key))
      await driver.deletePrefix('p/a')
      await driver.deletePrefix('p/a')
      for (const key of below) assert.equal(await driver.stat(key), undefined)
      for (const key of beside) await assertContent(driver, key, text(key))
      assert.deepEqual(await listed(driver, 'p/a'), [])
      await driver.put('p/a/1', text('again'))
      assert.deepEqual(await listed(driver, 'p/a'), ['p/a/1'])
    })

    it('leaves a key of the same name alone, which is not below itself', async () => {
      const driver = await create()
      await driver.put('p/key', text('x'))
      await driver.deletePrefix('p/key')
      await assertContent(driver, 'p/key', text('x'))
    })

    it('takes everything with the root', async () => {
      const driver = await create()
      for (const key of ['a', 'b/c', 'docker/registry/v2/blobs/x', 'z/y/x']) await driver.put(key, text(key))
      await driver.deletePrefix('')
      assert.deepEqual(await listed(driver, ''), [])
      await driver.put('a', text('again'))
      assert.deepEqual(await listed(driver, ''), ['a'])
    })
  })

  describe('a signal that is aborted', () => {
    it('stops an operation before it begins', async () => {
      const driver = await create()
      await driver.put('k/signal', text('x'))
      const reason = new Error('no longer wanted')
      const signal = AbortSignal.abort(reason)
      const isReason = (error: unknown) => error === reason
      await assert.rejects(driver.get('k/signal', { signal }), isReason)
      await assert.rejects(driver.read('k/signal', { signal }), isReason)
      await assert.rejects(driver.stat('k/signal', { signal }), isReason)
      await assert.rejects(driver.put('k/signal', text('y'), { signal }), isReason)
      await assert.rejects(driver.delete('k/signal', { signal }), isReason)
      await assert.rejects(listed(driver, 'k', { signal }), isReason)
      await assertContent(driver, 'k/signal', text('x'))
    })
  })
}
