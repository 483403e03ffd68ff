import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { decorate } from '../../src/backend.ts'
import { filesystem } from '../../src/drivers/filesystem.ts'
import { image } from '../../src/image/index.ts'
import { Registry } from '../../src/registry.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

const temporaryDirectory = temporaryDirectories()
const MIB = 1024 * 1024
const CHUNK_BYTES = 256 * 1024
/** Once compressed it is as large: what was read but not sent would have to be in memory. */
const NOISE = randomBytes(CHUNK_BYTES)

describe('ImageBuilder.push', () => {
  it.each([
    ['none', 300 * MIB],
    ['gzip', 30 * MIB],
  ] as const)(
    'reads no further ahead of a slow upload than a few pieces, with compression %s',
    async (compression, size) => {
      await using registry = new Registry({ storage: filesystem(await temporaryDirectory(), { durability: 'none' }) })
      let read = 0
      let sent = 0
      let ahead = 0
      async function* noise() {
        for (; read < size; read += CHUNK_BYTES) {
          ahead = Math.max(ahead, read - sent)
          yield NOISE
        }
      }
      // Takes one piece at a time, and lets everything else run in between.
      const slow = decorate(registry, {
        blobs: (inner) =>
          Object.create(inner, {
            put: {
              value: (content: AsyncIterable<Uint8Array> | Uint8Array, options: object) =>
                inner.put(content instanceof Uint8Array ? content : watched(content), options),
            },
          }),
      })
      async function* watched(content: AsyncIterable<Uint8Array>) {
        for await (const piece of content) {
          for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
          yield piece
          sent += piece.byteLength
        }
      }
      await image
        .scratch()
        .add({ noise: { stream: noise, size } })
        .push(slow.repository('app'), { compression })
      expect([read, sent >= size]).toEqual([size, true])
      expect(ahead).toBeLessThan(2 * MIB)
    },
  )
})
