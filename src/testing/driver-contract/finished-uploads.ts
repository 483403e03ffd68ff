import assert from 'node:assert/strict'
import { type StorageDriver, UploadTakenOverError } from '../../storage/driver.ts'
import { seededBytes } from '../seeded.ts'
import { assertBytes, assertContent, assertMissing, type ContractContext, listed, readBody, text } from './context.ts'
import { FOLDER, KEY, TARGET } from './upload-sources.ts'

export function testFinishedUploads({ runner: { describe, it }, create, reopen }: ContractContext): void {
  describe('seal', () => {
    it('tells what is there, and lets it be read, more than once', async () => {
      const driver = await create()
      const content = seededBytes(1_500_000, 13)
      const upload = await driver.createUpload(KEY)
      await upload.append(content)
      for (let round = 0; round < 2; round++) {
        const sealed = await upload.seal()
        assert.equal(sealed.size, content.byteLength)
        assert.equal(sealed.exclusive, true)
        assertBytes(await readBody(await sealed.read()), content)
      }
      assert.equal(await driver.stat(TARGET), undefined)
      await upload.commit(TARGET)
      await assertContent(driver, TARGET, content)
    })

    it('ends the appending, also through other handles', async () => {
      const driver = await create()
      await driver.put(`${FOLDER}/state`, text('{}'))
      const upload = await driver.createUpload(KEY)
      await upload.append(text('bytes'))
      const other = await (await reopen(driver)).resumeUpload(KEY)
      await upload.seal()
      await assert.rejects(upload.append(text('more')), UploadTakenOverError)
      await assert.rejects(other.append(text('more')), UploadTakenOverError)
      await upload.commit(TARGET)
      await assertContent(driver, TARGET, text('bytes'))
    })

    it('can be followed by a commit from another process, when the first one died', async () => {
      const driver = await create()
      await driver.put(`${FOLDER}/state`, text('{}'))
      const upload = await driver.createUpload(KEY)
      await upload.append(text('bytes'))
      await upload.seal()
      const other = await (await reopen(driver)).resumeUpload(KEY)
      assert.equal(other.size, 5)
      const sealed = await other.seal()
      assertBytes(await readBody(await sealed.read()), text('bytes'))
      await other.commit(TARGET)
      await assertContent(driver, TARGET, text('bytes'))
    })
  })

  describe('commit', () => {
    it('of the same content succeeds for all who come, one after the other and at once', async () => {
      const driver = await create()
      const other = await reopen(driver)
      const content = seededBytes(400_000, 14)
      const commit = async (own: StorageDriver, id: string) => {
        const upload = await own.createUpload(`${FOLDER}-${id}/data`)
        await upload.append(content)
        await upload.commit(TARGET)
        await own.deletePrefix(`${FOLDER}-${id}`)
      }
      await commit(driver, 'first')
      await Promise.all(Array.from({ length: 12 }, (_, index) => commit(index % 2 ? driver : other, String(index))))
      await assertContent(driver, TARGET, content)
      assert.deepEqual(await listed(driver, 'docker/registry/v2/blobs'), [TARGET])
    })

    it('replaces what was there whole', async () => {
      const driver = await create()
      await driver.put(TARGET, text('damaged and longer than what follows'))
      const upload = await driver.createUpload(KEY)
      await upload.append(text('right'))
      await upload.commit(TARGET)
      await assertContent(driver, TARGET, text('right'))
    })
  })

  describe('discard', () => {
    it('drops the upload, as often as it is called', async () => {
      const driver = await create()
      const upload = await driver.createUpload(KEY)
      await upload.append(text('bytes'))
      await upload.discard()
      await upload.discard()
      await driver.deletePrefix(FOLDER)
      await assertMissing(driver.resumeUpload(KEY), KEY)
      await assert.rejects(upload.append(text('more')))
      await assert.rejects(upload.commit(TARGET))
      assert.equal(await driver.stat(TARGET), undefined)
      assert.deepEqual(await listed(driver, FOLDER), [])
    })

    it('drops a sealed one as well, and one that nobody has started', async () => {
      const driver = await create()
      const upload = await driver.createUpload(KEY)
      await upload.append(text('bytes'))
      await upload.seal()
      await upload.discard()
      await (await driver.createUpload(`${FOLDER}2/data`)).discard()
      assert.deepEqual(await listed(driver, ''), [])
    })

    it('takes along what lies beside the bytes, also after a commit, and what was published stays', async () => {
      const driver = await create()
      for (const round of ['dropped', 'published']) {
        const upload = await driver.createUpload(KEY)
        await driver.put(`${FOLDER}/startedat`, text('now'))
        await upload.append(text(round))
        if (round === 'published') await upload.commit(TARGET)
        await upload.discard([`${FOLDER}/startedat`])
        await upload.discard([`${FOLDER}/startedat`])
        assert.deepEqual(await listed(driver, ''), round === 'published' ? [TARGET] : [])
      }
      await assertContent(driver, TARGET, text('published'))
    })

    it('is done by deletePrefix of its folder, too', async () => {
      const driver = await create()
      await driver.put(`${FOLDER}/state`, text('{}'))
      const upload = await driver.createUpload(KEY)
      await upload.append(text('bytes'))
      await driver.deletePrefix(FOLDER)
      await assertMissing(driver.resumeUpload(KEY), KEY)
      await assert.rejects(upload.commit(TARGET))
      assert.equal(await driver.stat(TARGET), undefined)
    })
  })
}
