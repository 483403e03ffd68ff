import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { seededBytes } from '../seeded.ts'
import { assertBytes, assertContent, type ContractContext, listed, text } from './context.ts'
import { FOLDER, KEY, pieces, sourcesOf, TARGET } from './upload-sources.ts'

export function testUploads({ runner: { describe, it }, create, reopen }: ContractContext): void {
  describe('an upload', () => {
    it('is published whole by commit, and seen nowhere before', async () => {
      const driver = await create()
      const upload = await driver.createUpload(KEY)
      assert.equal(upload.size, 0)
      await upload.append(text('one '))
      assert.equal(upload.size, 4)
      await upload.append(text('two'))
      assert.equal(upload.size, 7)
      assert.equal(await driver.stat(TARGET), undefined)
      await upload.commit(TARGET)
      await assertContent(driver, TARGET, text('one two'))
      await assertContent(await reopen(driver), TARGET, text('one two'))
      await upload.commit(TARGET)
      await upload.discard()
      await assertContent(driver, TARGET, text('one two'))
    })

    it('goes straight to where it will be published, if that is known, and is seen there only then', async () => {
      const driver = await create()
      for (const size of [0, 1, 1_000_000, 18_000_001]) {
        const target = `${TARGET}-${size}`
        const content = seededBytes(size, size)
        const upload = await driver.createUpload(`${FOLDER}-${size}/data`)
        const observed: Uint8Array[] = []
        const observe = (bytes: Uint8Array) => void observed.push(new Uint8Array(bytes))
        await upload.append(Readable.from(pieces(content, 65_536), { objectMode: false }), {
          ...{ durable: false, target, observe },
        })
        assert.equal(upload.size, size)
        assertBytes(Buffer.concat(observed), content, 'observed')
        const sealed = await upload.seal()
        assert.equal(sealed.size, size)
        assert.equal(sealed.exclusive, true)
        assert.equal(await driver.stat(target), undefined)
        await upload.commit(target)
        await assertContent(await reopen(driver), target, content)
        await upload.discard()
        assert.deepEqual(await listed(driver, `${FOLDER}-${size}`), [])
      }
    })

    it('takes bytes from every kind of source, and shows them to observe, exactly and in order', async () => {
      const driver = await create()
      const content = seededBytes(2_500_001, 11)
      for (const [name, source] of Object.entries(sourcesOf(content))) {
        const upload = await driver.createUpload(`${FOLDER}-${name}/data`)
        const observed: Uint8Array[] = []
        await upload.append(text('head '), { observe: (bytes) => observed.push(new Uint8Array(bytes)) })
        await upload.append(source(), { observe: (bytes) => observed.push(new Uint8Array(bytes)), durable: false })
        const expected = Buffer.concat([text('head '), content])
        assertBytes(Buffer.concat(observed), expected, `observed of ${name}`)
        await upload.commit(`${TARGET}-${name}`)
        await assertContent(driver, `${TARGET}-${name}`, expected)
      }
    })

    it('leaves no key behind when it is gone, nor its folder when that is deleted', async () => {
      const driver = await create()
      const uploads = FOLDER.slice(0, FOLDER.lastIndexOf('/'))
      const repository = uploads.slice(0, uploads.lastIndexOf('/'))
      const upload = await driver.createUpload(KEY)
      await driver.put(`${FOLDER}/startedat`, text('now'))
      await upload.append(text('some'))
      await upload.discard()
      await driver.deletePrefix(FOLDER)
      assert.deepEqual(await listed(driver, repository), [])
      assert.deepEqual(await listed(driver, uploads, { shallow: true }), [])
      await driver.deletePrefix(uploads)
      assert.deepEqual(await listed(driver, repository, { shallow: true }), [])
    })

    it('publishes no bytes at all as an empty object', async () => {
      const driver = await create()
      const upload = await driver.createUpload(KEY)
      const sealed = await upload.seal()
      assert.equal(sealed.size, 0)
      assert.equal(sealed.exclusive, true)
      await upload.commit(TARGET)
      await assertContent(driver, TARGET, new Uint8Array())
      const appended = await driver.createUpload(`${FOLDER}2/data`)
      await appended.append(new Uint8Array())
      await appended.append(Readable.from([]))
      await appended.commit(`${TARGET}2`)
      await assertContent(driver, `${TARGET}2`, new Uint8Array())
    })
  })
}
