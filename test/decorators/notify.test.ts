import { describe, expect, it } from 'vitest'
import type { Backend } from '../../src/backend.ts'
import { notify } from '../../src/decorators/notify.ts'
import { memory } from '../../src/drivers/memory.ts'
import type { RegistryEvent } from '../../src/events.ts'
import { type Logger, silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, collect, json, pushImage, readBlob } from '../support/images.ts'
import { expectRefusal } from './support.ts'

const mediaType = MEDIA_TYPES.ociIndex
const content = json({ schemaVersion: 2, mediaType, manifests: [] })
const digest = digestOf(content)

function watched(): {
  readonly plain: Registry
  readonly backend: Backend
  readonly told: () => Promise<RegistryEvent[]>
} {
  const events: RegistryEvent[] = []
  const plain = new Registry({ storage: memory(), logger: silentLogger })
  const backend = notify((event) => void events.push(event), { logger: silentLogger })(plain)
  const told = async () => {
    await turns()
    return events.splice(0)
  }
  return { plain, backend, told }
}

/** Sinks are called on a turn of their own. */
function turns(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('notify', () => {
  it('tells of a blob that was pushed in one go', async () => {
    const { backend, told } = watched()
    const blob = await backend.repository('app').blobs.put(bytes('one'))
    expect(await told()).toMatchObject([{ type: 'blob.pushed', repository: 'app', blob }])
  })

  it('tells of a blob that was uploaded when it is committed, also by a session that was resumed', async () => {
    const { backend, told } = watched()
    const { blobs } = backend.repository('app')
    const upload = await blobs.startUpload()
    await upload.append(bytes('o'))
    expect(upload.offset).toBe(1)
    await upload[Symbol.asyncDispose]()
    const resumed = await blobs.resumeUpload(upload.id)
    expect([resumed.id, resumed.offset]).toEqual([upload.id, 1])
    expect(await told()).toEqual([])
    const blob = await resumed.commit(digestOf(bytes('one')), { last: bytes('ne'), at: 1 })
    expect(await told()).toMatchObject([{ type: 'blob.pushed', blob }])
  })

  it('tells of nothing when an upload is cancelled or its digest is wrong', async () => {
    const { backend, told } = watched()
    const { blobs } = backend.repository('app')
    await (await blobs.startUpload()).cancel()
    const upload = await blobs.startUpload()
    await expectRefusal(upload.commit(digestOf(bytes('one')), { last: bytes('two') }), 'DIGEST_INVALID')
    expect(await told()).toEqual([])
  })

  it('tells of a blob that was opened, not of one that was looked at', async () => {
    const { plain, backend, told } = watched()
    const blob = await plain.repository('app').blobs.put(bytes('one'))
    await backend.repository('app').blobs.stat(blob.digest)
    await collect(backend.repository('app').blobs.list())
    expect(await told()).toEqual([])
    await readBlob(backend.repository('app'), blob.digest)
    expect(await told()).toMatchObject([{ type: 'blob.pulled', blob }])
  })

  it('tells of a mount, and from where if it knows', async () => {
    const { plain, backend, told } = watched()
    const blob = await plain.repository('from').blobs.put(bytes('one'))
    await backend.repository('app').blobs.mount(blob.digest, 'from')
    await backend.repository('app').blobs.mount(blob.digest, plain.repositories({ withBlobsOnly: true }))
    const [known, unknown] = await told()
    expect(known).toMatchObject({ type: 'blob.mounted', repository: 'app', blob, from: 'from' })
    expect(unknown).toMatchObject({ type: 'blob.mounted', blob })
    expect(unknown).not.toHaveProperty('from')
  })

  it('tells of a blob that was deleted', async () => {
    const { plain, backend, told } = watched()
    const blob = await plain.repository('app').blobs.put(bytes('one'))
    await backend.repository('app').blobs.delete(blob.digest)
    expect(await told()).toMatchObject([{ type: 'blob.deleted', digest: blob.digest }])
  })

  it('tells of manifests and tags', async () => {
    const { backend, told } = watched()
    const { manifests, tags } = backend.repository('app')
    await manifests.put(content, { mediaType, tags: ['v1', 'v2'] })
    await manifests.get('v1')
    await manifests.get(digest)
    await manifests.stat('v1')
    await tags.resolve('v1')
    await tags.set('v3', digest)
    await tags.delete('v2')
    await collect(tags.list())
    await collect(manifests.list())
    await collect(manifests.referrers(digest))
    await manifests.delete(digest)
    const events = await told()
    expect(events).toMatchObject([
      { type: 'manifest.pushed', manifest: { digest, mediaType, size: content.byteLength }, tags: ['v1', 'v2'] },
      { type: 'manifest.pulled', manifest: { digest }, tag: 'v1' },
      { type: 'manifest.pulled', manifest: { digest } },
      { type: 'tag.set', tag: 'v3', digest },
      { type: 'tag.deleted', tag: 'v2' },
      { type: 'manifest.deleted', digest, tags: ['v1', 'v3'] },
    ])
    expect(events[2]).not.toHaveProperty('tag')
  })

  it('tells of a repository that was deleted', async () => {
    const { plain, backend, told } = watched()
    await pushImage(plain.repository('app'), [])
    await backend.repository('app').delete()
    expect(await told()).toMatchObject([{ type: 'repository.deleted', repository: 'app' }])
  })

  it('tells of nothing that failed', async () => {
    const { backend, told } = watched()
    const { blobs, manifests, tags, ...app } = backend.repository('app')
    await expectRefusal(blobs.open(digest), 'BLOB_UNKNOWN')
    await expectRefusal(blobs.delete(digest), 'BLOB_UNKNOWN')
    await expectRefusal(blobs.mount(digest, 'other'), 'BLOB_UNKNOWN')
    await expectRefusal(blobs.put(bytes('x'), { digest }), 'DIGEST_INVALID')
    await expectRefusal(manifests.get('v1'), 'MANIFEST_UNKNOWN')
    await expectRefusal(manifests.put(bytes('x'), { mediaType }), 'MANIFEST_INVALID')
    await expectRefusal(manifests.delete(digest), 'MANIFEST_UNKNOWN')
    await expectRefusal(tags.set('v1', digest), 'MANIFEST_UNKNOWN')
    await expectRefusal(tags.delete('v1'), 'MANIFEST_UNKNOWN')
    await expectRefusal(app.delete(), 'NAME_UNKNOWN')
    expect(await told()).toEqual([])
  })

  it('says who did it, when, and by which request', async () => {
    const { backend, told } = watched()
    const request = { method: 'PUT', address: '192.0.2.1', host: 'registry.example.com', userAgent: 'docker' }
    const before = Date.now()
    const context = { actor: 'ann', requestId: 'r1', request }
    await backend.repository('app').manifests.put(content, { mediaType, ...context })
    const [event] = await told()
    expect(event).toMatchObject(context)
    expect(event?.at.getTime()).toBeGreaterThanOrEqual(before)
  })

  it('leaves out what it does not know', async () => {
    const { backend, told } = watched()
    await backend.repository('app').manifests.put(content, { mediaType })
    const [event] = await told()
    for (const field of ['actor', 'requestId', 'request']) expect(event).not.toHaveProperty(field)
  })

  it('gives every event an id of its own', async () => {
    const { backend, told } = watched()
    for (let n = 0; n < 20; n++) await backend.repository('app').manifests.put(content, { mediaType })
    const ids = (await told()).map(({ id }) => id)
    expect(new Set(ids).size).toBe(20)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('listener broke')
      },
    ],
    ['rejects', () => Promise.reject(new Error('listener broke'))],
  ] satisfies [string, () => Promise<void>][])('logs a sink that %s, and fails nothing', async (_, sink) => {
    const lines: unknown[] = []
    const logger: Logger = { ...silentLogger, error: (fields, message) => lines.push([fields, message]) }
    const plain = new Registry({ storage: memory(), logger: silentLogger })
    const backend = notify(sink, { logger })(plain)
    expect((await backend.repository('app').manifests.put(content, { mediaType })).digest).toBe(digest)
    await turns()
    expect(lines).toEqual([
      [{ err: expect.objectContaining({ message: 'listener broke' }), event: 'manifest.pushed' }, 'a listener failed'],
    ])
  })

  it('does not wait for a sink that never ends', async () => {
    const plain = new Registry({ storage: memory(), logger: silentLogger })
    const backend = notify(() => new Promise(() => {}), { logger: silentLogger })(plain)
    expect((await backend.repository('app').manifests.put(content, { mediaType })).digest).toBe(digest)
  })
})
