import { Readable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { memory } from '../../src/drivers/memory.ts'
import { uploadsInPieces } from '../../src/drivers/uploads-in-pieces.ts'
import type { StorageDriver } from '../../src/storage/driver.ts'
import { testStorageDriver } from '../../src/testing/driver-contract.ts'
import { seededBytes } from '../../src/testing/seeded.ts'

const KEY = 'a/_uploads/1/data'
const TARGET = 'a/blob'

/** The memory driver, but for its uploads. */
function piecewise(pieceBytes?: number): StorageDriver {
  const inner = memory()
  const uploads = uploadsInPieces(
    {
      put: (...given) => inner.put(...given),
      read: (...given) => inner.read(...given),
      list: (...given) => inner.list(...given),
      delete: (...given) => inner.delete(...given),
      assemble: async (sources, target, options) => {
        const contents = await Promise.all(sources.map((key) => inner.get(key)))
        await inner.put(target, Buffer.concat(contents.map(({ content }) => content)), options)
      },
    },
    pieceBytes === undefined ? {} : { pieceBytes },
  )
  return {
    name: 'piecewise',
    conditionalPuts: () => inner.conditionalPuts(),
    get: (...given) => inner.get(...given),
    put: (...given) => inner.put(...given),
    read: (...given) => inner.read(...given),
    stat: (...given) => inner.stat(...given),
    list: (...given) => inner.list(...given),
    delete: (...given) => inner.delete(...given),
    deletePrefix: (...given) => inner.deletePrefix(...given),
    ...uploads,
  }
}

async function keysOf(driver: StorageDriver): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of driver.list('')) keys.push(key)
  return keys
}

describe('uploadsInPieces', () => {
  for (const pieceBytes of [undefined, 70_000]) {
    describe(`of ${pieceBytes ?? 'as many bytes as usual'}`, () => {
      testStorageDriver({ describe, it, afterEach }, { create: async () => piecewise(pieceBytes) })
    })
  }

  it('cuts what it receives into pieces, and keeps no more than one in memory', async () => {
    const driver = piecewise(1_000)
    const upload = await driver.createUpload(KEY)
    const observed: number[] = []
    await upload.append(
      Readable.from([Buffer.alloc(600), Buffer.alloc(600), Buffer.alloc(10)], { objectMode: false }),
      {
        observe: ({ byteLength }) => observed.push(byteLength),
      },
    )
    expect(observed).toEqual([1_200, 10])
    expect(await keysOf(driver)).toEqual([`${KEY}.00000001`, `${KEY}.00000002`])
  })

  it('passes over what lies behind a gap, which a discarded upload may leave', async () => {
    const driver = piecewise(10)
    const upload = await driver.createUpload(KEY)
    for (let at = 0; at < 3; at++) await upload.append(seededBytes(10, at))
    await driver.delete(`${KEY}.00000002`)
    expect((await driver.resumeUpload(KEY)).size).toBe(10)
    await driver.delete(`${KEY}.00000001`)
    await expect(driver.resumeUpload(KEY)).rejects.toMatchObject({ name: 'KeyNotFoundError' })
  })

  it('publishes nothing of an upload that another process has discarded', async () => {
    const driver = piecewise(10)
    const upload = await driver.createUpload(KEY)
    await upload.append(seededBytes(25, 1))
    await (await driver.resumeUpload(KEY)).discard()
    await expect(upload.commit(TARGET)).rejects.toMatchObject({ name: 'KeyNotFoundError' })
    expect(await keysOf(driver)).toEqual([])
  })
})
