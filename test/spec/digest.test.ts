import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { create as createMultihash } from 'multiformats/hashes/digest'
import { identity } from 'multiformats/hashes/identity'
import { sha256, sha512 } from 'multiformats/hashes/sha2'
import { describe, expect, it } from 'vitest'
import {
  algorithmOf,
  type Digest,
  digestOf,
  finishDigest,
  fromCID,
  hexOf,
  isDigest,
  isDigestAlgorithm,
  parseDigest,
  toCID,
} from '../../src/spec/digest.ts'
import { isKeySafe, refusal } from './support.ts'

const DAG_PB = 0x70
const HEX = '0123456789abcdef'
const SHA256 = `sha256:${HEX.repeat(4)}`
const SHA512 = `sha512:${HEX.repeat(8)}`
/** Of the empty input. */
const EMPTY_SHA256 = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

const REFUSED: readonly (readonly [why: string, text: string])[] = [
  ['nothing', ''],
  ['a colon', ':'],
  ['no algorithm', `:${HEX.repeat(4)}`],
  ['no colon', `sha256${HEX.repeat(4)}`],
  ['no hex', 'sha256:'],
  ['bad text', 'sha256:baddigeststring'],
  ['63 digits', SHA256.slice(0, -1)],
  ['65 digits', `${SHA256}0`],
  ['127 digits', SHA512.slice(0, -1)],
  ['129 digits', `${SHA512}0`],
  ['sha256 of 128 digits', `sha256:${HEX.repeat(8)}`],
  ['sha512 of 64 digits', `sha512:${HEX.repeat(4)}`],
  ['upper-case hex', `sha256:${HEX.repeat(4).toUpperCase()}`],
  ['one upper-case digit', `sha256:${'a'.repeat(63)}A`],
  ['a g', `sha256:${'a'.repeat(63)}g`],
  ['a slash', `sha256:${'a'.repeat(63)}/`],
  ['a backtick, just before a', `sha256:${'a'.repeat(63)}\``],
  ['a colon, just after 9', `sha256:${'a'.repeat(63)}:`],
  ['upper-case algorithm', `SHA256:${HEX.repeat(4)}`],
  ['a dash in the algorithm', `sha-256:${HEX.repeat(4)}`],
  ['sha1', `sha1:${HEX.repeat(2)}01234567`],
  ['sha384', `sha384:${HEX.repeat(6)}`],
  ['md5', `md5:${HEX.repeat(2)}`],
  ['blake3', `blake3:${HEX.repeat(4)}`],
  ['a registered one with base64', 'sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564'],
  ['multihash', 'multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8'],
  ['a property of every object', `constructor:${HEX.repeat(4)}`],
  ['the prototype', `__proto__:${HEX.repeat(4)}`],
  ['toString', `toString:${HEX.repeat(4)}`],
  ['traversal', `sha256:../../../../../../etc/passwd${'a'.repeat(32)}`],
  ['traversal before', `../sha256:${HEX.repeat(4)}`],
  ['traversal of the right length', `sha256:${'../'.repeat(21)}a`],
  ['a leading space', ` ${SHA256}`],
  ['a trailing space', `${SHA256} `],
  ['a line feed at the end', `${SHA256}\n`],
  ['a NUL at the end', `${SHA256}\0`],
  ['a line feed inside', `sha256:${'a'.repeat(32)}\n${'a'.repeat(31)}`],
  ['two colons', `sha256::${'a'.repeat(63)}`],
  ['two digests', `${SHA256},${SHA256}`],
  ['two algorithms', `sha256:sha256:${HEX.repeat(4)}`],
  ['percent encoding', `sha256%3A${HEX.repeat(4)}`],
  ['full-width digits', `sha256:${'０'.repeat(64)}`],
  ['a Cyrillic а', `sha256:${'а'.repeat(64)}`],
  ['a tag', 'latest'],
  ['a megabyte', `sha256:${'a'.repeat(1_000_000)}`],
]

describe('isDigest', () => {
  it.each([SHA256, SHA512, EMPTY_SHA256, `sha256:${'0'.repeat(64)}`, `sha512:${'f'.repeat(128)}`])(
    'accepts %s',
    (text) => {
      expect(isDigest(text)).toBe(true)
    },
  )

  it.each(REFUSED)('refuses %s', (_, text) => {
    expect(isDigest(text)).toBe(false)
  })

  it('agrees with the specification’s grammar, anchored', () => {
    const grammar = /^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/
    const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdefg'), minLength: 60, maxLength: 66 })
    fc.assert(
      fc.property(fc.constantFrom('sha256:', 'sha512:', 'sha1:', ''), hex, fc.boolean(), (algorithm, part, twice) => {
        const text = algorithm + (twice ? part + part : part)
        expect(isDigest(text)).toBe(grammar.test(text))
      }),
      { numRuns: 5000 },
    )
  })

  it('accepts only what is safe in a storage key', () => {
    fc.assert(
      fc.property(digests(), (digest) => {
        expect(isDigest(digest) && isKeySafe(digest.replace(':', '/'))).toBe(true)
      }),
    )
  })
})

describe('isDigestAlgorithm', () => {
  it.each(['sha256', 'sha512'])('accepts %s', (name) => {
    expect(isDigestAlgorithm(name)).toBe(true)
  })

  it.each(['', 'sha1', 'SHA256', 'sha384', 'blake3', 'constructor', '__proto__', 'hasOwnProperty'])(
    'refuses %j',
    (name) => {
      expect(isDigestAlgorithm(name)).toBe(false)
    },
  )
})

describe('parseDigest', () => {
  it('gives the digest back', () => {
    fc.assert(fc.property(digests(), (digest) => parseDigest(digest) === digest))
  })

  it.each(REFUSED)('rejects %s with DIGEST_INVALID, and tells at most 160 characters of it', (_, text) => {
    const error = refusal(() => parseDigest(text))
    expect(error.code).toBe('DIGEST_INVALID')
    expect(error.status).toBe(400)
    expect(error.detail).toEqual({ digest: text.slice(0, 160) })
  })
})

describe('algorithmOf and hexOf', () => {
  it('take a digest apart', () => {
    fc.assert(fc.property(digests(), (digest) => `${algorithmOf(digest)}:${hexOf(digest)}` === digest))
  })
})

describe('digestOf', () => {
  it('is sha256 unless told otherwise', () => {
    expect(digestOf(Buffer.alloc(0))).toBe(EMPTY_SHA256)
    expect(digestOf(Buffer.from('abc'))).toBe('sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    expect(digestOf(Buffer.from('abc'), 'sha512')).toBe(
      'sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    )
  })

  it('hashes the view, not the buffer under it', () => {
    const view = Uint8Array.from(Buffer.from('xabcx')).subarray(1, 4)
    expect(digestOf(view)).toBe(digestOf(Buffer.from('abc')))
  })
})

describe('finishDigest', () => {
  it('ends a hash that was fed in pieces', () => {
    const hash = createHash('sha512').update('a').update('bc')
    expect(finishDigest('sha512', hash)).toBe(digestOf(Buffer.from('abc'), 'sha512'))
  })
})

describe('toCID', () => {
  it('is what IPLD makes of the same bytes: version 1, raw, the same multihash', async () => {
    const content = Buffer.from('wharfage')
    expect(toCID(digestOf(content)).toString()).toBe(CID.createV1(0x55, await sha256.digest(content)).toString())
    const long = CID.createV1(0x55, await sha512.digest(content))
    expect(toCID(digestOf(content, 'sha512')).equals(long)).toBe(true)
  })

  it('has fromCID for its inverse, through text too', () => {
    fc.assert(
      fc.property(digests(), (digest) => {
        expect(fromCID(toCID(digest))).toBe(digest)
        expect(fromCID(CID.parse(toCID(digest).toString()))).toBe(digest)
      }),
    )
  })
})

describe('fromCID', () => {
  it('takes a CID of any codec: its digest is of the block’s bytes all the same', async () => {
    const hash = await sha256.digest(Buffer.from('abc'))
    expect(fromCID(CID.createV1(DAG_PB, hash))).toBe(digestOf(Buffer.from('abc')))
    expect(fromCID(CID.createV0(hash as never))).toBe(digestOf(Buffer.from('abc')))
  })

  it.each([
    ['a truncated sha2-256', 0x12, 20],
    ['a truncated sha2-512', 0x13, 32],
    ['an empty one', 0x12, 0],
    ['one that is too long', 0x12, 33],
    ['sha1', 0x11, 20],
    ['sha3-256', 0x16, 32],
    ['blake3', 0x1e, 32],
  ])('rejects %s with DIGEST_INVALID', (_, code, length) => {
    const cid = CID.createV1(0x55, createMultihash(code, new Uint8Array(length)))
    const error = refusal(() => fromCID(cid))
    expect(error.code).toBe('DIGEST_INVALID')
    expect(error.detail).toEqual({ cid: cid.toString() })
  })

  it('rejects the identity hash, however long', () => {
    const hash = identity.digest(new Uint8Array(32))
    expect(refusal(() => fromCID(CID.createV1(0x55, hash as never))).code).toBe('DIGEST_INVALID')
  })
})

function digests(): fc.Arbitrary<Digest> {
  return fc
    .tuple(fc.uint8Array(), fc.constantFrom('sha256' as const, 'sha512' as const))
    .map(([content, algorithm]) => digestOf(content, algorithm))
}
