import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { algorithmsOf, type SigningAlgorithm } from './algorithms.ts'

/** A public key that tokens may be signed with. */
export interface TrustedKey {
  readonly key: KeyObject
  /** What the `kid` of a token may call it: its own name in the set, its RFC 7638 thumbprint, its libtrust fingerprint. */
  readonly ids: ReadonlySet<string>
  readonly algorithms: readonly SigningAlgorithm[]
}

/** What a token's header says of the key that signed it; everything else in it is not looked at. */
export interface KeyHint {
  readonly alg: string
  readonly kid?: string
  /** Certificates in base64, the signer's first. */
  readonly x5c?: readonly string[]
}

/** Keys of one issuer. */
export interface TokenKeys {
  /**
   * Those that may have signed; none where the token was signed by somebody else.
   *
   * @throws `Error` where that cannot be told
   */
  find(hint: KeyHint): Promise<readonly TrustedKey[]>
}

/** Keys tried for a token that names none. */
const MAX_TRIED = 8

/** Those that a token may mean. */
export function matching(keys: readonly TrustedKey[], { alg, kid }: KeyHint): readonly TrustedKey[] {
  return keys
    .filter(({ ids, algorithms }) => algorithms.some((each) => each === alg) && (kid === undefined || ids.has(kid)))
    .slice(0, MAX_TRIED)
}

/** @throws `Error` for a key that no token can be signed with */
export function trustedKey(key: KeyObject, { id, algorithm }: { id?: string; algorithm?: string } = {}): TrustedKey {
  const algorithms = algorithmsOf(key).filter((each) => algorithm === undefined || each === algorithm)
  if (algorithms.length === 0) {
    const of = algorithm === undefined ? '' : ` for ${algorithm}`
    throw new Error(
      `a key of type ${key.asymmetricKeyType}${of} cannot be used: RSA of 2048 bits or more, EC or Ed25519`,
    )
  }
  const ids = new Set([rfc7638Thumbprint(key), libtrustFingerprint(key), ...(id === undefined ? [] : [id])])
  return { key, ids, algorithms }
}

/**
 * Keys of a JSON Web Key Set that signatures can be verified with; those for encryption are left out.
 *
 * @param leaveOut - told of each key that cannot be used, where somebody else publishes the set: the rest of it is good all the same
 * @throws `Error` for what is no such set and, without `leaveOut`, for a key that cannot be used
 * @see https://www.rfc-editor.org/rfc/rfc7517#section-5
 */
export function keysOfJwks(text: string, leaveOut?: (problem: Error) => void): readonly TrustedKey[] {
  let set: { readonly keys?: unknown } | null
  try {
    set = JSON.parse(text)
  } catch (cause) {
    throw new Error('not JSON: expected a JSON Web Key Set', { cause })
  }
  const keys = set?.keys
  if (!Array.isArray(keys)) throw new Error('expected a JSON Web Key Set: { "keys": […] }')
  return (keys as readonly (PublishedKey | null)[]).flatMap((jwk, i) => {
    if (!isForSignatures(jwk)) return []
    try {
      return [keyOfJwk(jwk, `keys[${i}]`)]
    } catch (error) {
      if (leaveOut === undefined) throw error
      leaveOut(error as Error)
      return []
    }
  })
}

type PublishedKey = JsonWebKey & { readonly [Key in 'kid' | 'alg' | 'use' | 'key_ops']?: unknown }

function isForSignatures(jwk: PublishedKey | null): boolean {
  const { use = 'sig', key_ops: operations = ['verify'] } = jwk ?? {}
  return use === 'sig' && Array.isArray(operations) && operations.includes('verify')
}

function keyOfJwk(jwk: PublishedKey | null, name: string): TrustedKey {
  if (jwk?.kty === 'oct') throw new Error(`${name} is a shared secret: tokens need a key pair`)
  // One that everybody may read signs for everybody.
  if (jwk?.d !== undefined) throw new Error(`${name} is a private key: only its public half belongs here`)
  try {
    const { kid, alg } = jwk ?? {}
    return trustedKey(createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }), {
      ...(typeof kid === 'string' && { id: kid }),
      ...(alg !== undefined && { algorithm: String(alg) }),
    })
  } catch (cause) {
    throw new Error(`${name} cannot be used: ${(cause as Error).message}`, { cause })
  }
}

/** @see https://www.rfc-editor.org/rfc/rfc7638 */
export function rfc7638Thumbprint(key: KeyObject): string {
  const { crv, e, kty, n, x, y } = key.export({ format: 'jwk' })
  // The required members alone, in the order of their names.
  return createHash('sha256').update(JSON.stringify({ crv, e, kty, n, x, y })).digest('base64url')
}

/**
 * `ABCD:EFGH:…`, as Docker's libtrust and Distribution up to 2.8 name keys: 240 bits of a hash, in base32.
 *
 * @see https://github.com/docker/libtrust/blob/master/util.go
 */
export function libtrustFingerprint(key: KeyObject): string {
  const hash = createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
  const bits = [...hash.subarray(0, 30)].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => BASE32[Number.parseInt(five, 2)])
  return (letters.join('').match(/.{4}/g) ?? []).join(':')
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
