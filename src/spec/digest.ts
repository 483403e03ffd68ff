import { createHash, type Hash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create as createMultihash } from 'multiformats/hashes/digest'
import { RegistryError } from '../errors.ts'

/** Hash algorithms a registry must accept; `sha256` is canonical. */
export type DigestAlgorithm = 'sha256' | 'sha512'

/**
 * Content address `<algorithm>:<lower-case hex>`. A plain `string` is not assignable: pass
 * untrusted input through {@link parseDigest}.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
 */
export type Digest = `${DigestAlgorithm}:${string}`

/** Hex digits of an encoded digest, and the multihash code, per algorithm. */
const ALGORITHMS: Readonly<Record<DigestAlgorithm, { readonly hexLength: number; readonly multihash: number }>> = {
  sha256: { hexLength: 64, multihash: 0x12 },
  sha512: { hexLength: 128, multihash: 0x13 },
}

export function isDigestAlgorithm(text: string): text is DigestAlgorithm {
  return Object.hasOwn(ALGORITHMS, text)
}

export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(':')
  const algorithm = text.slice(0, colon)
  return (
    colon > 0 &&
    isDigestAlgorithm(algorithm) &&
    text.length === colon + 1 + ALGORITHMS[algorithm].hexLength &&
    isLowerHex(text, colon + 1)
  )
}

/** @throws {@link RegistryError} `DIGEST_INVALID` when `text` is not a digest we can verify. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text
  throw new RegistryError('DIGEST_INVALID', {
    message: 'not a digest: expected sha256:<64 hex digits> or sha512:<128 hex digits>, in lower case',
    detail: { digest: text.slice(0, 160) },
  })
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.charCodeAt(3) === 0x32 ? 'sha256' : 'sha512'
}

/** The part after the colon. */
export function hexOf(digest: Digest): string {
  return digest.slice(7)
}

export function digestOf(content: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return finishDigest(algorithm, createHash(algorithm).update(content))
}

/** Ends a running `node:crypto` hash; it cannot be used afterwards. */
export function finishDigest(algorithm: DigestAlgorithm, hash: Hash): Digest {
  return `${algorithm}:${hash.digest('hex')}`
}

/** The same content as an IPLD CID: version 1, raw codec, `sha2-256` or `sha2-512`. */
export function toCID(digest: Digest): CID {
  return CID.createV1(
    raw.code,
    createMultihash(ALGORITHMS[algorithmOf(digest)].multihash, Buffer.from(hexOf(digest), 'hex')),
  )
}

/** @throws {@link RegistryError} `DIGEST_INVALID` for another hash function, or for a truncated one. */
export function fromCID(cid: CID): Digest {
  const { code, digest } = cid.multihash
  const algorithm =
    code === ALGORITHMS.sha256.multihash ? 'sha256' : code === ALGORITHMS.sha512.multihash ? 'sha512' : undefined
  if (algorithm === undefined || digest.byteLength * 2 !== ALGORITHMS[algorithm].hexLength) {
    throw new RegistryError('DIGEST_INVALID', {
      message: 'not a full sha2-256 or sha2-512 multihash',
      detail: { cid: String(cid) },
    })
  }
  return `${algorithm}:${Buffer.from(digest).toString('hex')}`
}

function isLowerHex(text: string, from: number): boolean {
  for (let i = from; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (!((c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x66))) return false
  }
  return true
}
