import assert from 'node:assert/strict'
import type { ByteRange } from '../../bytes.ts'
import { digestOf } from '../../spec/digest.ts'
import { assertBytes, readBody, text } from '../driver-contract/context.ts'
import { seededBytes } from '../seeded.ts'
import { assertBlob, assertCode, assertNoBlob, type ContractContext, streamed } from './context.ts'
import { unknownDigest } from './images.ts'

const SIZE = 200_003

/** Half-open, and what is served of them. */
const RANGES: readonly (readonly [range: ByteRange, start: number, end: number])[] = [
  [{ start: 0 }, 0, SIZE],
  [{ start: 0, end: 1 }, 0, 1],
  [{ start: 1, end: 2 }, 1, 2],
  [{ start: 0, end: SIZE }, 0, SIZE],
  [{ start: 0, end: SIZE - 1 }, 0, SIZE - 1],
  [{ start: 65_535, end: 65_537 }, 65_535, 65_537],
  [{ start: 100, end: 131_072 }, 100, 131_072],
  [{ start: SIZE - 1 }, SIZE - 1, SIZE],
  [{ start: SIZE - 1, end: SIZE }, SIZE - 1, SIZE],
  [{ start: SIZE - 10, end: SIZE + 1 }, SIZE - 10, SIZE],
  [{ start: 0, end: 10 * SIZE }, 0, SIZE],
]

const NO_RANGES: readonly ByteRange[] = [
  { start: SIZE },
  { start: SIZE, end: SIZE + 1 },
  { start: SIZE + 1 },
  { start: 10 * SIZE, end: 11 * SIZE },
  { start: 5, end: 5 },
  { start: 0, end: 0 },
  { start: 6, end: 5 },
]

export function testBlobReads(context: ContractContext): void {
  const { create, has } = context
  const { describe, it } = context.runner

  describe('blobs.stat and blobs.open', () => {
    it('tell the digest and size of a blob, and give exactly its bytes', async () => {
      const { repository, seed } = await create()
      for (const size of [0, 1, 65_537, 1_000_000]) {
        const content = seededBytes(size, size)
        const { digest } = await seed.blobs.put(content)
        await assertBlob(repository, digest, content)
        assert.equal((await repository.blobs.stat(digest, { reliedUpon: true })).size, size)
        for (const verify of [true, false]) {
          assertBytes(
            await streamed((await repository.blobs.open(digest, { verify })).body),
            content,
            `verify: ${verify}`,
          )
        }
      }
    })

    it('know no blob that is not there', async () => {
      const { repository, seed } = await create()
      await seed.blobs.put(text('another'))
      for (const digest of [unknownDigest(), digestOf(text('another'), 'sha512')]) {
        await assertNoBlob(context, repository, digest)
        await assertCode(repository.blobs.open(digest, { range: { start: 0, end: 1 } }), 'BLOB_UNKNOWN')
      }
    })

    it('give every range, half-open, cut to the blob', async () => {
      const { repository, seed } = await create()
      const content = seededBytes(SIZE, 1)
      const { digest } = await seed.blobs.put(content)
      for (const [range, start, end] of RANGES) {
        const label = `bytes ${range.start} to ${range.end}`
        const reader = await repository.blobs.open(digest, { range })
        assert.deepEqual(reader.range, { start, end }, label)
        assert.equal(reader.descriptor.size, SIZE, label)
        assert.equal(reader.body.size, end - start, label)
        assertBytes(await readBody(reader.body), content.subarray(start, end), label)
      }
    })

    it('answer RANGE_INVALID where a range begins past the end, or is empty', async () => {
      const { repository, seed } = await create()
      const { digest } = await seed.blobs.put(seededBytes(SIZE, 1))
      for (const range of NO_RANGES) await assertCode(repository.blobs.open(digest, { range }), 'RANGE_INVALID')
      const empty = await seed.blobs.put(new Uint8Array())
      await assertCode(repository.blobs.open(empty.digest, { range: { start: 0 } }), 'RANGE_INVALID')
      await assertCode(repository.blobs.open(empty.digest, { range: { start: 0, end: 1 } }), 'RANGE_INVALID')
    })

    it('give the same to many who read at once', async () => {
      const { repository, seed } = await create()
      const content = seededBytes(700_000, 2)
      const { digest } = await seed.blobs.put(content)
      const starts = Array.from({ length: 16 }, (_, i) => i * 40_000)
      await Promise.all(
        starts.map(async (start) => {
          const { body } = await repository.blobs.open(digest, { range: { start } })
          assertBytes(await streamed(body), content.subarray(start), `from ${start}`)
        }),
      )
    })

    if (has('isolation'))
      it('see a blob in the repository it was put to, and in no other', async () => {
        const { backend, seed } = await create()
        const { digest } = await seed.blobs.put(text('ours alone'))
        for (const name of ['team/other', 'team', 'team/app/nested', 'team/app-extra']) {
          await assertNoBlob(context, backend.repository(name), digest)
        }
      })
    else
      it('see a blob in every repository (lacks isolation)', async () => {
        const { backend, repository, seed } = await create()
        const { digest } = await seed.blobs.put(text('for everyone'))
        await assertBlob(repository, digest, text('for everyone'))
        await assertBlob(backend.repository('team/other'), digest, text('for everyone'))
      })
  })

  describe('blobs.locate', () => {
    it('answers with a URL, or that there is none; of a blob that is not here never with one', async () => {
      const { repository, seed } = await create()
      const { digest } = await seed.blobs.put(text('somewhere'))
      for (const method of ['GET', 'HEAD'] as const) {
        const url = await repository.blobs.locate(digest, { method })
        assert.ok(url === undefined || url instanceof URL)
        const missing = await repository.blobs.locate(unknownDigest(), { method }).catch((error: unknown) => error)
        if (missing !== undefined) await assertCode(Promise.reject(missing), 'BLOB_UNKNOWN')
      }
    })
  })
}
