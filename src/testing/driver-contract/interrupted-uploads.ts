import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { seededBytes } from '../seeded.ts'
import { assertBytes, assertContent, type ContractContext, listed, text } from './context.ts'
import { FOLDER, failingSources, KEY, TARGET } from './upload-sources.ts'

export function testInterruptedUploads({ runner: { describe, it }, create }: ContractContext): void {
  describe('an interrupted upload', () => {
    it('that went straight to its place leaves nothing there when it fails or is dropped', async () => {
      const driver = await create()
      const content = seededBytes(10_000_000, 15)
      for (const [name, fail] of Object.entries(failingSources(content))) {
        const upload = await driver.createUpload(`${FOLDER}-${name}/data`)
        const { source, error, signal } = fail()
        await assert.rejects(
          upload.append(source, { durable: false, target: TARGET, ...(signal && { signal }) }),
          (thrown) => thrown === error,
        )
        const { size } = upload
        assert.ok(size === 0 || size <= content.byteLength, `size ${size} of ${name}`)
        await upload.append(content.subarray(size), { durable: false, target: TARGET })
        await upload.seal()
        await upload.discard()
        assert.deepEqual(await listed(driver, ''), [])
      }
    })

    it('keeps what came before its source failed', async () => {
      const driver = await create()
      for (const size of [10, 300_000, 3_000_000]) {
        const content = seededBytes(size, size)
        for (const [name, fail] of Object.entries(failingSources(content))) {
          const key = `${FOLDER}-${name}-${size}/data`
          const upload = await driver.createUpload(key)
          await upload.append(text('kept '))
          const observed: Uint8Array[] = [text('kept ')]
          const { source, error, signal } = fail()
          await assert.rejects(
            upload.append(source, {
              observe: (bytes) => observed.push(new Uint8Array(bytes)),
              ...(signal && { signal }),
            }),
            (thrown) => thrown === error,
          )
          const expected = Buffer.concat([text('kept '), content])
          assert.ok(upload.size >= 5 && upload.size <= expected.byteLength, `size ${upload.size} of ${name}`)
          if (name === 'iterable') assert.equal(upload.size, expected.byteLength)
          const kept = expected.subarray(0, upload.size)
          assertBytes(Buffer.concat(observed), kept, `observed of ${name}`)
          const rest = expected.subarray(upload.size)
          await upload.append(rest)
          await upload.commit(`${TARGET}-${name}-${size}`)
          await assertContent(driver, `${TARGET}-${name}-${size}`, expected)
        }
      }
    })

    it('leaves a stream that it stops reading to its maker', async () => {
      const driver = await create()
      const upload = await driver.createUpload(KEY)
      const abort = new AbortController()
      const reason = new Error('no longer wanted')
      const source = new Readable({ read: () => void setImmediate(() => abort.abort(reason)) })
      source.push(text('some'))
      await assert.rejects(upload.append(source, { signal: abort.signal }), (thrown) => thrown === reason)
      assert.equal(source.destroyed, false)
      source.destroy()
    })
  })
}
