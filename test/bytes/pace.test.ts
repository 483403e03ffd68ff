import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Pace } from '../../src/bytes/pace.ts'
import { readAll } from '../../src/bytes.ts'
import { consume } from '../../src/drivers/consume.ts'

const KiB = 1024
const PIECE = new Uint8Array(64 * KiB)
const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

describe('Pace', () => {
  it('lets one source alone have what Node reads of a socket, half of it at the least', async () => {
    await nextTurn()
    const pace = new Pace()
    for (let i = 0; i < 15; i++) expect(pace.take(64 * KiB)).toBeUndefined()
    expect(pace.take(64 * KiB)).toBeInstanceOf(Promise)
  })

  it('begins again in the next turn', async () => {
    await nextTurn()
    const pace = new Pace()
    await pace.take(1024 * KiB)
    expect(pace.take(1023 * KiB)).toBeUndefined()
  })

  it('leaves each a share, however much others have brought', async () => {
    await nextTurn()
    void new Pace().take(100_000 * KiB)
    const pace = new Pace()
    expect(pace.take(64 * KiB)).toBeUndefined()
    expect(pace.take(64 * KiB)).toBeInstanceOf(Promise)
  })

  it.each<[what: string, read: (count: (chunk: Uint8Array) => undefined) => Promise<unknown>]>([
    ['a stream that is consumed', (count) => consume(Readable.from(pieces(), { objectMode: false }), count)],
    ['an iterable that is consumed', (count) => consume(pieces(), count)],
    ['a source that is read whole', (count) => readAll(pieces(count), Number.POSITIVE_INFINITY)],
  ])('keeps forty from holding the event loop: %s', async (_, read) => {
    let taken = 0
    const perTurn: number[] = []
    const count = (chunk: Uint8Array): undefined => {
      taken += chunk.byteLength
    }
    let reading = 40
    for (let i = 0; i < 40; i++) void read(count).finally(() => reading--)
    while (reading > 0) {
      await nextTurn()
      perTurn.push(taken)
      taken = 0
    }
    expect(perTurn.reduce((sum, bytes) => sum + bytes, 0)).toBe(40 * 32 * PIECE.byteLength)
    // A share each, and what a stream had read ahead.
    expect(Math.max(...perTurn)).toBeLessThan(12_000 * KiB)
  })
})

/** 2 MiB, all of them ready. */
async function* pieces(count?: (chunk: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < 32; i++) {
    count?.(PIECE)
    yield PIECE
  }
}
