import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import type { StartUploadOptions } from '../../backend.ts'
import { digestOf } from '../../spec/digest.ts'
import { text } from '../driver-contract/context.ts'
import { failingSources, pieces, sourcesOf } from '../driver-contract/upload-sources.ts'
import { seededBytes } from '../seeded.ts'
import { assertBlob, assertCode, assertNoBlob, assertRejectsFor, type ContractContext } from './context.ts'

const SIZES = [0, 1, 4096, 65_536, 65_537, 1_048_577]

export function testBlobPuts(context: ContractContext): void {
  const { create, reopen, has } = context
  const { describe, it } = context.runner

  describe('blobs.put', () => {
    it('keeps exactly the bytes, of any size', async () => {
      const { backend, repository } = await create()
      for (const size of SIZES) {
        const content = seededBytes(size, size)
        const { digest, size: stored } = await repository.blobs.put(content)
        assert.deepEqual({ digest, stored }, { digest: digestOf(content), stored: size })
        await assertBlob(repository, digest, content)
      }
      const other = (await reopen(backend)).repository(repository.name)
      for (const size of SIZES) await assertBlob(other, digestOf(seededBytes(size, size)), seededBytes(size, size))
    })

    it('takes every kind of source, with and without digest and size', async () => {
      const { repository } = await create()
      for (const [name, source] of Object.entries(sourcesOf(seededBytes(0, 0)))) {
        assert.equal((await repository.blobs.put(source())).size, 0, `nothing at all, as ${name}`)
      }
      let seed = 0
      for (const name of Object.keys(sourcesOf(text('')))) {
        for (const given of [[], ['digest'], ['size'], ['digest', 'size']]) {
          const content = seededBytes(150_001, ++seed)
          const digest = digestOf(content)
          const options = {
            ...(given.includes('digest') && { digest }),
            ...(given.includes('size') && { size: content.byteLength }),
          }
          const stored = await repository.blobs.put(sourceNamed(name, content), options)
          assert.equal(stored.digest, digest, `${name} with ${given.join(' and ') || 'nothing'}`)
          assert.equal(stored.size, content.byteLength)
          await assertBlob(repository, digest, content)
        }
      }
    })

    it('of another digest than is given is DIGEST_INVALID, and leaves nothing to be seen', async () => {
      const { repository } = await create()
      const content = text('not what it says')
      const claimed = digestOf(text('what it says'))
      for (const source of [content, pieces(content, 5)]) {
        await assertCode(repository.blobs.put(source, { digest: claimed }), 'DIGEST_INVALID')
        await assertNoBlob(context, repository, claimed)
        await assertNoBlob(context, repository, digestOf(content))
      }
      await repository.blobs.put(text('what it says'), { digest: claimed })
      await assertCode(repository.blobs.put(content, { digest: claimed }), 'DIGEST_INVALID')
      await assertBlob(repository, claimed, text('what it says'))
    })

    it('of another size than is given is SIZE_INVALID, and leaves nothing to be seen', async () => {
      const { repository } = await create()
      const content = seededBytes(1000, 7)
      const digest = digestOf(content)
      const wrong: StartUploadOptions[] = [
        { size: 999 },
        { size: 1001 },
        { size: 0 },
        { size: 999, digest },
        { size: 1001, digest },
      ]
      for (const options of wrong) {
        for (const source of [content, pieces(content, 300)]) {
          await assertCode(repository.blobs.put(source, options), 'SIZE_INVALID')
          await assertNoBlob(context, repository, digest)
          await assertNoBlob(context, repository, digestOf(content.subarray(0, 999)))
        }
      }
    })

    it('of what is there already succeeds, one after the other and at once', async () => {
      const { backend, repository } = await create()
      const other = (await reopen(backend)).repository(repository.name)
      const content = seededBytes(100_000, 8)
      const digest = digestOf(content)
      for (let times = 0; times < 2; times++) assert.equal((await repository.blobs.put(content)).digest, digest)
      const puts = Array.from({ length: 12 }, (_, i) => (i % 2 ? repository : other).blobs.put(content, { digest }))
      for (const stored of await Promise.all(puts)) assert.equal(stored.digest, digest)
      await assertBlob(repository, digest, content)
    })

    it('keeps the bytes apart from those of the caller', async () => {
      const { repository } = await create()
      const content = text('mine to change')
      const { digest } = await repository.blobs.put(content)
      content.fill(0)
      await assertBlob(repository, digest, text('mine to change'))
    })

    it('rejects with what the source fails with, or the reason of the signal, and leaves nothing to be seen', async () => {
      const { repository } = await create()
      const content = seededBytes(300_000, 9)
      const digest = digestOf(content)
      for (const options of [{}, { digest }, { digest, size: content.byteLength }]) {
        for (const open of Object.values(failingSources(content))) {
          const { source, error, signal } = open()
          await assertRejectsFor(repository.blobs.put(source, { ...options, ...(signal && { signal }) }), error)
          await assertNoBlob(context, repository, digest)
        }
      }
    })

    it('rejects with the error of a stream that fails before it is read', async () => {
      const { repository } = await create()
      for (const options of [{}, { digest: digestOf(text('hello')), size: 5 }]) {
        const error = new Error('there is no such file')
        await assertRejectsFor(repository.blobs.put(new Readable().destroy(error), options), error)
      }
    })

    if (has('sha512'))
      it('computes and checks sha512 as well', async () => {
        const { repository } = await create()
        const content = text('by a longer digest')
        const digest = digestOf(content, 'sha512')
        assert.equal((await repository.blobs.put(content, { algorithm: 'sha512' })).digest, digest)
        await assertBlob(repository, digest, content)
        const other = text('also by a longer digest')
        await assertCode(repository.blobs.put(other, { digest }), 'DIGEST_INVALID')
        await repository.blobs.put(other, { digest: digestOf(other, 'sha512') })
        await assertBlob(repository, digestOf(other, 'sha512'), other)
      })
    else
      it('refuses sha512 (lacks sha512)', async () => {
        const { repository } = await create()
        const content = text('by a longer digest')
        const digest = digestOf(content, 'sha512')
        await assertCode(repository.blobs.put(content, { digest }), 'DIGEST_INVALID', 'UNSUPPORTED')
        await assertNoBlob(context, repository, digest)
      })
  })
}

function sourceNamed(name: string, content: Uint8Array): Uint8Array | AsyncIterable<Uint8Array> {
  return sourcesOf(content)[name]?.() ?? content
}
