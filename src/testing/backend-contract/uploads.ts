import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import type { Upload } from '../../backend.ts'
import { digestOf } from '../../spec/digest.ts'
import { text } from '../driver-contract/context.ts'
import { failingSources, pieces, sourcesOf } from '../driver-contract/upload-sources.ts'
import { seededBytes } from '../seeded.ts'
import {
  assertBlob,
  assertCode,
  assertNoBlob,
  assertRejectsFor,
  type ContractContext,
  settlesBefore,
} from './context.ts'

export function testUploads(context: ContractContext): void {
  const { create, reopen } = context
  const { describe, it } = context.runner

  describe('an upload', () => {
    it('grows by what is appended, and is seen once it is committed, not before', async () => {
      const { repository } = await create()
      const content = seededBytes(300_000, 1)
      const digest = digestOf(content)
      await using upload = await repository.blobs.startUpload()
      assert.ok(upload.id !== '' && upload.startedAt instanceof Date)
      assert.equal(upload.offset, 0)
      for (const [start, end] of [
        [0, 1],
        [1, 100_000],
        [100_000, 100_000],
        [100_000, 300_000],
      ] as const) {
        assert.equal(await upload.append(content.subarray(start, end), { at: start }), end)
        assert.equal(upload.offset, end)
        await assertNoBlob(context, repository, digest)
      }
      const committed = await upload.commit(digest)
      assert.deepEqual([committed.digest, committed.size], [digest, content.byteLength])
      await assertBlob(repository, digest, content)
    })

    it('takes every kind of source, to append and as the last bytes', async () => {
      const { repository } = await create()
      let seed = 0
      for (const name of Object.keys(sourcesOf(text('')))) {
        const [first, last] = [seededBytes(70_001, ++seed), seededBytes(90_001, ++seed)]
        const whole = Buffer.concat([first, last])
        await using upload = await repository.blobs.startUpload()
        assert.equal(await upload.append(sourcesOf(first)[name]?.() ?? first), first.byteLength, name)
        const { size } = await upload.commit(digestOf(whole), { last: sourcesOf(last)[name]?.() ?? last, at: 70_001 })
        assert.equal(size, whole.byteLength, name)
        await assertBlob(repository, digestOf(whole), whole)
      }
    })

    it('can be of nothing, of last bytes alone, and say its digest, algorithm and size beforehand', async () => {
      const { repository } = await create()
      const commit = async (upload: Upload, content: Uint8Array) => {
        await using _ = upload
        await upload.commit(digestOf(content), content.byteLength === 0 ? {} : { last: content })
        await assertBlob(repository, digestOf(content), content)
      }
      await commit(await repository.blobs.startUpload(), new Uint8Array())
      await commit(await repository.blobs.startUpload(), text('last'))
      const said = text('said beforehand')
      await commit(await repository.blobs.startUpload({ digest: digestOf(said), size: said.byteLength }), said)
      await commit(await repository.blobs.startUpload({ algorithm: 'sha512' }), text('by another algorithm'))
    })

    it('answers RANGE_INVALID where it is not at the offset that the caller believes, and goes on', async () => {
      const { repository } = await create()
      await using upload = await repository.blobs.startUpload()
      await assertCode(upload.append(text('far'), { at: 3 }), 'RANGE_INVALID')
      await upload.append(text('one '))
      for (const at of [0, 3, 5]) await assertCode(upload.append(text('two'), { at }), 'RANGE_INVALID')
      await assertCode(upload.commit(digestOf(text('one two')), { at: 0, last: text('two') }), 'RANGE_INVALID')
      assert.equal(upload.offset, 4)
      await upload.append(text('two'), { at: 4 })
      await upload.commit(digestOf(text('one two')), { at: 7 })
      await assertBlob(repository, digestOf(text('one two')), text('one two'))
    })

    it('ends with DIGEST_INVALID when it is committed by another digest than its own', async () => {
      const { repository } = await create()
      const content = text('what came')
      const claimed = digestOf(text('what was to come'))
      for (const options of [{}, { last: text(' late') }]) {
        await using upload = await repository.blobs.startUpload()
        await upload.append(content)
        await assertCode(upload.commit(claimed, options), 'DIGEST_INVALID')
        for (const digest of [claimed, digestOf(content), digestOf(text('what came late'))]) {
          await assertNoBlob(context, repository, digest)
        }
        await assert.rejects(upload.commit(digestOf(content)))
        await assertNoBlob(context, repository, digestOf(content))
      }
    })

    it('is dropped by cancel, as often as it is called; what was committed stays', async () => {
      const { repository } = await create()
      const content = text('dropped')
      await using upload = await repository.blobs.startUpload()
      await upload.append(content)
      for (let times = 0; times < 2; times++) await upload.cancel()
      await assert.rejects(upload.append(text('more')))
      await assert.rejects(upload.commit(digestOf(content)))
      await assertNoBlob(context, repository, digestOf(content))
      await using committed = await repository.blobs.startUpload()
      await committed.commit(digestOf(content), { last: content })
      for (let times = 0; times < 2; times++) await committed.cancel()
      await assertBlob(repository, digestOf(content), content)
    })

    it('may be one of several of one blob, begun here and elsewhere', async () => {
      const { backend, repository } = await create()
      const other = (await reopen(backend)).repository(repository.name)
      const content = seededBytes(100_000, 2)
      const digest = digestOf(content)
      const uploads = []
      for (const { blobs } of [repository, other, repository, other]) uploads.push(await blobs.startUpload())
      assert.equal(new Set(uploads.map(({ id }) => id)).size, uploads.length)
      const upload = async (one: Upload) => {
        await using _ = one
        await one.append(content.subarray(0, 50_000))
        await one.commit(digest, { last: content.subarray(50_000) })
      }
      await Promise.all(uploads.map(upload))
      await assertBlob(repository, digest, content)
    })

    it('takes one call at a time: a second one while the first runs is RANGE_INVALID', async () => {
      const { repository } = await create()
      await using upload = await repository.blobs.startUpload()
      let goOn = () => {}
      const waiting = new Promise<void>((resolve) => {
        goOn = resolve
      })
      async function* slow(): AsyncGenerator<Uint8Array> {
        yield text('one ')
        await waiting
        yield text('two')
      }
      const first = upload.append(slow())
      await assertCode(settlesBefore(goOn, upload.append(text('in between'))), 'RANGE_INVALID')
      await assertCode(settlesBefore(goOn, upload.commit(digestOf(text('one two')))), 'RANGE_INVALID')
      goOn()
      assert.equal(await first, 7)
      await upload.commit(digestOf(text('one two')))
      await assertBlob(repository, digestOf(text('one two')), text('one two'))
    })

    it('neither grows nor is published by a call whose signal has aborted', async () => {
      const { repository } = await create()
      const reason = new Error('no longer wanted')
      const signal = AbortSignal.abort(reason)
      const [content, more] = [text('kept'), text(' and more')]
      await using upload = await repository.blobs.startUpload()
      await upload.append(content)
      await assertRejectsFor(upload.append(more, { signal }), reason)
      await assertRejectsFor(upload.commit(digestOf(content), { signal }), reason)
      await assertRejectsFor(upload.commit(digestOf(text('kept and more')), { signal, last: more }), reason)
      assert.equal(upload.offset, content.byteLength)
      await assertNoBlob(context, repository, digestOf(content))
      await upload.commit(digestOf(content))
      await assertBlob(repository, digestOf(content), content)
    })

    it('rejects with what a source fails with, or the reason of the signal, and publishes nothing', async () => {
      const { repository } = await create()
      const content = seededBytes(300_000, 3)
      const digest = digestOf(content)
      for (const [name, open] of Object.entries(failingSources(content))) {
        const appended = open()
        await using upload = await repository.blobs.startUpload()
        const signalled = appended.signal && { signal: appended.signal }
        await assertRejectsFor(upload.append(appended.source, { ...signalled }), appended.error)
        assert.ok(upload.offset <= content.byteLength, name)
        await assertNoBlob(context, repository, digest)
        const last = open()
        await using committed = await repository.blobs.startUpload({ digest })
        const options = { last: last.source, ...(last.signal && { signal: last.signal }) }
        await assertRejectsFor(committed.commit(digest, options), last.error)
        await assertNoBlob(context, repository, digest)
        await upload.cancel()
        await committed.cancel()
      }
      await repository.blobs.put(pieces(content, 1000), { digest })
      await assertBlob(repository, digest, content)
    })

    it('rejects with the error of a stream that fails before it is read', async () => {
      const { repository } = await create()
      const error = new Error('there is no such file')
      await using upload = await repository.blobs.startUpload()
      await assertRejectsFor(upload.append(new Readable().destroy(error)), error)
      const digest = digestOf(text('hello'))
      await assertRejectsFor(upload.commit(digest, { last: new Readable().destroy(error) }), error)
      await upload.cancel()
    })
  })
}
