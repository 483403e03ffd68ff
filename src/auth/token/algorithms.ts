import type { KeyObject } from 'node:crypto'

/** Signatures by key pairs (RFC 7518, RFC 8037). None of a shared secret, and not `none`. */
export type SigningAlgorithm =
  | ('RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512')
  | ('ES256' | 'ES384' | 'ES512' | 'EdDSA')

export const SIGNING_ALGORITHMS: readonly SigningAlgorithm[] = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA'] as const),
]

const CURVES: Readonly<Record<string, SigningAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}

/** Those that a key can be used for; none for a key of another kind, or of fewer than 2048 bits. */
export function algorithmsOf(key: KeyObject): readonly SigningAlgorithm[] {
  const { namedCurve = '', modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return modulusLength < 2048
        ? []
        : SIGNING_ALGORITHMS.filter((name) => name.startsWith('RS') || name.startsWith('PS'))
    case 'ec':
      return Object.hasOwn(CURVES, namedCurve) ? [CURVES[namedCurve] as SigningAlgorithm] : []
    case 'ed25519':
      return ['EdDSA']
    default:
      return []
  }
}
