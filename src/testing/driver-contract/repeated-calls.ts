import assert from 'node:assert/strict'
import { PreconditionFailedError } from '../../storage/driver.ts'
import { assertContent, type ContractContext, listed, text } from './context.ts'
import { FOLDER, KEY, TARGET } from './upload-sources.ts'

/** What a client does whose answer was lost: the same call again. */
export function testRepeatedCalls({ runner: { describe, it }, create, reopen }: ContractContext): void {
  describe('a call repeated after its answer was lost', () => {
    it('changes nothing more: put, delete and deletePrefix', async () => {
      const driver = await create()
      await driver.put('r/kept', text('kept'))
      for (let times = 0; times < 2; times++) await driver.put('r/a/key', text('same'))
      await assertContent(driver, 'r/a/key', text('same'))
      for (let times = 0; times < 2; times++) await driver.delete('r/a/key')
      await driver.put('r/a/key', text('again'))
      for (let times = 0; times < 2; times++) await driver.deletePrefix('r/a')
      assert.deepEqual(await listed(driver, ''), ['r/kept'])
    })

    it('is refused where it has a condition that its own effect has broken', async () => {
      const driver = await create()
      if (!(await driver.conditionalPuts())) return
      await driver.put('r/key', text('one'), { ifVersion: null })
      await assert.rejects(driver.put('r/key', text('one'), { ifVersion: null }), PreconditionFailedError)
      const { version = '' } = (await driver.stat('r/key')) ?? {}
      await driver.put('r/key', text('two'), { ifVersion: version })
      await assert.rejects(driver.put('r/key', text('three'), { ifVersion: version }), PreconditionFailedError)
      await assertContent(driver, 'r/key', text('two'))
    })

    it('finds the upload where it was: seal, commit and discard, here and in another process', async () => {
      const driver = await create()
      await driver.put(`${FOLDER}/state`, text('{}'))
      const upload = await driver.createUpload(KEY)
      await upload.append(text('bytes'))
      for (let times = 0; times < 2; times++) assert.equal((await upload.seal()).size, 5)
      const other = await (await reopen(driver)).resumeUpload(KEY)
      assert.equal((await other.seal()).size, 5)
      for (let times = 0; times < 2; times++) await upload.commit(TARGET)
      await assertContent(driver, TARGET, text('bytes'))
      for (let times = 0; times < 2; times++) await upload.discard([`${FOLDER}/state`])
      await other.discard([`${FOLDER}/state`])
      await assertContent(driver, TARGET, text('bytes'))
      assert.deepEqual(await listed(driver, ''), [TARGET])
    })
  })
}
