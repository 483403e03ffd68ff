import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  KeyObject,
  X509Certificate,
} from 'node:crypto'
import { kindOf } from '../../arguments.ts'
import type { SigningAlgorithm } from '../token/algorithms.ts'
import { loadJose } from '../token/jose.ts'
import { rfc7638Thumbprint, type TrustedKey, trustedKey } from '../token/trusted-key.ts'
import type { Claims } from '../token/verify-token.ts'

/** A JSON Web Key (RFC 7517), as parsed: Node's and the browsers' types of it come and go. */
export type Jwk = { readonly kty?: string } | Readonly<Record<string, unknown>>

/** A private key: PEM, a JSON Web Key, or Node's own; RSA of 2048 bits or more, EC (P-256, P-384, P-521) or Ed25519. */
export type SigningKeyInput =
  | string
  | Jwk
  | KeyObject
  | {
      readonly key: string | Jwk | KeyObject
      /** The key's certificate and those that lead to an authority, in PEM: tokens carry them, for verifiers that trust the authority. */
      readonly certificates: string
    }

/** What signs tokens, and verifies them. */
export interface SigningKey {
  readonly trusted: TrustedKey
  /** The public half, as it stands in a JSON Web Key Set. */
  readonly jwk: Jwk
  /** @returns the token */
  sign(claims: Claims, type: string): Promise<string>
}

/** A key that nobody else has, gone with the process. */
export function generatedKey(): SigningKey {
  return signingKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
}

/** @throws `TypeError` for what is no private key that tokens can be signed with */
export function signingKey(input: SigningKeyInput): SigningKey {
  const { key: given, certificates } = isWithCertificates(input) ? input : { key: input, certificates: undefined }
  const key = readPrivateKey(given)
  const trusted = readPublicKey(createPublicKey(key))
  // The first of those that its type allows: RS256, or that of the curve.
  const algorithm = trusted.algorithms[0] as SigningAlgorithm
  const kid = rfc7638Thumbprint(trusted.key)
  const x5c = certificates === undefined ? undefined : readChain(certificates, trusted.key)
  return {
    trusted,
    jwk: { ...trusted.key.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' },
    sign: async (claims, typ) => {
      const { SignJWT } = await loadJose()
      return new SignJWT({ ...claims }).setProtectedHeader({ alg: algorithm, typ, kid, ...(x5c && { x5c }) }).sign(key)
    },
  }
}

function isWithCertificates(input: SigningKeyInput): input is Extract<SigningKeyInput, { certificates: string }> {
  return typeof input === 'object' && input !== null && 'certificates' in input
}

function readPrivateKey(input: string | Jwk | KeyObject): KeyObject {
  if (input instanceof KeyObject) {
    if (input.type === 'private') return input
    throw new TypeError(`a key that signs tokens must be private, not ${input.type}`)
  }
  if (typeof input !== 'string' && (typeof input !== 'object' || input === null)) {
    throw new TypeError(`a key that signs tokens must be PEM, a JSON Web Key or a KeyObject, not ${kindOf(input)}`)
  }
  try {
    return typeof input === 'string'
      ? createPrivateKey(input)
      : createPrivateKey({ key: input as JsonWebKey, format: 'jwk' })
  } catch {
    // Without the reason: it may quote the key.
    throw new TypeError(
      'a key that signs tokens must be a private key without a passphrase, made by: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256',
    )
  }
}

function readPublicKey(key: KeyObject): TrustedKey {
  try {
    return trustedKey(key)
  } catch (cause) {
    throw new TypeError(`tokens cannot be signed with this key: ${(cause as Error).message}`, { cause })
  }
}

/** In base64, the signer's first. */
function readChain(pem: string, key: KeyObject): string[] {
  if (typeof pem !== 'string') {
    throw new TypeError(`the certificates of a key that signs tokens must be in PEM, not ${kindOf(pem)}`)
  }
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  let chain: readonly X509Certificate[]
  try {
    chain = blocks.map((block) => new X509Certificate(block))
  } catch (cause) {
    throw new TypeError('the certificates of a key that signs tokens must be in PEM', { cause })
  }
  if (chain[0]?.publicKey.equals(key)) return chain.map(({ raw }) => raw.toString('base64'))
  throw new TypeError('the first of the certificates must be that of the key which signs tokens')
}
