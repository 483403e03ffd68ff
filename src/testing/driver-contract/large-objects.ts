import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { seededBytes } from '../seeded.ts'
import { assertBytes, type ContractContext, readBody } from './context.ts'
import { KEY, TARGET } from './upload-sources.ts'

/** Where numbers of 31 and 32 bits end; an object may end before. */
const EDGES = [2 ** 31, 2 ** 32]

export function testLargeObjects({ runner: { describe, it }, create, largeObjectBytes }: ContractContext): void {
  describe('an object as large as the suite may write', () => {
    it('is taken in bounded memory, and read from any place', async () => {
      const driver = await create()
      // A prime: no boundary of parts or pages falls on one of pieces.
      const piece = seededBytes(262_147, 12)
      const count = Math.floor(largeObjectBytes / piece.byteLength)
      const size = count * piece.byteLength
      const upload = await driver.createUpload(KEY)
      let observed = 0
      function* pieces() {
        for (let i = 0; i < count; i++) yield piece
      }
      await upload.append(Readable.from(pieces(), { objectMode: false }), {
        durable: false,
        observe: (bytes) => {
          observed += bytes.byteLength
        },
      })
      assert.equal(observed, size)
      await upload.commit(TARGET)
      assert.equal((await driver.stat(TARGET))?.size, size)
      for (const middle of [...EDGES, size / 2, size].map(Math.floor)) {
        if (middle > size) continue
        const [start, end] = [middle - 10, Math.min(middle + 10, size)]
        const { stat, body } = await driver.read(TARGET, { range: { start, end } })
        assert.equal(stat.size, size)
        const expected = Uint8Array.from({ length: end - start }, (_, i) => piece[(start + i) % piece.byteLength] ?? 0)
        assertBytes(await readBody(body), expected, `bytes from ${start} on`)
      }
    })
  })
}
