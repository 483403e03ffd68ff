import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { finishDigest } from '../../spec/digest.ts'
import { assertBytes, readBody } from '../driver-contract/context.ts'
import { seededBytes } from '../seeded.ts'
import type { ContractContext } from './context.ts'

/** A prime: no boundary of parts or pages falls on one of pieces. */
const PIECE_BYTES = 262_147

export function testLargeBlobs({ runner: { describe, it }, create, has, largeBlobBytes }: ContractContext): void {
  const piece = seededBytes(PIECE_BYTES, 12)
  const count = Math.max(1, Math.floor(largeBlobBytes / PIECE_BYTES))
  const size = count * PIECE_BYTES

  function* pieces(from: number, to: number): Generator<Uint8Array> {
    // Changed in one place, so that none is like the one before it.
    for (let i = from; i < to; i++) yield Uint8Array.from(piece).fill(i % 251, 0, 1)
  }
  async function* streamed(from = 0, to: number = count): AsyncGenerator<Uint8Array> {
    yield* pieces(from, to)
  }
  const digest = () => {
    const hash = createHash('sha256')
    for (const one of pieces(0, count)) hash.update(one)
    return finishDigest('sha256', hash)
  }

  describe('a blob larger than the buffers on its way', () => {
    it('is put as a stream, and read whole and from any place', async () => {
      const { repository, seed } = await create()
      const stored = await seed.blobs.put(streamed())
      assert.deepEqual([stored.digest, stored.size], [digest(), size])
      assert.equal((await repository.blobs.stat(stored.digest)).size, size)
      const whole = createHash('sha256')
      for await (const chunk of (await repository.blobs.open(stored.digest)).body.stream()) whole.update(chunk)
      assert.equal(finishDigest('sha256', whole), stored.digest)
      const content = await readBody((await repository.blobs.open(stored.digest)).body)
      assert.equal(finishDigest('sha256', createHash('sha256').update(content)), stored.digest)
      for (const middle of [PIECE_BYTES, 2 ** 20, Math.floor(size / 2), size - 10]) {
        const range = { start: Math.max(0, middle - 10), end: Math.min(middle + 10, size) }
        const { body } = await repository.blobs.open(stored.digest, { range })
        assertBytes(await readBody(body), content.subarray(range.start, range.end), `bytes around ${middle}`)
      }
    })

    if (has('write'))
      it('is uploaded in chunks', async () => {
        const { repository } = await create()
        await using upload = await repository.blobs.startUpload({ digest: digest(), size })
        const middle = Math.floor(count / 2)
        assert.equal(await upload.append(streamed(0, middle)), middle * PIECE_BYTES)
        const stored = await upload.commit(digest(), { last: streamed(middle), at: middle * PIECE_BYTES })
        assert.deepEqual([stored.digest, stored.size], [digest(), size])
        const whole = createHash('sha256')
        for await (const chunk of (await repository.blobs.open(digest())).body.stream()) whole.update(chunk)
        assert.equal(finishDigest('sha256', whole), digest())
      })
  })
}
