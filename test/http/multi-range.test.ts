import { once } from 'node:events'
import { Writable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BlobReader } from '../../src/backend.ts'
import { type ByteBody, bytesBody } from '../../src/bytes.ts'
import { coalesce, openMultipart } from '../../src/http/multi-range.ts'
import { digestOf } from '../../src/spec/digest.ts'
import type { Range } from '../../src/spec/range.ts'

const CONTENT = Buffer.from('0123456789'.repeat(100))

describe('coalesce', () => {
  it.each([
    [[], []],
    [[[5, 6]], [[5, 6]]],
    [
      [
        [0, 10],
        [10, 20],
      ],
      [[0, 20]],
    ],
    [
      [
        [500, 600],
        [0, 10],
      ],
      [
        [0, 10],
        [500, 600],
      ],
    ],
    [
      [
        [0, 100],
        [20, 30],
      ],
      [[0, 100]],
    ],
    [
      [
        [0, 10],
        [89, 90],
      ],
      [[0, 90]],
    ],
    [
      [
        [0, 10],
        [90, 91],
      ],
      [
        [0, 10],
        [90, 91],
      ],
    ],
  ])('makes of %j %j', (ranges, merged) => {
    expect(coalesce(ranges.map(([start = 0, end = 0]) => ({ start, end })))).toEqual(
      merged.map(([start, end]) => ({ start, end })),
    )
  })

  it('covers every byte asked for, in ascending ranges that do not touch', () => {
    const range = fc
      .tuple(fc.nat(900), fc.integer({ min: 1, max: 99 }))
      .map(([start, n]) => ({ start, end: start + n }))
    fc.assert(
      fc.property(fc.array(range, { maxLength: 20 }), (ranges) => {
        const merged = coalesce(ranges)
        const within = ({ start, end }: Range) => merged.some((one) => one.start <= start && end <= one.end)
        expect(ranges.every(within)).toBe(true)
        if (ranges.length > 1) {
          expect(merged.every(({ start }, i) => start > (merged[i - 1]?.end ?? -1))).toBe(true)
        }
      }),
    )
  })
})

describe('openMultipart', () => {
  const RANGES = [
    { start: 0, end: 5 },
    { start: 200, end: 210 },
    { start: 990, end: 1000 },
  ]

  /** Opens slices of `CONTENT`, counting what is open. */
  function opener(): { readonly open: (range: Range) => Promise<BlobReader>; readonly log: string[] } {
    const log: string[] = []
    const open = async (range: Range): Promise<BlobReader> => {
      log.push(`open ${range.start}`)
      const body: ByteBody = {
        ...bytesBody(CONTENT.subarray(range.start, range.end)),
        [Symbol.asyncDispose]: async () => void log.push(`dispose ${range.start}`),
      }
      return { descriptor: { mediaType: 'x/y', digest: digestOf(CONTENT), size: 1000 }, range, body }
    }
    return { open, log }
  }

  it('sends the same bytes both ways, as many as it says', async () => {
    const { open } = opener()
    const streamed = await openMultipart(RANGES, 'x/y', 1000, open)
    const chunks: Buffer[] = []
    for await (const chunk of streamed.body.stream()) chunks.push(chunk)
    const sent = await openMultipart(RANGES, 'x/y', 1000, open)
    const received: Buffer[] = []
    await sent.body.sendTo(
      new Writable({
        write(chunk, _, done) {
          received.push(chunk)
          done()
        },
      }),
    )
    const boundary = ({ contentType }: { contentType: string }) => contentType.split('boundary=')[1] ?? ''
    const text = Buffer.concat(chunks).toString()
    expect(Buffer.concat(received).toString().replaceAll(boundary(sent), boundary(streamed))).toBe(text)
    expect(streamed.body.size).toBe(text.length)
    expect(text.split('\r\n')).toEqual([
      `--${boundary(streamed)}`,
      'content-type: x/y',
      'content-range: bytes 0-4/1000',
      '',
      '01234',
      `--${boundary(streamed)}`,
      'content-type: x/y',
      'content-range: bytes 200-209/1000',
      '',
      '0123456789',
      `--${boundary(streamed)}`,
      'content-type: x/y',
      'content-range: bytes 990-999/1000',
      '',
      '0123456789',
      `--${boundary(streamed)}--`,
      '',
    ])
  })

  it('holds one range open at a time, and releases each', async () => {
    const { open, log } = opener()
    const { body } = await openMultipart(RANGES, 'x/y', 1000, open)
    expect(log).toEqual(['open 0'])
    for await (const _ of body.stream()) {
      // read to the end
    }
    expect(log).toEqual(['open 0', 'dispose 0', 'open 200', 'dispose 200', 'open 990', 'dispose 990'])
  })

  it('releases the first range when nobody reads it', async () => {
    const { open, log } = opener()
    const { body } = await openMultipart(RANGES, 'x/y', 1000, open)
    await body[Symbol.asyncDispose]()
    expect(log).toEqual(['open 0', 'dispose 0'])
  })

  it('releases the first range when the stream is destroyed before it is read', async () => {
    const { open, log } = opener()
    const { body } = await openMultipart(RANGES, 'x/y', 1000, open)
    const stream = body.stream()
    const closed = once(stream, 'close')
    stream.destroy()
    await closed
    expect(log).toEqual(['open 0', 'dispose 0'])
  })

  it('breaks off when a later range cannot be opened', async () => {
    const { open } = opener()
    const failing = (range: Range) => (range.start > 0 ? Promise.reject(new Error('gone')) : open(range))
    const { body } = await openMultipart(RANGES, 'x/y', 1000, failing)
    const reading = (async () => {
      for await (const _ of body.stream()) {
        // read as far as it goes
      }
    })()
    await expect(reading).rejects.toThrow('gone')
  })
})
