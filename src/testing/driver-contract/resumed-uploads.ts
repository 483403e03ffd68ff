import assert from 'node:assert/strict'
import { type DriverUpload, KeyNotFoundError, type StorageDriver, UploadTakenOverError } from '../../storage/driver.ts'
import { seededBytes } from '../seeded.ts'
import { assertContent, assertMissing, type ContractContext, text } from './context.ts'
import { FOLDER, KEY, TARGET } from './upload-sources.ts'

/** Smallest part but the last of a multipart upload, by S3 and all stores that speak it. */
const PART_EDGE_BYTES = 5 * 1024 * 1024

export function testResumedUploads({ runner: { describe, it }, create, reopen }: ContractContext): void {
  describe('a resumed upload', () => {
    it('goes on in another process, from what is there', async () => {
      const driver = await create()
      await driver.put(`${FOLDER}/state`, text('{}'))
      const expected: Uint8Array[] = []
      let upload = await driver.createUpload(KEY)
      for (let part = 0; part < 5; part++) {
        const bytes = seededBytes([1, 65_536, 1_048_576, 3, 700_000][part] ?? 0, part)
        await upload.append(bytes)
        expected.push(bytes)
        await upload[Symbol.asyncDispose]()
        upload = await (await reopen(driver)).resumeUpload(KEY)
        assert.equal(upload.size, Buffer.concat(expected).byteLength)
      }
      await upload.commit(TARGET)
      await assertContent(driver, TARGET, Buffer.concat(expected))
    })

    it('goes on without a byte so far, if something of it is there', async () => {
      const driver = await create()
      await driver.createUpload(KEY)
      await driver.put(`${FOLDER}/state`, text('{}'))
      const upload = await resumeOrCreate(await reopen(driver))
      assert.equal(upload.size, 0)
      await upload.append(text('all'))
      await upload.commit(TARGET)
      await assertContent(driver, TARGET, text('all'))
    })

    it('refuses a handle that has not seen what another one appended, and takes no harm', async () => {
      const driver = await create()
      await driver.put(`${FOLDER}/state`, text('{}'))
      const stale = await driver.createUpload(KEY)
      await stale.append(text('one '))
      await (await (await reopen(driver)).resumeUpload(KEY)).append(text('two '))
      await assert.rejects(stale.append(text('lost')), UploadTakenOverError)
      const resumed = await driver.resumeUpload(KEY)
      assert.equal(resumed.size, 8)
      await resumed.append(text('three'))
      await resumed.commit(TARGET)
      await assertContent(driver, TARGET, text('one two three'))
    })

    it('is not found where nothing of it is', async () => {
      const driver = await create()
      await assertMissing(driver.resumeUpload(KEY), KEY)
    })

    it('goes on after tails of every size around the smallest part of a store', async () => {
      const driver = await create()
      const edge = driver.minChunkBytes ?? PART_EDGE_BYTES
      for (const first of [edge - 1, edge, edge + 1]) {
        const folder = `${FOLDER}-${first}`
        const chunks = [first, 1, edge - 2, 2, edge]
        const content = seededBytes(
          chunks.reduce((sum, size) => sum + size),
          first,
        )
        await driver.put(`${folder}/state`, text('{}'))
        let upload = await driver.createUpload(`${folder}/data`)
        let at = 0
        for (const size of chunks) {
          assert.equal(upload.size, at)
          await upload.append(content.subarray(at, at + size))
          at += size
          assert.equal(upload.size, at)
          await upload[Symbol.asyncDispose]()
          upload = await (await reopen(driver)).resumeUpload(`${folder}/data`)
        }
        await upload.commit(`${TARGET}-${first}`)
        await assertContent(driver, `${TARGET}-${first}`, content)
        await upload.discard([`${folder}/state`])
      }
    })

    it('takes chunks of one byte', async () => {
      const driver = await create()
      const content = seededBytes(40, 17)
      await driver.put(`${FOLDER}/state`, text('{}'))
      let upload = await driver.createUpload(KEY)
      for (let at = 0; at < content.byteLength; at++) {
        if (at % 8 === 7) upload = await (await reopen(driver)).resumeUpload(KEY)
        assert.equal(upload.size, at)
        await upload.append(content.subarray(at, at + 1))
      }
      await upload.commit(TARGET)
      await assertContent(driver, TARGET, content)
    })
  })
}

/** As the core continues an upload: a driver may count one without a byte as none. */
async function resumeOrCreate(driver: StorageDriver): Promise<DriverUpload> {
  try {
    return await driver.resumeUpload(KEY)
  } catch (error) {
    if (!(error instanceof KeyNotFoundError)) throw error
    return driver.createUpload(KEY, { takenOver: true })
  }
}
