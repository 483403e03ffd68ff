import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import { scanDigests } from '../../src/spec/scan-digests.ts'

const A = `sha256:${'a'.repeat(64)}`
const B = `sha256:${'b'.repeat(64)}`
const C = `sha512:${'c'.repeat(128)}`

describe('scanDigests', () => {
  it.each([
    ['nothing', '', []],
    ['prose', 'no digest here, sha256: or there', []],
    ['a digest alone', A, [A]],
    ['several, once each', `${A} ${B},${C}\n${A}`, [A, B, C]],
    ['in JSON of any shape', `{"x":[{"y":"${A}"}],"${B}":1}`, [A, B]],
    ['right after one another', A + B + C, [A, B, C]],
    ['inside a word', `x${A}x`, [A]],
    ['with more digits behind', `${A}a`, [A]],
    ['at the end, too short', A.slice(0, -1), []],
    ['a prefix before a digest', `sha256:sha256:${'a'.repeat(64)}`, [A]],
    ['upper case', A.toUpperCase(), []],
    ['upper-case hex', `sha256:${'A'.repeat(64)}`, []],
    ['64 digits of sha512', `sha512:${'c'.repeat(64)}`, []],
    ['other algorithms', `blake3:${'a'.repeat(64)} sha384:${'a'.repeat(96)} md5:${'a'.repeat(32)}`, []],
  ])('finds what is in %s', (_, text, digests) => {
    expect([...scanDigests(Buffer.from(text))].sort()).toEqual([...digests].sort())
  })

  it('looks through bytes that are not text', () => {
    const content = Buffer.concat([Buffer.from([0xff, 0xfe, 0x00]), Buffer.from(A), Buffer.from([0x00, 0xc0, 0x80])])
    expect(scanDigests(content)).toEqual(new Set([A]))
  })

  it('looks at the view, not at the buffer under it', () => {
    const content = Uint8Array.from(Buffer.from(A + B)).subarray(A.length)
    expect(scanDigests(content)).toEqual(new Set([B]))
  })

  it('misses none, wherever it stands', () => {
    const digest = fc.tuple(fc.uint8Array(), fc.constantFrom('sha256' as const, 'sha512' as const))
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), digest)), fc.string(), (parts, tail) => {
        const digests = parts.map(([, [content, algorithm]]) => digestOf(content, algorithm))
        const text = parts.map(([before], i) => before + digests[i]).join('') + tail
        const found = scanDigests(Buffer.from(text))
        for (const one of digests) expect(found).toContain(one)
      }),
    )
  })

  it('is quick with 4 MiB of beginnings', () => {
    expect(scanDigests(Buffer.alloc(4 * 1024 * 1024, 'sha256:'))).toEqual(new Set())
    expect(scanDigests(Buffer.alloc(4 * 1024 * 1024, A))).toEqual(new Set([A]))
  })
})
