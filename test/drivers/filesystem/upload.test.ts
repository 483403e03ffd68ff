import { describe, expect, it } from 'vitest'
import { filesystem } from '../../../src/drivers/filesystem.ts'
import { type DriverUpload, type StorageDriver, UploadTakenOverError } from '../../../src/storage/driver.ts'
import { seededRandom } from '../../../src/testing/seeded.ts'
import { diskWith } from '../../support/simulated-disk.ts'
import { withResolvers } from '../../support/with-resolvers.ts'

const UPLOAD = 'u/1/data'
const BLOB = 'b/data'

async function contentAt(driver: StorageDriver, key: string): Promise<string> {
  return Buffer.from((await driver.get(key)).content).toString()
}

async function sealedContent(upload: DriverUpload): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of (await (await upload.seal()).read()).stream()) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** A source that goes on when it is told to. */
function held(first: Uint8Array, last: string) {
  const { promise: released, resolve: release } = withResolvers()
  async function* source(): AsyncGenerator<Uint8Array> {
    yield first
    await released
    yield Buffer.from(last)
  }
  return { source: source(), release: () => release() }
}

/** Two processes, as far as uploads can tell. */
function twoDrivers(seed = 1) {
  const disk = diskWith('/disk', { random: seededRandom(seed) })
  return [filesystem('/disk', { fs: disk }), filesystem('/disk', { fs: disk }), disk] as const
}

describe('an upload in two processes', () => {
  it('is exclusive as long as the other one only looks', async () => {
    const [here, there] = twoDrivers()
    const upload = await here.createUpload(UPLOAD)
    await upload.append(Buffer.from('all from here'))
    expect((await there.resumeUpload(UPLOAD)).size).toBe(13)
    expect((await upload.seal()).exclusive).toBe(true)
  })

  it('is exclusive for other handles of the process that began it', async () => {
    const [here] = twoDrivers()
    await (await here.createUpload(UPLOAD)).append(Buffer.from('one '))
    const resumed = await here.resumeUpload(UPLOAD)
    await resumed.append(Buffer.from('two'))
    expect(await resumed.seal()).toMatchObject({ exclusive: true, size: 7 })
  })

  it('is not exclusive once the other one wrote, for either of them', async () => {
    const [here, there] = twoDrivers()
    const upload = await here.createUpload(UPLOAD)
    await upload.append(Buffer.from('here '))
    await (await there.resumeUpload(UPLOAD)).append(Buffer.from('there'))
    const resumed = await here.resumeUpload(UPLOAD)
    expect(await resumed.seal()).toMatchObject({ exclusive: false, size: 10 })
    expect(await (await there.resumeUpload(UPLOAD)).seal()).toMatchObject({ exclusive: false, size: 10 })
    await resumed.commit(BLOB)
    expect(await contentAt(there, BLOB)).toBe('here there')
  })

  for (const bytes of ['taken over', '']) {
    it(`publishes what was sealed, whatever a process that stalled writes when it wakes up: ${bytes || 'nothing added'}`, async () => {
      const [here, there] = twoDrivers()
      const stalled = await here.createUpload(UPLOAD)
      const { source, release } = held(Buffer.alloc(3 * 1024 * 1024, 'a'), 'late')
      const appending = stalled.append(source)
      const takenOver = await waitForBytes(there)
      if (bytes) await takenOver.append(Buffer.from(bytes))
      const sealed = await sealedContent(takenOver)
      await takenOver.commit(BLOB)
      release()
      await appending
      expect(await contentAt(there, BLOB)).toBe(sealed)
      await expect(stalled.seal()).rejects.toThrow()
      expect(await contentAt(there, BLOB)).toBe(sealed)
    })
  }

  it('refuses to go on where another one went on, and does no damage', async () => {
    const [here, there] = twoDrivers()
    const upload = await here.createUpload(UPLOAD)
    await upload.append(Buffer.from('one '))
    await (await there.resumeUpload(UPLOAD)).append(Buffer.from('two '))
    await expect(upload.append(Buffer.from('lost'))).rejects.toThrow(UploadTakenOverError)
    const resumed = await there.resumeUpload(UPLOAD)
    await resumed.append(Buffer.from('three'))
    await resumed.commit(BLOB)
    expect(await contentAt(here, BLOB)).toBe('one two three')
  })

  it('never publishes bytes that nobody sealed, however sealing and opening interleave', async () => {
    const outcomes = new Set<string>()
    for (let seed = 1; seed <= 500; seed++) {
      const [here, there] = twoDrivers(seed)
      const upload = await here.createUpload(UPLOAD)
      await upload.append(Buffer.from('0123456789'))
      const finish = async () => {
        const { exclusive } = await upload.seal()
        const content = await sealedContent(upload)
        if (exclusive) expect(content).toBe('0123456789')
        await upload.commit(BLOB)
        return { exclusive, content }
      }
      const other = await there.resumeUpload(UPLOAD)
      const random = seededRandom(seed)
      const intrude = async () => {
        for (let turns = Math.floor(random() * 12); turns > 0; turns--) await Promise.resolve()
        for (const bytes of ['a', 'b', 'c']) await other.append(Buffer.from(bytes))
      }
      const [finished, intruded] = await Promise.allSettled([finish(), intrude()])
      if (finished.status === 'rejected') throw finished.reason
      expect(await contentAt(here, BLOB), `seed ${seed}`).toBe(finished.value.content)
      outcomes.add(`exclusive ${finished.value.exclusive}, intruder ${intruded.status}`)
    }
    // That the interleavings are not all the same.
    expect([...outcomes].sort()).toEqual(['exclusive false, intruder rejected', 'exclusive true, intruder rejected'])
  })

  it('is published by both who seal and commit it at once, whole', async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const [here, there] = twoDrivers(seed)
      const upload = await here.createUpload(UPLOAD)
      await upload.append(Buffer.from('content'))
      const other = await there.resumeUpload(UPLOAD)
      await Promise.all([upload.commit(BLOB), other.commit(BLOB)])
      expect(await contentAt(here, BLOB)).toBe('content')
    }
  })
})

describe('a finished upload', () => {
  it('is still found, whole, by whoever did not hear of its end, until its folder goes', async () => {
    const [here, there, disk] = twoDrivers()
    const upload = await here.createUpload(UPLOAD)
    await upload.append(Buffer.from('content'))
    await upload.commit(BLOB)
    const again = await there.resumeUpload(UPLOAD)
    expect(again.size).toBe(7)
    await expect(again.append(Buffer.from('more'))).rejects.toThrow(UploadTakenOverError)
    await again.commit(BLOB)
    expect(await contentAt(there, BLOB)).toBe('content')
    await there.deletePrefix('u/1')
    expect(disk.files).toEqual([`/disk/${BLOB}`])
  })
})

async function waitForBytes(driver: StorageDriver): Promise<DriverUpload> {
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve))
    const upload = await driver.resumeUpload(UPLOAD).catch(() => undefined)
    if (upload && upload.size >= 3 * 1024 * 1024) return upload
  }
}
