import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { type DriverUpload, KeyNotFoundError, type StorageDriver, UploadTakenOverError } from '../../storage/driver.ts'
import { seededBytes } from '../seeded.ts'
import { assertBytes, assertContent, assertMissing, type ContractContext, listed, readBody, text } from './context.ts'

const KEY = 'docker/registry/v2/repositories/a/b/_uploads/0f2c/data'
const FOLDER = KEY.slice(0, KEY.lastIndexOf('/'))
const TARGET = 'docker/registry/v2/blobs/sha256/ab/abcd/data'

export function testUploads({ runner: { describe, it }, create, reopen, largeObjectBytes }: ContractContext): void {
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

    it('takes an object as large as the suite may write, in bounded memory', async () => {
      const driver = await create()
      const piece = seededBytes(262_144, 12)
      const count = Math.floor(largeObjectBytes / piece.byteLength)
      const upload = await driver.createUpload(KEY)
      let observed = 0
      const pieces = Readable.from(
        (function* () {
          for (let i = 0; i < count; i++) yield piece
        })(),
        { objectMode: false },
      )
      await upload.append(pieces, {
        durable: false,
        observe: (bytes) => {
          observed += bytes.byteLength
        },
      })
      assert.equal(observed, count * piece.byteLength)
      await upload.commit(TARGET)
      assert.equal((await driver.stat(TARGET))?.size, count * piece.byteLength)
      const start = Math.floor(count / 2) * piece.byteLength - 10
      const { body } = await driver.read(TARGET, { range: { start, end: start + 20 } })
      assertBytes(await readBody(body), Buffer.concat([piece.subarray(-10), piece.subarray(0, 10)]))
    })
  })

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

/** As the core continues an upload: a driver may count one without a byte as none. */
async function resumeOrCreate(driver: StorageDriver): Promise<DriverUpload> {
  try {
    return await driver.resumeUpload(KEY)
  } catch (error) {
    if (!(error instanceof KeyNotFoundError)) throw error
    return driver.createUpload(KEY, { takenOver: true })
  }
}

function sourcesOf(content: Uint8Array): Record<string, () => AsyncIterable<Uint8Array> | Uint8Array> {
  return {
    bytes: () => content,
    iterable: () => pieces(content, 1000),
    readable: () => Readable.from(pieces(content, 65_536), { objectMode: false }),
    largePieces: () => pieces(content, 1_200_000),
    webStream: () => new Blob([Buffer.from(content)]).stream() as unknown as AsyncIterable<Uint8Array>,
  }
}

async function* pieces(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.byteLength; at += size) yield content.subarray(at, at + size)
}

interface FailingSource {
  readonly source: AsyncIterable<Uint8Array>
  readonly error: Error
  readonly signal?: AbortSignal
}

/** Sources that bring all of `content`, and then fail. */
function failingSources(content: Uint8Array): Record<string, () => FailingSource> {
  const error = new Error('the source failed')
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield* pieces(content, 100_000)
    throw error
  }
  return {
    iterable: () => ({ source: failing(), error }),
    readable: () => ({ source: Readable.from(failing(), { objectMode: false }), error }),
    aborted: () => {
      const controller = new AbortController()
      async function* hanging(): AsyncGenerator<Uint8Array> {
        yield* pieces(content, 100_000)
        controller.abort(error)
        await new Promise(() => {})
      }
      return { source: hanging(), error, signal: controller.signal }
    },
    abortedReadable: () => {
      const controller = new AbortController()
      async function* hanging(): AsyncGenerator<Uint8Array> {
        yield* pieces(content, 100_000)
        controller.abort(error)
        await new Promise(() => {})
      }
      return { source: Readable.from(hanging(), { objectMode: false }), error, signal: controller.signal }
    },
  }
}
