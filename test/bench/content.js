// @ts-check
// Blobs that cost nothing to make: eight bytes of seed, then one megabyte of noise read round and round from a place that
// the seed chooses. Their digests are computed before anything is timed.
import { createHash } from 'node:crypto'

const PERIOD = 1 << 20
const CHUNK = 1 << 20

/** The period twice, so that any stretch of it is one view. */
const NOISE = makeNoise()

/** @typedef {{ readonly seed: number, readonly size: number, readonly digest: string }} Blob A blob, not yet its bytes. */

/**
 * @param {number} seed whole, below 2^53: another seed, another blob
 * @param {number} size bytes, at least 8
 * @returns {Blob}
 */
export function makeBlob(seed, size) {
  const hash = createHash('sha256')
  for (const chunk of chunksOf({ seed, size, digest: '' })) hash.update(chunk)
  return { seed, size, digest: `sha256:${hash.digest('hex')}` }
}

/**
 * The bytes `[start, end)` of a blob, in views of at most a megabyte.
 *
 * @param {Blob} blob
 * @returns {Generator<Uint8Array>}
 */
export function* chunksOf(blob, start = 0, end = blob.size) {
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(BigInt(blob.seed))
  if (start < 8) yield head.subarray(start, Math.min(end, 8))
  for (let at = Math.max(start, 8); at < end; ) {
    const from = (at + blob.seed * 4099) % PERIOD
    const length = Math.min(CHUNK, end - at)
    yield NOISE.subarray(from, from + length)
    at += length
  }
}

/** Reproducible noise (xorshift): no two runs differ in what they send. */
function makeNoise() {
  const noise = Buffer.alloc(2 * PERIOD)
  let x = 0x2545f491
  for (let i = 0; i < PERIOD; i += 4) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    noise.writeInt32LE(x, i)
  }
  noise.copy(noise, PERIOD, 0, PERIOD)
  return noise
}
