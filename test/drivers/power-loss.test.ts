import { describe, expect, it } from 'vitest'
import { filesystem } from '../../src/drivers/filesystem.ts'
import { type DriverUpload, KeyNotFoundError, type StorageDriver } from '../../src/storage/driver.ts'
import { seededBytes, seededRandom } from '../../src/testing/seeded.ts'
import { type PowerLoss, powerLosses } from '../support/power-loss.ts'
import { diskWith, type SimulatedDisk } from '../support/simulated-disk.ts'

const BLOBS = 'docker/registry/v2/blobs/sha256'
const UPLOADS = 'docker/registry/v2/repositories/team/app/_uploads'

type Promised =
  /** The key may have this content from now on. `undefined`: none. */
  | { readonly type: 'trying'; readonly key: string; readonly content: string | undefined }
  | { readonly type: 'done'; readonly key: string; readonly content: string | undefined }
  /** The upload at this key holds at least this. */
  | { readonly type: 'received'; readonly upload: string; readonly content: string }
  /** From now on the upload may be gone, and its content at a key. */
  | { readonly type: 'ending'; readonly upload: string }

/** Does things on a disk and notes in its journal what was promised when. */
class Recorder {
  readonly disk: SimulatedDisk
  readonly driver: StorageDriver

  constructor(disk: SimulatedDisk) {
    this.disk = disk
    this.driver = filesystem('/disk', { fs: disk })
  }

  async put(key: string, content: string, ifVersion?: string | null): Promise<void> {
    await this.#promise(key, content, () =>
      this.driver.put(key, Buffer.from(content), ifVersion === undefined ? {} : { ifVersion }),
    )
  }

  async delete(key: string): Promise<void> {
    await this.#promise(key, undefined, () => this.driver.delete(key))
  }

  async deletePrefix(prefix: string, keys: readonly string[]): Promise<void> {
    for (const key of keys) this.note({ type: 'trying', key, content: undefined })
    await this.driver.deletePrefix(prefix)
    for (const key of keys) this.note({ type: 'done', key, content: undefined })
  }

  async commit(
    upload: { commit(key: string): Promise<void> },
    from: string,
    key: string,
    content: string,
  ): Promise<void> {
    this.note({ type: 'ending', upload: from })
    await this.#promise(key, content, () => upload.commit(key))
  }

  note(promised: Promised): void {
    this.disk.mark(promised)
  }

  async #promise(key: string, content: string | undefined, change: () => Promise<void>): Promise<void> {
    this.note({ type: 'trying', key, content })
    await change()
    this.note({ type: 'done', key, content })
  }
}

async function objects(recorder: Recorder): Promise<void> {
  const { driver } = recorder
  await recorder.put('docker/registry/v2/repositories/team/app/_manifests/tags/v1/current/link', 'sha256:1')
  await recorder.put('docker/registry/v2/repositories/team/app/_manifests/tags/v1/current/link', 'sha256:2')
  await recorder.put('docker/registry/v2/repositories/team/app/_manifests/tags/v2/current/link', 'sha256:3', null)
  const key = 'docker/registry/v2/repositories/team/app/_manifests/tags/v2/current/link'
  await recorder.put(key, 'sha256:4', (await driver.stat(key))?.version ?? null)
  await Promise.all(
    Array.from({ length: 4 }, (_, index) => recorder.put(`${BLOBS}/a${index % 2}/a${index}/data`, `blob ${index}`)),
  )
  await recorder.delete(key)
  await Promise.all([recorder.delete(`${BLOBS}/a0/a0/data`), recorder.put(`${BLOBS}/a0/a4/data`, 'beside it')])
  await recorder.put(key, 'sha256:5')
}

async function uploads(recorder: Recorder): Promise<void> {
  const { driver, disk } = recorder
  const [one, two, three, four] = [1, 2, 3, 4].map((id) => `${UPLOADS}/${id}/data`) as [string, string, string, string]
  const kept = await driver.createUpload(one)
  await kept.append(Buffer.from('first '))
  recorder.note({ type: 'received', upload: one, content: 'first ' })
  await kept.append(Buffer.from('second'))
  recorder.note({ type: 'received', upload: one, content: 'first second' })
  await recorder.commit(kept, one, `${BLOBS}/11/11/data`, 'first second')

  const single = await driver.createUpload(two)
  await single.append(Buffer.from('at once'), { durable: false })
  await recorder.commit(single, two, `${BLOBS}/11/12/data`, 'at once')

  const begun = await driver.createUpload(three)
  await begun.append(Buffer.from('begun here, '))
  recorder.note({ type: 'received', upload: three, content: 'begun here, ' })
  const elsewhere = await filesystem('/disk', { fs: disk }).resumeUpload(three)
  await elsewhere.append(Buffer.from('ended there'))
  recorder.note({ type: 'received', upload: three, content: 'begun here, ended there' })
  await recorder.commit(elsewhere, three, `${BLOBS}/22/22/data`, 'begun here, ended there')
  await driver.deletePrefix(`${UPLOADS}/3`)

  await recorder.commit(await driver.createUpload(four), four, `${BLOBS}/33/33/data`, '')
}

/** Prunes and writes in the same folders, all at once. */
async function churn(recorder: Recorder): Promise<void> {
  await Promise.all(
    ['a', 'b', 'c'].map(async (name) => {
      for (let round = 0; round < 3; round++) {
        await recorder.put(`${BLOBS}/cc/${name === 'c' ? 'a' : name}/${name}`, `${name}${round}`)
        await recorder.delete(`${BLOBS}/cc/${name === 'c' ? 'a' : name}/${name}`)
      }
      await recorder.put(`${BLOBS}/cc/last/${name}`, name)
    }),
  )
}

/** Many into one folder, so that they share syncs of it. */
async function together(recorder: Recorder): Promise<void> {
  const folder = 'docker/registry/v2/repositories/team/app/_layers/sha256'
  await recorder.put(`${folder}/first`, 'first')
  for (let round = 0; round < 2; round++) {
    await Promise.all(
      Array.from({ length: 5 }, (_, index) => recorder.put(`${folder}/${round}-${index}`, `link ${index}`)),
    )
  }
}

/** Two processes that prune and write in the same folders. */
async function processes(recorder: Recorder): Promise<void> {
  const other = new Recorder(recorder.disk)
  await recorder.put(`${BLOBS}/stays`, 'so that its folder does')
  for (let round = 0; round < 4; round++) {
    const folder = `${BLOBS}/dd/shared`
    await recorder.put(`${folder}/first`, `first ${round}`)
    // Both know the folder now; one takes it away and makes it again, while the other writes to it.
    await other.delete(`${folder}/first`)
    await Promise.all([
      other.put(`${folder}/second`, `second ${round}`),
      recorder.put(`${folder}/third`, `third ${round}`),
    ])
    await other.delete(`${folder}/second`)
    await recorder.deletePrefix(`${BLOBS}/dd`, [`${folder}/third`])
    await recorder.put(`${BLOBS}/ee`, 'deleted by both')
    await Promise.all([recorder.delete(`${BLOBS}/ee`), other.delete(`${BLOBS}/ee`)])
  }
}

/** What is wrong after a power loss; empty when every promise was kept. */
async function broken({ disk, marks }: PowerLoss): Promise<string[]> {
  const driver = filesystem('/disk', { fs: disk })
  const problems: string[] = []
  for (const [key, allowed] of allowedContents(marks as Promised[])) {
    const found = await contentAt(driver, key)
    if (!allowed.has(found))
      problems.push(`${key} is ${JSON.stringify(found)}, not one of ${JSON.stringify([...allowed])}`)
  }
  for (const [upload, content] of receivedUploads(marks as Promised[])) {
    const found = await uploadedTo(driver, upload)
    if (!found.startsWith(content))
      problems.push(`${upload} holds ${JSON.stringify(found)}, not ${JSON.stringify(content)}`)
  }
  for (const upload of endedUploads(marks as Promised[])) await goOn(driver, upload)
  for (const [key, allowed] of allowedContents(marks as Promised[])) {
    if (!allowed.has(await contentAt(driver, key))) problems.push(`${key} changed with the upload that it came from`)
  }
  await driver.put('docker/registry/v2/blobs/afterwards', Buffer.from('goes on'))
  if ((await contentAt(driver, 'docker/registry/v2/blobs/afterwards')) !== 'goes on') problems.push('does not go on')
  await new Promise((resolve) => setImmediate(resolve))
  if (disk.openPaths.length > 0) problems.push(`left open: ${disk.openPaths}`)
  return problems
}

function allowedContents(promises: readonly Promised[]): Map<string, Set<string | undefined>> {
  const allowed = new Map<string, Set<string | undefined>>()
  for (const promised of promises) {
    if (promised.type === 'trying') {
      const before = allowed.get(promised.key) ?? new Set([undefined])
      allowed.set(promised.key, before.add(promised.content))
    } else if (promised.type === 'done') {
      allowed.set(promised.key, new Set([promised.content]))
    }
  }
  return allowed
}

function receivedUploads(promises: readonly Promised[]): Map<string, string> {
  const received = new Map<string, string>()
  for (const promised of promises) {
    if (promised.type === 'received') received.set(promised.upload, promised.content)
    if (promised.type === 'ending') received.delete(promised.upload)
  }
  return received
}

function endedUploads(promises: readonly Promised[]): string[] {
  return promises.flatMap((promised) => (promised.type === 'ending' ? [promised.upload] : []))
}

/** A client that knows nothing of the commit goes on with the upload, if it is there. */
async function goOn(driver: StorageDriver, upload: string): Promise<void> {
  try {
    await (await driver.resumeUpload(upload)).append(Buffer.from(' and more'))
  } catch {
    // Gone, or sealed.
  }
}

async function contentAt(driver: StorageDriver, key: string): Promise<string | undefined> {
  try {
    return Buffer.from((await driver.get(key)).content).toString()
  } catch (error) {
    if (error instanceof KeyNotFoundError) return undefined
    throw error
  }
}

async function uploadedTo(driver: StorageDriver, upload: string): Promise<string> {
  try {
    return (await sealedContent(await driver.resumeUpload(upload))).toString()
  } catch (error) {
    if (error instanceof KeyNotFoundError) return ''
    throw error
  }
}

async function sealedContent(upload: DriverUpload): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of (await (await upload.seal()).read()).stream()) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const SCENARIOS = { objects, uploads, churn, together, processes }

describe('a power loss at any moment', () => {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    it(`takes nothing that was acknowledged, and shows nothing partial: ${name}`, async () => {
      for (const seed of [1, 2, 3]) {
        const recorder = new Recorder(diskWith('/disk', { random: seededRandom(seed) }))
        await scenario(recorder)
        let checked = 0
        for (const loss of powerLosses(recorder.disk, seed === 1 ? 20 : 3)) {
          expect(await broken(loss), `interleaving ${seed}, ${loss.label}`).toEqual([])
          checked++
        }
        expect(checked).toBeGreaterThan(200)
      }
    })

    for (const forget of ['files', 'directories'] as const) {
      it(`would be noticed if syncs of ${forget} did nothing: ${name}`, async () => {
        const recorder = new Recorder(diskWith('/disk', { forget }))
        await scenario(recorder)
        const isNoticed = async () => {
          for (const loss of powerLosses(recorder.disk, 5)) if ((await broken(loss)).length > 0) return true
          return false
        }
        expect(await isNoticed()).toBe(true)
      })
    }
  }

  it('keeps a large upload that came in pieces', async () => {
    const disk = diskWith('/disk')
    const driver = filesystem('/disk', { fs: disk })
    const content = seededBytes(2_500_000, 1)
    const upload = await driver.createUpload(`${UPLOADS}/1/data`)
    await upload.append(content.subarray(0, 1_500_000))
    disk.mark(1_500_000)
    await upload.append(content.subarray(1_500_000))
    disk.mark(2_500_000)
    for (const { disk: left, marks, label } of powerLosses(disk, 3)) {
      const received = Number(marks.at(-1) ?? 0)
      if (received === 0) continue
      const resumed = await filesystem('/disk', { fs: left }).resumeUpload(`${UPLOADS}/1/data`)
      expect(resumed.size, label).toBeGreaterThanOrEqual(received)
      const found = (await sealedContent(resumed)).subarray(0, received)
      expect(found.equals(content.subarray(0, received)), label).toBe(true)
    }
  })

  it.each([
    ['another process, after the first was killed', (disk: SimulatedDisk) => filesystem('/disk', { fs: disk })],
    ['the same process', (_disk: SimulatedDisk, same: StorageDriver) => same],
  ])('keeps what was not acknowledged, but told to %s', async (_, asking) => {
    const disk = diskWith('/disk')
    const driver = filesystem('/disk', { fs: disk })
    const content = seededBytes(300_000, 1)
    const upload = await driver.createUpload(`${UPLOADS}/1/data`)
    await upload.append(content, { durable: false })
    const { size } = await asking(disk, driver).resumeUpload(`${UPLOADS}/1/data`)
    expect(size).toBe(300_000)
    disk.mark(size)
    let checked = 0
    for (const { disk: left, marks, label } of powerLosses(disk, 20)) {
      if (marks.length === 0) continue
      const resumed = await filesystem('/disk', { fs: left }).resumeUpload(`${UPLOADS}/1/data`)
      expect((await sealedContent(resumed)).equals(content), label).toBe(true)
      checked++
    }
    expect(checked).toBeGreaterThan(0)
  })
})
