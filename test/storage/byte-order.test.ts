import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inByteOrder } from '../../src/storage/byte-order.ts'
import { collect } from '../support/images.ts'

const name = fc.string({ unit: fc.constantFrom('a', 'b', '0', '-', '.', '_', '/'), minLength: 1, maxLength: 8 })

/** The order in which a store lists folders. */
function asFolders(names: readonly string[]): string[] {
  return [...new Set(names)].sort((a, b) => (`${a}/` < `${b}/` ? -1 : 1))
}

async function* stream(names: readonly string[]) {
  yield* names
}

describe('inByteOrder', () => {
  it.each([10_000, 0, 1, 3, 7])('puts folders in byte order, %i at a time', async (window) => {
    await fc.assert(
      fc.asyncProperty(fc.array(name, { maxLength: 40 }), async (names) => {
        const all = new Set(names)
        const ordered = inByteOrder(stream(asFolders(names)), async (one) => all.has(one), window)
        expect(await collect(ordered)).toEqual([...all].sort())
      }),
    )
  })

  it('stops the listing when its reader stops', async () => {
    let stopped = false
    async function* endless() {
      try {
        for (let i = 0; ; i++) yield `v${String(i).padStart(9, '0')}`
      } finally {
        stopped = true
      }
    }
    for await (const one of inByteOrder(endless(), async () => false, 2)) if (one === 'v000000009') break
    expect(stopped).toBe(true)
  })
})
