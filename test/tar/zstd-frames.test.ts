import { Readable } from 'node:stream'
import * as zlib from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canDecompress, compressionOf, decompress } from '../../src/tar/compression.ts'
import { zstdFrames } from '../../src/tar/zstd-frames.ts'
import { collect } from '../support/images.ts'

interface FrameShape {
  readonly isSingleSegment: boolean
  readonly contentSizeFlag: 0 | 1 | 2 | 3
  readonly dictionaryFlag: 0 | 1 | 2 | 3
  readonly hasChecksum: boolean
  readonly blocks: readonly { readonly type: 'raw' | 'repeated' | 'compressed'; readonly size: number }[]
}

const PLAIN: FrameShape = {
  ...{ isSingleSegment: false, contentSizeFlag: 0, dictionaryFlag: 0, hasChecksum: false },
  blocks: [{ type: 'raw', size: 5 }],
}

/** A frame as RFC 8878 §3.1.1 draws it; what is in it is of no matter to where it ends. */
function frameOf(fields: Partial<FrameShape>): Buffer {
  const { isSingleSegment, contentSizeFlag, dictionaryFlag, hasChecksum, blocks } = { ...PLAIN, ...fields }
  const descriptor = (contentSizeFlag << 6) | (isSingleSegment ? 0x20 : 0) | (hasChecksum ? 4 : 0) | dictionaryFlag
  const contentSizeBytes = contentSizeFlag === 0 ? Number(isSingleSegment) : 2 ** contentSizeFlag
  const header = (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][dictionaryFlag] ?? 0) + contentSizeBytes
  return Buffer.concat([
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor]),
    Buffer.alloc(header, 0xaa),
    ...blocks.flatMap(({ type, size }, index) => {
      const last = Number(index === blocks.length - 1)
      const head = last | (['raw', 'repeated', 'compressed'].indexOf(type) << 1) | (size << 3)
      const bytes = Buffer.from([head & 0xff, (head >> 8) & 0xff, head >> 16])
      return [bytes, Buffer.alloc(type === 'repeated' ? 1 : size, 0xbb)]
    }),
    Buffer.alloc(hasChecksum ? 4 : 0, 0xcc),
  ])
}

function skippable(size: number, number = 0): Buffer {
  const head = Buffer.from([0x50 + number, 0x2a, 0x4d, 0x18, 0, 0, 0, 0])
  head.writeUInt32LE(size, 4)
  // What is in it looks like a frame.
  return Buffer.concat([head, Buffer.alloc(size, Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))])
}

async function* inPieces(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.byteLength; at += size) yield content.subarray(at, at + size)
}

async function split(content: Uint8Array, piece: number): Promise<Buffer[]> {
  const frames: Buffer[] = []
  for await (const frame of zstdFrames(inPieces(content, piece))) frames.push(Buffer.concat(await collect(frame)))
  return frames
}

const SHAPES = fc.record<FrameShape>({
  isSingleSegment: fc.boolean(),
  contentSizeFlag: fc.constantFrom(0, 1, 2, 3),
  dictionaryFlag: fc.constantFrom(0, 1, 2, 3),
  hasChecksum: fc.boolean(),
  blocks: fc.array(
    fc.record({
      type: fc.constantFrom('raw', 'repeated', 'compressed'),
      size: fc.oneof(fc.nat(20), fc.constantFrom(0, 255, 256, 8192)),
    }),
    { minLength: 1, maxLength: 4 },
  ),
})
const PIECE = fc.constantFrom(1, 2, 3, 7, 1000, 10_000_000)

describe('zstdFrames', () => {
  it('ends each frame where its parts say, whatever the pieces, and passes over what is to be skipped', async () => {
    const property = fc.asyncProperty(
      fc.array(
        fc.oneof(
          SHAPES.map(frameOf),
          fc.tuple(fc.nat(50), fc.nat(15)).map(([a, b]) => skippable(a, b)),
        ),
        {
          maxLength: 5,
        },
      ),
      PIECE,
      async (parts, piece) => {
        const frames = parts.filter((part) => part[0] === 0x28)
        const found = await split(Buffer.concat(parts), piece)
        expect(found.map((frame) => frame.toString('hex'))).toEqual(frames.map((frame) => frame.toString('hex')))
      },
    )
    await fc.assert(property, { numRuns: 100 })
  })

  it('tells a stream that is cut anywhere but between two frames', async () => {
    const frame = frameOf({ hasChecksum: true, contentSizeFlag: 3, dictionaryFlag: 3, blocks: blocks(6, 2) })
    const parts = [frame, skippable(9), frame]
    const whole = Buffer.concat(parts)
    const starts = [0, frame.byteLength, frame.byteLength + 17, whole.byteLength]
    for (let length = 0; length <= whole.byteLength; length++) {
      const start = starts.findLast((each) => each <= length)
      for (const piece of [1, 4, 1000]) {
        const splitting = split(whole.subarray(0, length), piece)
        if (start === length) await splitting
        else await expect(splitting).rejects.toThrow(`the zstd frame that begins at byte ${start} is cut short`)
      }
    }
  })

  it.each([
    ['zeros', Buffer.alloc(3)],
    ['a gzip', Buffer.from([0x1f, 0x8b, 8, 0])],
    ['less than a magic number', Buffer.from([0x28, 0xb6])],
    ['nearly a skippable frame', Buffer.from([0x60, 0x2a, 0x4d, 0x18])],
  ])('tells what is no frame: %s', async (_, garbage) => {
    const frame = frameOf({})
    const message = `byte ${frame.byteLength} should begin a zstd frame, and does not`
    for (const piece of [1, 1000]) await expect(split(Buffer.concat([frame, garbage]), piece)).rejects.toThrow(message)
  })

  it('asks for no more than what is read, and lets go of the source', async () => {
    const events: string[] = []
    async function* source(): AsyncGenerator<Uint8Array> {
      const content = frameOf({ blocks: blocks(100, 100) })
      try {
        for (const piece of [content.subarray(0, 50), content.subarray(50), content]) {
          events.push('asked')
          yield piece
        }
      } finally {
        events.push('closed')
      }
    }
    for await (const frame of zstdFrames(source())) {
      await frame.next()
      await frame.next()
      expect(events).toEqual(['asked'])
      break
    }
    expect(events).toEqual(['asked', 'closed'])
  })
})

const { zstdCompressSync } = zlib as { zstdCompressSync?(content: Uint8Array): Buffer }

// Node 20 has no zstd; what is said of it there is tested beside whoever reads archives and layers.
describe.runIf(zstdCompressSync !== undefined)('decompress, of zstd', () => {
  const compress = (content: Uint8Array): Buffer => zstdCompressSync?.(content) ?? Buffer.alloc(0)
  const first = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * index) >> 7))
  const second = Buffer.from('the second frame')
  const damaged = (cause: unknown) => new Error(`damaged: ${cause instanceof Error ? cause.message : cause}`)
  const read = async (compressed: AsyncIterable<Uint8Array>): Promise<Buffer> => {
    if (!canDecompress('zstd')) throw new Error('this Node compresses what it cannot read')
    return Buffer.concat(await collect(decompress(compressed, 'zstd', damaged)))
  }

  it.each([
    ['one frame', [compress(first)], [first]],
    ['several', [compress(first), compress(second), compress(first)], [first, second, first]],
    ['an empty one', [compress(Buffer.alloc(0)), compress(second)], [second]],
    ['what is to be skipped', [skippable(7), compress(first), skippable(0), compress(second)], [first, second]],
    ['nothing else', [skippable(70)], []],
  ])('reads %s', async (_, frames, content) => {
    const compressed = Buffer.concat(frames)
    expect(compressionOf(compressed)).toBe('zstd')
    for (const piece of [61, 1_000_000]) {
      expect((await read(inPieces(compressed, piece))).equals(Buffer.concat(content))).toBe(true)
    }
  })

  it('takes no part of a stream for the whole', async () => {
    const one = compress(first)
    const two = Buffer.concat([one, compress(second)])
    for (const length of [
      5,
      7,
      9,
      100,
      one.byteLength - 1,
      one.byteLength + 3,
      one.byteLength + 9,
      two.byteLength - 1,
    ]) {
      await expect(read(inPieces(two.subarray(0, length), 64)), `${length} bytes`).rejects.toThrow(
        /^damaged: .*cut short/,
      )
    }
    await expect(read(inPieces(Buffer.concat([one, second]), 64))).rejects.toThrow(/^damaged: byte \d+ should begin/)
  })

  it('tells content that is damaged', async () => {
    const broken = Buffer.concat([compress(first), frameOf({ blocks: [{ type: 'compressed', size: 9 }] })])
    await expect(read(inPieces(broken, 64))).rejects.toThrow(/^damaged: /)
  })

  it('throws what its source throws, as it is', async () => {
    const error = new Error('the source broke')
    async function* source(): AsyncGenerator<Uint8Array> {
      yield compress(first).subarray(0, 500)
      throw error
    }
    await expect(read(source())).rejects.toBe(error)
  })

  it('reads no further than it is read, and lets go of the source when it is left', async () => {
    const frame = compress(Buffer.alloc(4_000_000, 'much of the same'))
    let made = 0
    const source = Readable.from(
      (async function* () {
        for (; made < 1000; made++) yield frame
      })(),
    )
    for await (const chunk of decompress(source, 'zstd', damaged)) {
      expect(chunk.byteLength).toBeGreaterThan(0)
      break
    }
    expect(made).toBeLessThan(100)
    expect(source.destroyed).toBe(true)
  })
})

function blocks(...sizes: number[]): FrameShape['blocks'] {
  return sizes.map((size) => ({ type: 'raw', size }))
}
