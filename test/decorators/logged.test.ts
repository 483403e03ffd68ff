import { describe, expect, it } from 'vitest'
import type { Backend } from '../../src/backend.ts'
import { logged } from '../../src/decorators/logged.ts'
import type { LogFields, Logger } from '../../src/logger.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, collect, json, pushImage, readBlob } from '../support/images.ts'
import { decorated, expectRefusal } from './support.ts'

const mediaType = MEDIA_TYPES.ociIndex
const content = json({ schemaVersion: 2, mediaType, manifests: [] })
const digest = digestOf(content)

interface Line extends LogFields {
  readonly level: string
  readonly message: string
}

function recording(): { readonly logger: Logger; readonly lines: Line[] } {
  const lines: Line[] = []
  const at = (level: string) => (fields: LogFields, message: string) => void lines.push({ level, message, ...fields })
  return { lines, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

function watched() {
  const { logger, lines } = recording()
  return { ...decorated(logged(logger)), lines }
}

describe('logged', () => {
  it('writes one line for an operation, with what, where, for whom and how long', async () => {
    const { backend, lines } = watched()
    const options = { mediaType, tags: ['v1'], actor: 'ann', requestId: 'r1' }
    await backend.repository('app').manifests.put(content, options)
    expect(lines).toEqual([
      {
        level: 'info',
        message: 'manifests.put',
        operation: 'manifests.put',
        repository: 'app',
        outcome: 'ok',
        durationMs: expect.any(Number),
        ...options,
      },
    ])
    expect(lines[0]?.durationMs).toBeGreaterThanOrEqual(0)
  })

  it('names what an operation is about', async () => {
    const { backend, lines } = watched()
    const { manifests, tags, blobs } = backend.repository('app')
    await manifests.put(content, { mediaType, tags: ['v1'] })
    await manifests.get('v1')
    await manifests.stat(digest)
    await tags.set('v2', digest)
    await tags.delete('v2')
    await expectRefusal(blobs.stat(digest), 'BLOB_UNKNOWN')
    expect(lines.map(({ operation, target, outcome }) => [operation, target, outcome])).toEqual([
      ['manifests.put', undefined, 'ok'],
      ['manifests.get', 'v1', 'ok'],
      ['manifests.stat', digest, 'ok'],
      ['tags.set', 'v2', 'ok'],
      ['tags.delete', 'v2', 'ok'],
      ['blobs.stat', digest, 'BLOB_UNKNOWN'],
    ])
    expect(lines.every(({ level }) => level === 'info')).toBe(true)
  })

  it('follows an upload to its end', async () => {
    const { backend, lines } = watched()
    const { blobs } = backend.repository('app')
    const upload = await blobs.startUpload({ actor: 'ann' })
    await upload.append(bytes('o'))
    expect(upload.offset).toBe(1)
    await upload.commit(digestOf(bytes('one')), { last: bytes('ne') })
    await upload[Symbol.asyncDispose]()
    const again = await blobs.resumeUpload((await blobs.startUpload()).id)
    await again.cancel()
    expect(lines.map(({ operation }) => operation)).toEqual([
      'blobs.startUpload',
      'upload.append',
      'upload.commit',
      'blobs.startUpload',
      'blobs.resumeUpload',
      'upload.cancel',
    ])
  })

  it('writes the line of a listing when it ends, with how many there were', async () => {
    const { backend, lines } = watched()
    const { manifests, tags } = backend.repository('app')
    await manifests.put(content, { mediaType, tags: ['a', 'b', 'c'] })
    lines.length = 0
    const listing = tags.list({ requestId: 'r1' })[Symbol.asyncIterator]()
    await listing.next()
    expect(lines).toEqual([])
    await listing.return?.()
    await collect(tags.list())
    await collect(backend.repositories())
    await expectRefusal(backend.repository('nothing').tags.list(), 'NAME_UNKNOWN')
    expect(lines).toMatchObject([
      { operation: 'tags.list', repository: 'app', count: 1, outcome: 'ok', requestId: 'r1' },
      { operation: 'tags.list', count: 3, outcome: 'ok' },
      { operation: 'repositories', count: 1, outcome: 'ok' },
      { operation: 'tags.list', repository: 'nothing', count: 0, outcome: 'NAME_UNKNOWN' },
    ])
  })

  it('writes an error for what failed unexpectedly, and passes it on', async () => {
    const { plain } = watched()
    const { logger, lines } = recording()
    const broken = new Error('disk on fire')
    const inner: Backend = {
      repository: (name) => ({ ...plain.repository(name), name, delete: () => Promise.reject(broken) }),
      repositories: () => plain.repositories(),
    }
    await expect(logged(logger)(inner).repository('app').delete()).rejects.toBe(broken)
    expect(lines).toMatchObject([{ level: 'error', operation: 'repository.delete', outcome: 'UNKNOWN', err: broken }])
  })

  it('changes nothing of what goes through', async () => {
    const { backend } = watched()
    const app = backend.repository('app')
    const image = await pushImage(app, ['one'], { tags: ['v1'] })
    expect((await app.manifests.get('v1')).content).toEqual(image.content)
    expect(await readBlob(app, image.layers[0]?.digest ?? digest)).toBe('one')
    expect(await collect(app.manifests.list())).toEqual([image.digest])
    expect(await app.manifests.delete(image.digest)).toEqual(['v1'])
  })

  it('is not failed by a logger that throws once an operation has begun', async () => {
    const { plain } = watched()
    const { logger } = recording()
    const throwing = { ...logger, info: () => expect.fail('logger broke') }
    const app = logged(throwing)(plain).repository('app')
    expect((await app.manifests.put(content, { mediaType })).digest).toBe(digest)
  })
})
