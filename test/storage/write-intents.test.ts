import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { CONDEMNED, FORMAT_MARKER, INTENTS } from '../../src/storage/layout.ts'
import { WriteIntents } from '../../src/storage/write-intents.ts'
import { bytes, collect, json, pushImage } from '../support/images.ts'
import { describeStorages } from '../support/storages.ts'

const A = digestOf(bytes('a'))
const B = digestOf(bytes('b'))

describeStorages('WriteIntents', (create) => {
  it('names what is relied on for as long as it is relied on', async () => {
    const storage = (await create())()
    const intents = new WriteIntents(storage, silentLogger)
    const intent = await intents.declare(new Set([A, B]))
    const [entry, ...others] = await collect(storage.list(INTENTS))
    expect(others).toEqual([])
    expect(JSON.parse(Buffer.from((await storage.get(entry?.key ?? '')).content).toString())).toEqual({
      digests: [A, B],
    })
    intent.release()
    await intents.close()
    expect(await collect(storage.list(INTENTS))).toEqual([])
  })

  it('says once who writes here', async () => {
    const storage = (await create())()
    const intent = await new WriteIntents(storage, silentLogger).declare(new Set([A]))
    intent.release()
    expect(JSON.parse(Buffer.from((await storage.get(FORMAT_MARKER)).content).toString())).toEqual({
      format: 1,
      writer: 'wharfage',
      protocol: 'intents',
    })
  })

  it('waits while a collection holds on to one of the digests', async () => {
    const storage = (await create())()
    const intents = new WriteIntents(storage, silentLogger)
    const batch = `${CONDEMNED}/sweep-1/0`
    await storage.put(batch, json({ digests: [B] }))
    const order: string[] = []
    const unrelated = await intents.declare(new Set([A]))
    unrelated.release()
    const declared = intents.declare(new Set([A, B])).then((intent) => {
      order.push('declared')
      intent.release()
    })
    // The intent is there before the condemnation is looked at: that is what a collection counts on.
    while ((await collect(storage.list(INTENTS))).length === 0) await delay(1)
    order.push('withdrawn')
    await storage.delete(batch)
    await declared
    expect(order).toEqual(['withdrawn', 'declared'])
  })

  it('gives up on what stays condemned, and leaves no intent', async () => {
    const storage = (await create())()
    const intents = new WriteIntents(storage, silentLogger, { condemnedWaitMs: 0 })
    await storage.put(`${CONDEMNED}/sweep-1/0`, json({ digests: [A] }))
    await expect(intents.declare(new Set([A]))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      status: 503,
      headers: { 'retry-after': '5' },
      detail: { digest: A },
    })
    await intents.close()
    expect(await collect(storage.list(INTENTS))).toEqual([])
  })

  it('takes a condemnation that cannot be read for one of everything', async () => {
    const storage = (await create())()
    const intents = new WriteIntents(storage, silentLogger)
    await storage.put(`${CONDEMNED}/sweep-1/0`, json({ digest: A }))
    await expect(intents.declare(new Set([B]))).rejects.toThrow('damaged condemnation')
  })

  it('takes an empty condemnation, which a loss of power left, for none', async () => {
    const storage = (await create())()
    const intents = new WriteIntents(storage, silentLogger)
    await storage.put(`${CONDEMNED}/sweep-1/0`, bytes(''))
    const intent = await intents.declare(new Set([A]))
    intent.release()
    await intents.close()
    expect(await collect(storage.list(INTENTS))).toEqual([])
  })

  it('is not declared for a call that has been aborted, which then changes nothing', async () => {
    const storage = (await create())()
    const registry = new Registry({ storage, logger: silentLogger })
    const { manifests, tags } = registry.repository('team/app')
    const reason = new Error('no longer wanted')
    const signal = AbortSignal.abort(reason)
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] }
    const { digest } = await manifests.put(json(index), { mediaType: MEDIA_TYPES.ociIndex })
    await registry.close()
    const before = await collect(storage.list(''))
    // Nothing that it lists has to be looked up, so nothing else would look at the signal.
    const another = json({ ...index, annotations: { another: 'one' } })
    await expect(manifests.put(another, { mediaType: MEDIA_TYPES.ociIndex, signal })).rejects.toBe(reason)
    await expect(tags.set('v1', digest, { signal })).rejects.toBe(reason)
    expect(await collect(storage.list(''))).toEqual(before)
  })

  it('is left behind by no operation, whether it succeeds or fails', async () => {
    const storage = (await create())()
    const registry = new Registry({ storage, logger: silentLogger })
    const repository = registry.repository('team/app')
    await pushImage(repository, ['a'], { tags: ['v1'] })
    await registry.repository('team/other').blobs.mount(A, 'team/app')
    await expect(registry.repository('team/other').blobs.mount(B, 'team/app')).rejects.toThrow()
    await expect(repository.blobs.put(bytes('x'), { digest: A })).rejects.toThrow()
    await expect(repository.tags.set('v2', B)).rejects.toThrow()
    await registry.close()
    expect(await collect(storage.list(INTENTS))).toEqual([])
  })
})
